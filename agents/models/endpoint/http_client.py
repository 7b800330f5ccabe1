"""The HTTP of an endpoint: kept connections, no proxy for this machine, no error without its words.

Imported where the first model of an endpoint is built, never by `agents` itself.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from agents.models.endpoint.trouble import CONNECT_TIMEOUT_S, EVENT_BYTES_MAX, Refused
from cluster.kernel.errors import UsageError
from cluster.kernel.loopback import is_loopback_url

KEEP_ALIVE_S = 600.0
"""How long a connection stays open that nobody uses: longer than a plan, whose calls can be minutes
apart. By default it is 15 s, and each call would begin with a handshake. One that the endpoint has
closed meanwhile is noticed and not used."""
CONNECTIONS_MAX = 1000
_REFUSAL_BYTES_MAX = 64 << 10
_REFUSED = 300
_ACCOUNT = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}
"""Headers that say who pays, each with the variable that has it."""
_CERTIFICATES = (
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
)
"""Where systems keep whom they trust; looked at where Python was built for another one."""


@dataclass(slots=True)
class _Way:
    """How a request was sent."""

    is_kept: bool = False
    """Over a connection that an earlier request had opened."""


class HttpClient:
    """Asks one endpoint, each request once.

    Reading has no time limit of its own: every call is under its caller's deadline.
    """

    def __init__(self, base_url: str, api_key: str) -> None:
        """Open nothing yet; raises UsageError where the environment's proxy can't be used."""
        self._base_url = base_url
        self._proxy = proxy_of(base_url)
        self._headers = {
            # Compressed tokens would wait for others.
            "Accept-Encoding": "identity",
            "User-Agent": "fleetmind",
            **{name: os.environ[of] for name, of in _ACCOUNT.items() if os.environ.get(of)},
        }
        if not urlsplit(base_url).username:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str) -> object:
        """Return what JSON the endpoint has at a path.

        Raises:
            Refused: it answers with an error.
            aiohttp.ClientError: it can't be reached.
            ValueError: it is no JSON.
        """
        async with self._opened().get(self._url(path), proxy=self._proxy) as response:
            await _check(response)
            return json.loads(await _body(response, EVENT_BYTES_MAX))

    async def post(
        self, path: str, content: Mapping[str, object], headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        """Send JSON and return the response, which the caller closes.

        Where a kept connection turns out to have been closed by the server, another one is taken
        at once, and once (RFC 9112, section 9.3.1): most likely nobody has read the request.

        Raises: as `get`.
        """
        body = json.dumps(content).encode()  # escaped, so that half a surrogate pair can be sent
        sent = {**headers, "Accept": "text/event-stream", "Content-Type": "application/json"}
        session, url = self._opened(), self._url(path)
        way = _Way()
        try:
            response = await session.post(
                url, data=body, headers=sent, proxy=self._proxy, trace_request_ctx=way
            )
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not way.is_kept:
                raise
            response = await session.post(url, data=body, headers=sent, proxy=self._proxy)
        try:
            await _check(response)
        except BaseException:
            response.close()
            raise
        return response

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _url(self, path: str) -> str:
        parts = urlsplit(self._base_url)
        return parts._replace(path=parts.path.rstrip("/") + path).geturl()

    def _opened(self) -> aiohttp.ClientSession:
        """Return the connections, which belong to the event loop that first asks."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=CONNECTIONS_MAX, keepalive_timeout=KEEP_ALIVE_S, ssl=_trust()
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
                headers=self._headers,
                trace_configs=[_tracing()],
            )
        return self._session


def proxy_of(url: str) -> str | None:
    """Return the proxy that the environment names for a URL; none for what is on this machine.

    Raises:
        UsageError: it is no HTTP proxy.
    """
    parts = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or is_loopback_url(url) or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    scheme = urlsplit(proxy).scheme
    if scheme not in {"http", "https"}:
        raise UsageError(
            f"the environment names a {scheme} proxy for {parts.hostname}, and only HTTP proxies"
            " can be used: name another one, or list the host in NO_PROXY"
        )
    return proxy


def _tracing() -> aiohttp.TraceConfig:
    """Return what writes down which requests go over kept connections."""

    async def reused(_session: object, context: object, _parameters: object) -> None:
        way = getattr(context, "trace_request_ctx", None)
        if isinstance(way, _Way):
            way.is_kept = True

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_reuseconn.append(reused)
    return tracing


@cache
def _trust() -> ssl.SSLContext:
    """Return whom to trust: those whom the system does. To read who they are takes 20 ms."""
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    if not (paths.cafile or paths.capath):
        for path in filter(os.path.isfile, _CERTIFICATES):
            context.load_verify_locations(Path(path))
    return context


async def _check(response: aiohttp.ClientResponse) -> None:
    """Raise `Refused` with the endpoint's words where it answers with an error."""
    if response.status >= _REFUSED:
        text = (await _body(response, _REFUSAL_BYTES_MAX)).decode(errors="replace")
        raise Refused(response.status, text.strip(), response.headers)


async def _body(response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
    """Return a body, cut where it is longer than allowed."""
    body = bytearray()
    while len(body) < bytes_max and (block := await response.content.readany()):
        body += block
    return bytes(body[:bytes_max])
