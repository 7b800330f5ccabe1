"""Speaking with an embedded server over its socket before there is a client, and without one.

For `cluster.memory.store.embedded`, which runs it, and `cluster.memory.store.users_store`, which
looks whether somebody does.
"""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import quote

_REPLY_TIMEOUT_S = 1.0
_REPLY_BYTES_MAX = 256


def url_of(path: Path) -> str:
    """Return the URL of a server by its socket."""
    return f"unix://{quote(str(path))}"


def answers(path: Path) -> bool:
    """Say whether a server answers at a socket; blocks, up to a second."""
    return (reply_to(b"PING", path) or b"").startswith(b"+PONG")


def accepts(path: Path) -> bool:
    """Say whether some server listens on the socket, be it busy."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_REPLY_TIMEOUT_S)
        try:
            connection.connect(str(path))
        except TimeoutError:
            return True
        except OSError:
            return False
    return True


def reply_to(command: bytes, path: Path) -> bytes | None:
    """Return what the server says to a command: nothing if it hangs up, None if it is silent."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_REPLY_TIMEOUT_S)
        try:
            connection.connect(str(path))
            connection.sendall(command + b"\r\n")
            return connection.recv(_REPLY_BYTES_MAX)
        except OSError:
            return None
