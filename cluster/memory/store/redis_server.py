"""Where a Redis server is, as its URL says it, and whether what it says of itself can be relied on.

For `cluster.memory.store.redis`, which asks when it connects.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from redis.asyncio import SSLConnection, UnixDomainSocketConnection
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

_TLS_FILES = frozenset({"ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile"})
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
            _check_files(options)
            host = parts.hostname or "localhost"
            return cls(options, f"{parts.scheme}://{host}:{port or 6379}/{options.get('db', 0)}")
        if not options.get("path"):
            raise UsageError("the Redis URL names no socket: it is unix:///PATH with three slashes")
        return cls(options, f"unix://{options['path']}")

    @property
    def is_tls(self) -> bool:
        """Whether the URL says that the server speaks TLS."""
        return self.options.get("connection_class") is SSLConnection

    def without_secrets(self, text: str) -> str:
        """Return the text with the password blotted out (servers quote commands they refuse)."""
        password = self.options.get("password")
        return text.replace(password, "***") if password else text


def _check_files(options: Mapping[str, object]) -> None:
    """Look at the files that a URL names: what the client says of them later, no user understands.

    Raises:
        UsageError: one can't be read, or is looked for from the working directory.
    """
    for name in sorted(_TLS_FILES & options.keys()):
        path = Path(str(options[name]))
        if not path.is_absolute():
            raise UsageError(
                f"the Redis URL's {name} has to be a whole path, from / on: the processes of a "
                "cluster have working directories of their own"
            )
        if not os.access(path, os.R_OK):
            raise UsageError(f"the Redis URL's {name} can't be read: there is no {path} for us")


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
    if certificate := _refused_certificate(error):
        return certificate
    if isinstance(reason, BusyLoadingError):
        return "has just been started and reads its data"
    if isinstance(reason, ResponseError):
        return "refused a command"
    return "can't be reached (is it running, and its URL right?)"


def _refused_certificate(error: BaseException | None) -> str:
    """Say that the server's certificate is what was refused, empty where it wasn't."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                "has a certificate that is not trusted here (its authority's file is named by "
                "?ssl_ca_certs=/PATH in the URL, or by SSL_CERT_FILE)"
            )
        error = error.__cause__ or error.__context__
    return ""
