"""Where the ingress listens: whether anything can, and whether something does.

Asked by `cluster.placement.serving.control` before anything is started, and by
`cluster.placement.serving.process` around the start of Ray Serve, whose proxy tells only its own
log that it can't listen. The command line prints the URL.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import time

from cluster.kernel.errors import UsageError
from cluster.kernel.loopback import reached_at
from cluster.settings.values import ServeSettings

_POLL_S = 0.1
_CONNECT_TIMEOUT_S = 1.0


def check_can_listen(own: ServeSettings, *, may_be_in_use: bool = False) -> None:
    """Say why nothing can listen where the ingress is to.

    Args:
        own: the section [serve] of the settings.
        may_be_in_use: whether to pass a port that is in use: whatever has it may be ended first.

    Raises:
        UsageError: the port is in use, or the host is none of this machine's.
    """
    host = own.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, own.port))
            tried.listen()
    except (OSError, OverflowError, UnicodeError) as error:
        if may_be_in_use and getattr(error, "errno", None) == errno.EADDRINUSE:
            return
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(
            f"nothing can listen at {own.host}:{own.port} ({reason}): free it, or give another "
            "--host or --port"
        ) from error


async def wait_until_free(own: ServeSettings, timeout_s: float) -> None:
    """Return when the ingress can listen: what had the port has just been ended.

    Raises:
        UsageError: it still can't after ``timeout_s``.
    """
    give_up_at = time.monotonic() + timeout_s
    while time.monotonic() < give_up_at:
        try:
            return check_can_listen(own)
        except UsageError:
            await asyncio.sleep(_POLL_S)
    return check_can_listen(own)


async def is_listening_within(own: ServeSettings, timeout_s: float) -> bool:
    """Say whether a connection is accepted where the ingress listens, waiting for it so long."""
    give_up_at = time.monotonic() + timeout_s
    while True:
        try:
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                _, writer = await asyncio.open_connection(reached_at(own.host), own.port)
        except OSError:  # TimeoutError is one
            if time.monotonic() > give_up_at:
                return False
            await asyncio.sleep(_POLL_S)
        else:
            writer.close()
            return True


def url_of(own: ServeSettings) -> str:
    """Return where this machine reaches the ingress."""
    host = reached_at(own.host)
    host = f"[{host}]" if ":" in host else host
    return f"http{'s' if own.tls_cert else ''}://{host}:{own.port}"
