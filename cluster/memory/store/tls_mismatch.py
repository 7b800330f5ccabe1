"""Whether a Redis server speaks TLS where its URL says otherwise, or the other way round.

Neither is told by the client: a server without TLS waits for the end of a line that a TLS greeting
does not have, and one with TLS hangs up. Asked by `cluster.memory.store.redis` when it can't
connect.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from cluster.kernel.errors import StoreUnavailable

_REPLY_BYTES_MAX = 256
_REPLIES = (b"+PONG", b"-")
"""Of Redis to a PING: the second where it wants a password first, or is loading."""


async def check_tls(
    options: Mapping[str, Any],
    address: str,
    error: BaseException,
    *,
    is_tls: bool,
    timeout_s: float,
) -> None:
    """Return where the URL is not what keeps the client from connecting, or it can't be told.

    Args:
        options: where the server is, as redis-py has it.
        address: the same for people.
        error: what connecting has ended with.
        is_tls: what the URL says.
        timeout_s: how long it may take, in seconds.

    Raises:
        StoreUnavailable: it is, and what to write instead.
    """
    host, port = options.get("host"), options.get("port", 6379)
    if not isinstance(error, StoreUnavailable) or host is None or timeout_s <= 0:
        return
    has_plain = has_tls = False
    with suppress(TimeoutError):  # who is silent to a PING is not greeted as well
        async with asyncio.timeout(timeout_s):
            has_plain = await _answers_ping(host, port)
            has_tls = not (has_plain or is_tls) and await _speaks_tls(host, port)
    if has_plain and is_tls:
        raise StoreUnavailable(
            f"the store at {address} speaks no TLS: write redis:// instead of rediss://"
        ) from error
    if has_tls:
        raise StoreUnavailable(
            f"the store at {address} speaks TLS: write rediss:// instead of redis://"
        ) from error


async def _answers_ping(host: str, port: int) -> bool:
    said = b""
    with suppress(OSError):
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(b"PING\r\n")
            said = await reader.read(_REPLY_BYTES_MAX)
        finally:
            writer.close()
    return said.startswith(_REPLIES)


async def _speaks_tls(host: str, port: int) -> bool:
    # Who it is doesn't matter here: nothing is sent to it.
    anybody = ssl.create_default_context()
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    try:
        _, writer = await asyncio.open_connection(host, port, ssl=anybody)
    except OSError:
        return False
    writer.close()
    return True
