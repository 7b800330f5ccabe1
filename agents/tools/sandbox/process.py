"""A sandbox as a process of the operating system: started, read, killed, awaited.

`job` lives on it, and the self-test of `bubblewrap`. Not asyncio's subprocesses: cancelling
the start of one kills bubblewrap's first process alone, and the second, not yet tied to the first,
stays for ever. Here nothing is awaited before all of it can be killed.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import IO

from agents.tools.sandbox.command import Doorway, SandboxHandles, sandbox_command
from agents.tools.sandbox.guard import SandboxGuard, guarded
from agents.tools.sandbox.machine import SandboxMachine
from agents.tools.sandbox.seccomp import filter_program
from agents.tools.sandbox.usage import process_ids
from cluster.kernel.sections import SandboxSettings

_USER_IDS = range(60_578, 61_184)
"""Given to nobody by Linux distributions, and there inside a container's usual 65,536. A random
one for each sandbox, because the kernel counts some resources by user."""
_READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class SandboxProcess:
    """A started sandbox."""

    popen: subprocess.Popen[bytes]
    status: int
    """Where bubblewrap's reports are read, a JSON object a line; does not block."""
    foreign: frozenset[int]
    """Processes that were there before it."""

    def kill(self) -> None:
        """End it and everything in it, at once, unless it has ended."""
        if self.popen.returncode is None:
            # All of bubblewrap is in this group; the kernel ends the rest with its first process.
            with suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)

    async def ended(self) -> int:
        """Wait for its end and return its exit code, negative for the signal that ended it."""
        loop = asyncio.get_running_loop()
        end = asyncio.Event()
        handle = os.pidfd_open(self.popen.pid)
        loop.add_reader(handle, end.set)
        try:
            await end.wait()
        finally:
            loop.remove_reader(handle)
            os.close(handle)
        return self.popen.wait()


class SandboxOutput:
    """Collects one output of a sandbox up to a number of bytes, and throws away the rest.

    Args:
        on_excess: called with each piece that goes over.
    """

    def __init__(
        self, stream: IO[bytes] | None, bytes_max: int, on_excess: Callable[[], None]
    ) -> None:
        assert stream is not None
        self._handle = stream.fileno()
        self._bytes_max = bytes_max
        self._on_excess = on_excess
        self._loop = asyncio.get_running_loop()
        self.kept = bytearray()
        self.ended = asyncio.Event()
        os.set_blocking(self._handle, False)
        self._loop.add_reader(self._handle, self._read)

    def close(self) -> None:
        """Stop collecting."""
        self._loop.remove_reader(self._handle)
        self.ended.set()

    def _read(self) -> None:
        try:
            piece = os.read(self._handle, _READ_BYTES)
        except BlockingIOError:
            return
        if not piece:
            self.close()
            return
        room = self._bytes_max - len(self.kept)
        self.kept += piece[:room]
        if len(piece) > room:
            self._on_excess()


@contextmanager
def sandbox_process(
    machine: SandboxMachine, limits: SandboxSettings, guard: SandboxGuard, source: bytes | Doorway
) -> Iterator[SandboxProcess]:
    """Start a sandbox, with its program or without; it has to be waited for inside the context.

    Source and filter are handed over as anonymous files in memory: whatever dies, and however,
    leaves no file. The file of a doorway is its maker's.

    Raises:
        OSError: it could not be started.
    """
    with ExitStack() as opened:

        def keep(handle: int) -> int:
            opened.callback(os.close, handle)
            return handle

        program = source if isinstance(source, Doorway) else keep(_in_memory(source))
        seccomp = keep(_in_memory(filter_program(machine.architecture)))
        status, status_end = map(keep, os.pipe())
        os.set_blocking(status, False)
        told = program.handle if isinstance(program, Doorway) else program
        inherited = [told, seccomp, status_end]
        bubblewrap = None
        if machine.setpriv:
            bubblewrap = keep(os.open(machine.bubblewrap, os.O_RDONLY))
            inherited.append(bubblewrap)
        handles = SandboxHandles(program, seccomp, status_end, bubblewrap)
        foreign = frozenset(process_ids())
        popen = subprocess.Popen(
            guarded(sandbox_command(machine, limits, handles, secrets.choice(_USER_IDS))),
            stdin=guard.handle,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd="/",
            env={},
            pass_fds=inherited,
            start_new_session=True,
        )
        for stream in (popen.stdout, popen.stderr):
            if stream is not None:
                opened.callback(stream.close)
        opened.callback(guard.release, popen.pid)
        yield SandboxProcess(popen, status, foreign)


def _in_memory(content: bytes) -> int:
    """Return a descriptor of an anonymous file, to be read from its start."""
    handle = os.memfd_create("sandbox")
    with os.fdopen(os.dup(handle), "wb") as file:
        file.write(content)
    os.lseek(handle, 0, os.SEEK_SET)
    return handle
