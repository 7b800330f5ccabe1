"""Why an endpoint was not reached: by what the client met on the way, and at whose place. Pure.

Called by `agents.models.endpoint.trouble`, which makes the sentence of it.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from aiohttp.http_exceptions import BadHttpMessage, ContentEncodingError

CONNECT_TIMEOUT_S = 10.0
CHECK_URL = "check the base URL"
LOOK_AT_LOG = "look at the endpoint's log if it happens again"
OF_THE_PROXY = 407
_SERVER_ERRORS = 500
_CHECK_PROXY = (
    "check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, or name the endpoint's host in NO_PROXY"
)
_CHECK_SCHEME = "check whether its base URL begins with http:// or https://"
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
"""What OpenSSL calls an answer that is none of TLS."""
_TRUST = "where an authority of your own has signed it, set SSL_CERT_FILE to its certificate"


class SocksFailed(aiohttp.ClientConnectionError):
    """A SOCKS proxy can't be reached, or opened no connection to the endpoint.

    ``said`` is what it gave as its reason; empty where it wasn't reached.
    """

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


@dataclass(frozen=True, slots=True)
class Unreached:
    """What was wrong, in words; the first are who is at fault."""

    what: str
    remedy: str
    is_retryable: bool = False


def unreached(error: aiohttp.ClientError, endpoint: str, proxy: str) -> Unreached:
    """Return what kept a request from an endpoint, or its answer from us.

    Args:
        error: the client's.
        endpoint: what the endpoint is called.
        proxy: what its proxy is called; empty where it is asked directly.
    """
    by_proxy = f"the proxy {proxy}, through which {endpoint} is asked,"
    if isinstance(error, SocksFailed) and error.said:
        return Unreached(f"{by_proxy} didn't open the connection ({error.said})", _CHECK_PROXY)
    who, remedy = (by_proxy, _CHECK_PROXY) if _is_of(error, proxy) else (endpoint, CHECK_URL)
    # The client's own errors are of the system's types too, without what these say.
    causes = [cause for cause in _causes(error) if not isinstance(cause, aiohttp.ClientError)]
    if isinstance(error, aiohttp.ClientResponseError):
        return _not_understood(who, causes)
    return _untrusted(who, remedy, causes) or _disconnected(error, who, remedy, causes)


def _is_of(error: aiohttp.ClientError, proxy: str) -> bool:
    """Say whether the proxy wasn't reached."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):  # of its name: it looks up the other one
        return bool(proxy) and error.host == urlsplit(proxy).hostname
    return isinstance(error, aiohttp.ClientProxyConnectionError | SocksFailed)


def _not_understood(who: str, causes: list[BaseException]) -> Unreached:
    """Return what an answer comes to that the client can't read as HTTP."""
    for cause in causes:
        if isinstance(cause, ContentEncodingError):
            what = f"{who} has compressed its answer, which was not asked for ({cause.message})"
            return Unreached(what, "turn that off there, or in what stands before it")
    is_other = _is_any(causes, BadHttpMessage)
    what = "answers with what is no HTTP" if is_other else "sent an answer that can't be read"
    return Unreached(f"{who} {what}", _CHECK_SCHEME)


def _untrusted(who: str, remedy: str, causes: list[BaseException]) -> Unreached | None:
    """Return what is wrong with a host's name or its TLS; None where nothing is."""
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return Unreached(f"{who} has a host name that nobody knows", remedy)
        if isinstance(cause, ssl.SSLCertVerificationError):
            said = cause.verify_message or cause.reason
            return Unreached(
                f"{who} can't be trusted, its TLS failed: its certificate ({said})", _TRUST
            )
        if isinstance(cause, ssl.SSLError) and cause.reason in _NO_TLS:
            return Unreached(f"{who} speaks no TLS there ({cause.reason})", _CHECK_SCHEME)
        if isinstance(cause, ssl.SSLError):
            said = cause.reason or str(cause)
            return Unreached(f"{who} can't be trusted, its TLS failed ({said})", remedy)
    return None


def not_let_through(status: int, endpoint: str, proxy: str) -> Unreached:
    """Return what an HTTP proxy's own answer means."""
    by_proxy = f"the proxy {proxy}, through which {endpoint} is asked,"
    if status == OF_THE_PROXY:
        remedy = "name it with them, as in http://USER:PASSWORD@HOST:PORT"
        return Unreached(f"{by_proxy} wants a user and a password ({status})", remedy)
    is_passing = status >= _SERVER_ERRORS
    what = f"{by_proxy} didn't open the connection ({status})"
    return Unreached(what, _CHECK_PROXY, is_retryable=is_passing)


def _disconnected(
    error: aiohttp.ClientError, who: str, remedy: str, causes: list[BaseException]
) -> Unreached:
    """Return what a connection comes to that was not made, or broke off."""
    broke = f"{who} broke the connection off"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return Unreached(broke, f"{LOOK_AT_LOG}, and {_CHECK_SCHEME}", is_retryable=True)
    is_dialed = isinstance(error, aiohttp.ClientConnectorError)
    if is_dialed and _is_any(causes, ConnectionResetError):
        return Unreached(f"{broke} as if it spoke no TLS", _CHECK_SCHEME, is_retryable=True)
    what = _without_connection(error, causes)
    if not what:
        return Unreached(broke, LOOK_AT_LOG, is_retryable=True)
    return Unreached(f"{who} {what}", f"start it, or {remedy}", is_retryable=True)


def _without_connection(error: aiohttp.ClientError, causes: list[BaseException]) -> str:
    """Return why there was no connection; empty where there was one."""
    is_late = isinstance(error, aiohttp.ConnectionTimeoutError)
    if is_late or (isinstance(error, SocksFailed) and _is_any(causes, TimeoutError)):
        return f"took no connection within {CONNECT_TIMEOUT_S:g} s"
    if _is_any(causes, ConnectionRefusedError):
        return "refuses connections"
    is_unreached = isinstance(error, aiohttp.ClientConnectorError | SocksFailed)
    return "can't be reached" if is_unreached else ""


def _is_any(causes: list[BaseException], kind: type[BaseException]) -> bool:
    return any(isinstance(cause, kind) for cause in causes)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and everything it came from, groups opened."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        cause = waiting.pop()
        if cause is None or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, cause.__context__]
        if isinstance(cause, BaseExceptionGroup):
            waiting += cause.exceptions
