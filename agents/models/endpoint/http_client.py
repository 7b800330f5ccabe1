"""The HTTP of an endpoint: kept connections, headers of the settings, no error without its words.

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
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from agents.models.endpoint.options import NO_HEADERS, check_variable, has_key
from agents.models.endpoint.proxies import connector, proxy_of, told_by_aiohttp
from agents.models.endpoint.trouble import EVENT_BYTES_MAX, Refused
from agents.models.endpoint.unreached import CONNECT_TIMEOUT_S
from cluster.kernel.errors import UsageError

KEEP_ALIVE_S = 600.0
"""How long a connection stays open that nobody uses: longer than a plan, whose calls can be minutes
apart. By default it is 15 s, and each call would begin with a handshake. One that the endpoint has
closed meanwhile is noticed and not used."""
CONNECTIONS_MAX = 1000
_REFUSAL_BYTES_MAX = 64 << 10
_REFUSED = 300
_ACCOUNT = {"OpenAI-Organization": "OPENAI_ORG_ID", "OpenAI-Project": "OPENAI_PROJECT_ID"}
"""Headers that say who pays, each with the variable that has it."""
_CERT_FILE = "SSL_CERT_FILE"
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

    def __init__(
        self, base_url: str, api_key: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> None:
        """Open nothing yet.

        Args:
            base_url: may have a query, which is part of every request.
            api_key: empty where there is none.
            headers: those of the settings, which go before ours.

        Raises:
            UsageError: the environment's proxy, its certificates or who pays can't be used.
        """
        self._base_url = base_url
        self.proxy = proxy_of(base_url)
        is_tls = urlsplit(base_url).scheme == "https"
        self._trusted = _trust(os.environ.get(_CERT_FILE, "")) if is_tls else True
        # Compressed tokens would wait for others.
        ours = {"Accept-Encoding": "identity", "User-Agent": "fleetmind", **_account()}
        if not urlsplit(base_url).username and not has_key(headers):
            # An endpoint that checks no key takes any, and some want one all the same.
            ours["Authorization"] = f"Bearer {api_key or 'none'}"
        # A header goes out twice whose name is spelled in two ways.
        spelled = {name.lower() for name in headers}
        self._headers = {name: ours[name] for name in ours if name.lower() not in spelled}
        self._headers |= headers
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str) -> object:
        """Return what JSON the endpoint has at a path.

        Raises:
            Refused: it answers with an error.
            aiohttp.ClientError: it can't be reached.
            ValueError: it is no JSON.
        """
        async with await self._sent("GET", path) as response:
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
        way = _Way()
        try:
            return await self._sent("POST", path, data=body, headers=sent, trace_request_ctx=way)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not way.is_kept:
                raise
            return await self._sent("POST", path, data=body, headers=sent)

    async def _sent(self, method: str, path: str, **options: Any) -> aiohttp.ClientResponse:
        """Return the response to one request; raises Refused where it is an error.

        A redirect is one: a POST that follows it mostly becomes a GET without its body, and the
        headers of the settings would go to whoever is named there.
        """
        by = None if self.proxy is None or self.proxy.is_socks else self.proxy.url
        with told_by_aiohttp(self.proxy):
            response = await self._opened().request(
                method, self._url(path), proxy=by, allow_redirects=False, **options
            )
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
            self._session = aiohttp.ClientSession(
                connector=connector(
                    self.proxy,
                    limit=CONNECTIONS_MAX,
                    keepalive_timeout=KEEP_ALIVE_S,
                    ssl=self._trusted,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
                headers=self._headers,
                trace_configs=[_tracing()],
            )
        return self._session


def _account() -> dict[str, str]:
    """Return the headers that say who pays.

    Raises:
        UsageError: a variable has what no header can hold.
    """
    named = {name: os.environ.get(variable, "").strip() for name, variable in _ACCOUNT.items()}
    for name, value in named.items():
        check_variable(_ACCOUNT[name], value)
    return {name: value for name, value in named.items() if value}


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
def _trust(named: str) -> ssl.SSLContext:
    """Return whom to trust, whoever is asked: those whom the system does, or SSL_CERT_FILE names.

    To read who they are takes 20 ms.

    Raises:
        UsageError: SSL_CERT_FILE names what holds no certificates, and would trust nobody.
    """
    context = ssl.create_default_context()
    if named:
        _load(context, named)
    paths = ssl.get_default_verify_paths()
    if not (paths.cafile or paths.capath):
        for path in filter(os.path.isfile, _CERTIFICATES):
            context.load_verify_locations(Path(path))
    return context


def _load(context: ssl.SSLContext, path: str) -> None:
    """Trust the certificates of a file; OpenSSL itself passes over one that it can't read."""
    try:
        context.load_verify_locations(path)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        said = getattr(error, "strerror", None) or error
        raise UsageError(
            f"SSL_CERT_FILE names {path!r}, which can't be read as certificates ({said}):"
            " name a PEM file, or unset it"
        ) from error


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
