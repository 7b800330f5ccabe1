"""Where a Redis server is, as its URL says it, and whether what it says of itself can be relied on.

For `cluster.memory.store.redis`, which asks when it connects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from redis.asyncio import UnixDomainSocketConnection
from redis.asyncio.connection import parse_url
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    OutOfMemoryError,
    RedisError,
    ResponseError,
)

from cluster.kernel.errors import UsageError

_FULL = re.compile(r"(?:^|-)OOM ")
"""The code of the error of a full server; in a script it stands within the script's own."""
_KEEPS_ALL = "noeviction"
_URL_OPTIONS = frozenset({"connection_class", "db", "host", "password", "path", "port", "username"})
_TLS_OPTIONS = frozenset(
    f"ssl_{name}"
    for name in ("ca_certs", "ca_path", "cert_reqs", "certfile", "check_hostname", "keyfile")
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where the server is: what redis-py needs to know, and what people may read."""

    options: Mapping[str, Any] = field(repr=False)
    address: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Return the target of a URL; errors never quote it, since it may hold a password."""
        try:
            options = dict(parse_url(url))
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            # `from None`: a password with a slash in it is taken for the port, and quoted as such.
            raise UsageError(
                "the Redis URL can't be read: it is redis://HOST:PORT/DB, rediss://HOST:PORT/DB or "
                "unix:///PATH, with special characters of a password percent-encoded"
            ) from None
        known = _URL_OPTIONS | _TLS_OPTIONS if parts.scheme == "rediss" else _URL_OPTIONS
        for name in options.keys() - known:
            raise UsageError(f"the Redis URL has the unknown option {name!r}: remove it")
        if options.get("connection_class") is not UnixDomainSocketConnection:
            host = parts.hostname or "localhost"
            return cls(options, f"{parts.scheme}://{host}:{port or 6379}/{options.get('db', 0)}")
        if not options.get("path"):
            raise UsageError("the Redis URL names no socket: it is unix:///PATH with three slashes")
        return cls(options, f"unix://{options['path']}")

    def without_secrets(self, text: str) -> str:
        """Return the text with the password blotted out (servers quote commands they refuse)."""
        password = self.options.get("password")
        return text.replace(password, "***") if password else text


def why_unfit(told: Mapping[str, object]) -> str:
    """Say why nothing can be kept in the server, empty where it can.

    Args:
        told: what Redis' INFO says in its sections `memory` and `replication`; it may be less.
    """
    if told.get("role") != "slave":
        return ""
    return f"is a replica of {told.get('master_host', 'another')}: name that one as the store"


def warning_of(told: Mapping[str, object]) -> str:
    """Say in a sentence what the server may lose on purpose, empty where that is nothing.

    Args:
        told: as for `why_unfit`.
    """
    policy = told.get("maxmemory_policy", _KEEPS_ALL)
    if policy == _KEEPS_ALL or not told.get("maxmemory"):
        return ""
    return (
        f"the store deletes what it likes when its memory is full (maxmemory-policy {policy}), "
        f"tasks and documents too: set it to {_KEEPS_ALL}"
    )


def what_failed(error: Exception, words: str) -> str:
    """Return what the server, or the way to it, is like, as the end of a sentence about it.

    Args:
        error: what the client raised.
        words: what it says, for people.
    """
    if isinstance(error, OutOfMemoryError) or _FULL.search(words):
        return "is full (its maxmemory is used up): give it more memory"
    return f"{_reason(error)}: {words}"


def _reason(error: Exception) -> str:
    # On a unix socket, redis-py wraps what the handshake raised in an error of the connection.
    reason = error.__cause__ if isinstance(error.__cause__, RedisError) else error
    if isinstance(reason, (AuthenticationError, AuthorizationError)):
        return "refused the user name or password in its URL"
    if isinstance(reason, BusyLoadingError):
        return "has just been started and reads its data"
    if isinstance(reason, ResponseError):
        return "refused a command"
    return "can't be reached (is it running, and its URL right?)"
