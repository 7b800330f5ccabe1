"""Sandboxes that have started before their program: what is left of a start is handing it over.

`bubblewrap` keeps a few. Each has the walls and limits of any other, waits in an interpreter that
has run nothing yet, gets one program, and is thrown away with it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from agents.tools.sandbox.command import Doorway
from agents.tools.sandbox.guard import SandboxGuard
from agents.tools.sandbox.machine import SandboxMachine
from agents.tools.sandbox.process import SandboxProcess, sandbox_process
from cluster.kernel.sections import SandboxSettings


class WarmSandbox:
    """A sandbox that waits for its program; as a context it is the sandbox that has it.

    Args:
        on_death: called when it ends before it was given one.

    Raises:
        OSError: it could not be started.
    """

    def __init__(
        self,
        machine: SandboxMachine,
        limits: SandboxSettings,
        guard: SandboxGuard,
        on_death: Callable[[WarmSandbox], None],
    ) -> None:
        self.is_ready = False
        """Its interpreter has started."""
        self.settled = asyncio.Event()
        """It is ready, dead, or taken before it was ready: nothing more is to be waited for."""
        self._on_death = on_death
        self._loop = asyncio.get_running_loop()
        # By name, for bubblewrap to find it; random, for others not to.
        self._path: Path | None = guard.folder / secrets.token_hex(16)
        with ExitStack() as opened:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
            opened.callback(os.close, self._file)
            opened.callback(self._forget_path)
            os.fchmod(self._file, 0o444)  # the umask may have taken something away
            self._told, theirs = socket.socketpair()
            opened.callback(self._told.close)
            with theirs:
                doorway = Doorway(str(self._path), theirs.fileno())
                self.process: SandboxProcess = opened.enter_context(
                    sandbox_process(machine, limits, guard, doorway)
                )
            self._told.settimeout(0)
            self._loop.add_reader(self._told, self._heard)
            opened.callback(self._loop.remove_reader, self._told)
            self._opened = opened.pop_all()

    def give(self, source: bytes) -> bool:
        """Hand the program over; False where the sandbox has ended meanwhile."""
        self._loop.remove_reader(self._told)
        self.settled.set()  # whoever waits for it would not hear that it is ready
        if self.process.popen.poll() is not None:
            return False
        try:
            with os.fdopen(os.dup(self._file), "wb") as file:
                file.write(source)
            self._told.send(b".")
        except OSError:
            return False
        return True

    def __enter__(self) -> SandboxProcess:
        """Return the sandbox, to be waited for inside the context."""
        return self.process

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give back what it held."""
        self._opened.close()

    def discard(self) -> None:
        """End it; no program comes any more."""
        with self as process:
            process.kill()
            process.popen.wait()
        self.settled.set()

    def _heard(self) -> None:
        try:
            is_there = bool(self._told.recv(1))
        except BlockingIOError:
            return
        except OSError:
            is_there = False
        if is_there:
            self.is_ready = True
            self._forget_path()
            self.settled.set()
        else:
            self._loop.remove_reader(self._told)
            self._on_death(self)

    def _forget_path(self) -> None:
        """Take the name off its file: from then on only the sandbox can read it."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None


class WarmSandboxes:
    """A bounded number of sandboxes that wait.

    Args:
        start: starts one; told what to call should it end by itself. May raise OSError.
        size: how many wait at most.
    """

    def __init__(
        self, start: Callable[[Callable[[WarmSandbox], None]], WarmSandbox], size: int
    ) -> None:
        self._start = start
        self._size = size
        self._waiting: list[WarmSandbox] = []

    def take(self, source: bytes) -> WarmSandbox | None:
        """Return one that has been given the program; None where none waits."""
        while self._waiting:
            # One that isn't ready yet is nearer to it than one that has not been started.
            ready = next((each for each in self._waiting if each.is_ready), self._waiting[0])
            self._waiting.remove(ready)
            if ready.give(source):
                return ready
            ready.discard()
        return None

    def refill(self) -> None:
        """Start what is missing; where that fails, programs start as they do without."""
        try:
            while len(self._waiting) < self._size:
                self._waiting.append(self._start(self._on_death))
        except OSError:
            self._size = 0

    async def until_ready(self) -> None:
        """Wait until all that were started are ready, have ended, or have got a program."""
        await asyncio.gather(*(each.settled.wait() for each in self._waiting))

    def close(self) -> None:
        """End all that wait, and start none any more."""
        self._size = 0
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.discard()

    def _on_death(self, dead: WarmSandbox) -> None:
        self._waiting.remove(dead)
        dead.discard()
        if not dead.is_ready:
            self._size = 0  # the next would end at once as well, and so on
        self.refill()
