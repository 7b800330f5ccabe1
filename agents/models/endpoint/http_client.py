"""The HTTP client under the official one: no proxy for this machine, no body without end.

Imported where the first model of an endpoint is built, never by `agents` itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import openai
from openai import DEFAULT_CONNECTION_LIMITS as _LIMITS

from cluster.kernel.loopback import is_loopback_url

CONNECT_TIMEOUT_S = 10.0
KEEP_ALIVE_S = 600.0
"""How long a connection stays open that nobody uses: longer than a plan, whose calls can be minutes
apart. By default it is 5 s, and each call would begin with a handshake. One that the endpoint has
closed meanwhile is noticed and not used."""
BODY_BYTES_MAX = 64 << 20
"""More than any answer: 100,000 tokens as events of 250 bytes are 25 MB."""


class BodyTooLarge(Exception):
    """A response went on beyond `BODY_BYTES_MAX`."""


class _Bounded(httpx2.AsyncByteStream):
    """A response's body that ends in an error instead of filling the memory."""

    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = BODY_BYTES_MAX
        async for block in self._body:
            left -= len(block)
            if left < 0:
                raise BodyTooLarge
            yield block

    async def aclose(self) -> None:
        await self._body.aclose()


async def _bound(response: httpx2.Response) -> None:
    body = response.stream
    if isinstance(body, httpx2.AsyncByteStream):
        response.stream = _Bounded(body)


def build_client(base_url: str, api_key: str) -> openai.AsyncOpenAI:
    """Return a client of an endpoint that tries each request once.

    Reading has no time limit of its own: every call is under its caller's deadline.
    """
    timeout = openai.Timeout(None, connect=CONNECT_TIMEOUT_S)
    http = openai.DefaultAsyncHttpxClient(
        base_url=base_url,
        timeout=timeout,
        trust_env=not is_loopback_url(base_url),
        limits=httpx2.Limits(
            max_connections=_LIMITS.max_connections,
            max_keepalive_connections=_LIMITS.max_keepalive_connections,
            keepalive_expiry=KEEP_ALIVE_S,
        ),
        event_hooks={"response": [_bound]},
    )
    return openai.AsyncOpenAI(
        api_key=api_key, base_url=base_url, timeout=timeout, max_retries=0, http_client=http
    )
