"""One program in one sandbox: started, watched, killed, and turned into a `Run`.

`bubblewrap` makes one for each program; `process` is the sandbox itself, which may have waited for
its program (`warm`).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import AbstractContextManager, suppress
from typing import IO

from agents.tools.sandbox.process import SandboxOutput, SandboxProcess
from agents.tools.sandbox.usage import SandboxUsage, mebibytes
from cluster.kernel.errors import ClusterError
from cluster.kernel.sections import SandboxSettings
from cluster.kernel.vocabulary import Run

_TIMED_OUT = 124
_KILLED = 128 + signal.SIGKILL
_WATCH_INTERVAL_S = 0.05
_DEATH_S_MAX = 5.0
_REPORTS_BYTES_MAX = 4096
_ENDED = b'"exit-code"'
"""Stands in bubblewrap's reports once the program was started and has ended."""


class SandboxJob:
    """One program's way through a sandbox; `run` once.

    Args:
        limits: what it may use.
        sandbox: starts it, or is one that has its program already; ends with the context.
    """

    def __init__(
        self, limits: SandboxSettings, sandbox: AbstractContextManager[SandboxProcess]
    ) -> None:
        self._limits = limits
        self._sandbox = sandbox
        self._process: SandboxProcess | None = None
        self._reports = b""
        """What bubblewrap wrote so far, a JSON object a line."""
        self._is_killed = False
        self._limit = ""
        """The limit it was killed for; empty where it was somebody's wish."""
        self._exit_code = _KILLED

    async def run(self, left_s: float, timeout_s: float) -> Run:
        """Run it to its end or to a limit.

        Args:
            left_s: of the time that it was given, as it starts.
            timeout_s: all of that time: what its user knows of.

        Raises:
            ClusterError: the sandbox could not be started, or not be ended.
        """
        limit = f"time limit of {round(timeout_s, 2):g} s"
        timer = asyncio.get_running_loop().call_later(left_s, self.kill, limit, _TIMED_OUT)
        try:
            async with asyncio.timeout(left_s + _DEATH_S_MAX):
                return await self._attend()
        except TimeoutError as error:
            raise ClusterError("a killed program in the sandbox did not end") from error
        except OSError as error:
            raise ClusterError(f"the sandbox could not be started: {error}") from error
        finally:
            timer.cancel()

    def kill(self, limit: str = "", exit_code: int = _KILLED) -> None:
        """End it and everything it started, at once; of several reasons the first counts."""
        if not self._is_killed:
            self._is_killed, self._limit, self._exit_code = True, limit, exit_code
        if self._process is not None:
            self._process.kill()

    async def _attend(self) -> Run:
        clock = asyncio.get_running_loop().time
        started = clock()
        with self._sandbox as process:
            self._process = process
            if self._is_killed:
                process.kill()
            stdout = self._output("stdout", process.popen.stdout)
            stderr = self._output("stderr", process.popen.stderr)
            try:
                async with asyncio.TaskGroup() as group:
                    watch = group.create_task(self._watch(process.status, process.foreign))
                    exit_code = await process.ended()
                    await stdout.ended.wait()
                    await stderr.ended.wait()
                    watch.cancel()
            finally:
                stdout.close()
                stderr.close()
                if process.popen.returncode is None:
                    process.kill()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_DEATH_S_MAX):
                            await process.ended()
            self._read_reports(process.status)
        return self._outcome(exit_code, stdout.kept, stderr.kept, clock() - started)

    def _output(self, name: str, stream: IO[bytes] | None) -> SandboxOutput:
        bytes_max = self._limits.output_bytes_max
        limit = f"limit of {bytes_max} bytes of {name}"
        return SandboxOutput(stream, bytes_max, lambda: self.kill(limit))

    async def _watch(self, status: int, foreign: frozenset[int]) -> None:
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

    def _outcome(
        self, exit_code: int, stdout: bytearray, stderr: bytearray, duration_s: float
    ) -> Run:
        errors = stderr.decode(errors="replace")
        limit = ""
        if self._is_killed:
            exit_code, limit = self._exit_code, self._limit
        elif exit_code < 0 and self._reports:
            # The program signalled its own group, and bubblewrap is in it.
            exit_code = 128 - exit_code
        elif exit_code != 0 and _ENDED not in self._reports:
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
