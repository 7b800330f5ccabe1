"""One program in one sandbox: started, fed, watched, killed, and turned into a `Run`.

`sandbox` makes one for each program. Nothing of a job is on disk: source and filter are handed
over as anonymous files in memory, so that whatever dies, and however, leaves no file.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from agents.tools.sandbox_command import SandboxHandles, SandboxLimits, sandbox_command
from agents.tools.sandbox_discovery import SandboxMachine
from agents.tools.sandbox_usage import SandboxUsage, mebibytes, process_ids
from agents.tools.seccomp import filter_program
from cluster.kernel.errors import ClusterError
from cluster.kernel.tasks import Run

_TIMED_OUT = 124
_KILLED = 128 + signal.SIGKILL
_WATCH_INTERVAL_S = 0.05
_DEATH_S_MAX = 5.0
_REPORTS_BYTES_MAX = 4096
_ENDED = b'"exit-code"'
"""Stands in bubblewrap's reports once the program was started and has ended."""
_READ_BYTES = 64 * 1024
_USER_IDS = range(60_578, 61_184)
"""Given to nobody by Linux distributions, and there inside a container's usual 65,536. A random
one for each job, because the kernel counts some resources by user."""


@dataclass(frozen=True, slots=True)
class SandboxStart:
    """What a process has to be started with to be a sandbox."""

    command: list[str]
    handles: tuple[int, ...]
    """To be inherited; closed here when the context is left."""
    status: int
    """Where bubblewrap's reports are read; does not block."""


@contextmanager
def sandbox_start(
    machine: SandboxMachine, limits: SandboxLimits, source: bytes
) -> Iterator[SandboxStart]:
    """Open what a sandbox inherits, for as long as the context lasts."""
    with ExitStack() as opened:

        def keep(handle: int) -> int:
            opened.callback(os.close, handle)
            return handle

        program = keep(_in_memory(source))
        seccomp = keep(_in_memory(filter_program(machine.architecture)))
        status, status_end = (keep(handle) for handle in os.pipe())
        os.set_blocking(status, False)
        inherited = [program, seccomp, status_end]
        bubblewrap = None
        if machine.setpriv:
            bubblewrap = keep(os.open(machine.bubblewrap, os.O_RDONLY))
            inherited.append(bubblewrap)
        handles = SandboxHandles(program, seccomp, status_end, bubblewrap)
        command = sandbox_command(machine, limits, handles, secrets.choice(_USER_IDS))
        yield SandboxStart(command, tuple(inherited), status)


class SandboxJob:
    """One program's way through a sandbox; `run` once.

    Args:
        source: the program's text, UTF-8.
    """

    def __init__(self, machine: SandboxMachine, limits: SandboxLimits, source: bytes) -> None:
        self._machine = machine
        self._limits = limits
        self._source = source
        self._process: asyncio.subprocess.Process | None = None
        self._reports = b""
        """What bubblewrap wrote so far, a JSON object a line."""
        self._is_killed = False
        self._limit = ""
        """The limit it was killed for; empty where it was somebody's wish."""
        self._exit_code = _KILLED

    async def run(self, timeout_s: float) -> Run:
        """Run it to its end or to a limit.

        Raises:
            ClusterError: the sandbox could not be started, or not be ended.
        """
        limit = f"time limit of {round(timeout_s, 2):g} s"
        loop = asyncio.get_running_loop()
        timer = loop.call_later(timeout_s, self.kill, limit, _TIMED_OUT)
        try:
            async with asyncio.timeout(timeout_s + _DEATH_S_MAX):
                with sandbox_start(self._machine, self._limits, self._source) as start:
                    return await self._attend(start)
        except TimeoutError as error:
            raise ClusterError("a killed program in the sandbox did not end") from error
        except OSError as error:
            raise ClusterError(f"the sandbox could not be started: {error}") from error
        finally:
            timer.cancel()
            self.kill()

    def kill(self, limit: str = "", exit_code: int = _KILLED) -> None:
        """End it and everything it started, at once; of several reasons the first counts."""
        if not self._is_killed:
            self._is_killed, self._limit, self._exit_code = True, limit, exit_code
        if self._process is not None and self._process.returncode is None:
            # All of bubblewrap is in this group; the kernel ends the rest with its first process.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def _attend(self, start: SandboxStart) -> Run:
        clock = asyncio.get_running_loop().time
        started, foreign = clock(), process_ids()
        process = self._process = await asyncio.create_subprocess_exec(
            *start.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
            env={},
            pass_fds=start.handles,
            start_new_session=True,
        )
        if self._is_killed:
            self.kill()
        async with asyncio.TaskGroup() as group:
            stdout = group.create_task(self._collect("stdout", process.stdout))
            stderr = group.create_task(self._collect("stderr", process.stderr))
            watch = group.create_task(self._watch(start.status, foreign))
            exit_code = await process.wait()
            watch.cancel()
        self._read_reports(start.status)
        return self._outcome(exit_code, stdout.result(), stderr.result(), clock() - started)

    async def _collect(self, name: str, stream: asyncio.StreamReader | None) -> bytes:
        kept = bytearray()
        while stream and (piece := await stream.read(_READ_BYTES)):
            room = self._limits.output_bytes_max - len(kept)
            kept += piece[:room]
            if len(piece) > room:
                self.kill(f"limit of {self._limits.output_bytes_max} bytes of {name}")
        return bytes(kept)

    async def _watch(self, status: int, foreign: Iterable[int]) -> None:
        usage = None
        while True:
            await asyncio.sleep(_WATCH_INTERVAL_S)
            if usage is None:
                self._read_reports(status)
                report, is_whole, _ = self._reports.partition(b"\n")
                usage = SandboxUsage(json.loads(report)["child-pid"], foreign) if is_whole else None
            elif limit := usage.excess(self._limits):
                self.kill(limit)

    def _read_reports(self, status: int) -> None:
        with suppress(BlockingIOError):
            self._reports += os.read(status, _REPORTS_BYTES_MAX)

    def _outcome(self, exit_code: int, stdout: bytes, stderr: bytes, duration_s: float) -> Run:
        errors = stderr.decode(errors="replace")
        limit = ""
        if self._is_killed:
            exit_code, limit = self._exit_code, self._limit
        elif exit_code < 0:
            # The program signalled its own group, and bubblewrap is in it.
            exit_code = 128 - exit_code
        elif exit_code > 0 and _ENDED not in self._reports:
            raise ClusterError(f"the sandbox could not be started: {last_line(errors)}")
        elif exit_code == 128 + signal.SIGXCPU:
            exit_code, limit = _TIMED_OUT, f"limit of {self._limits.cpu_s_max} s of CPU time"
        elif last_line(errors).startswith("MemoryError"):
            limit = f"memory limit of {mebibytes(self._limits.memory_bytes_max)}"
        if limit:
            errors += "\n" * bool(errors and not errors.endswith("\n"))
            errors += f"sandbox: ended at the {limit}\n"
        return Run(exit_code, stdout.decode(errors="replace"), errors, duration_s)


def last_line(text: str) -> str:
    """Return the last line that is not blank; a full sentence where there is none."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def _in_memory(content: bytes) -> int:
    """Return a descriptor of an anonymous file, to be read from its start."""
    handle = os.memfd_create("sandbox")
    with os.fdopen(os.dup(handle), "wb") as file:
        file.write(content)
    os.lseek(handle, 0, os.SEEK_SET)
    return handle
