"""The sandbox that programs of the Coder run in: bubblewrap, with limits on everything.

`BubblewrapSandbox` implements the `Sandbox` port. A program sees an interpreter with its standard
library, a small /tmp and nothing else: no network, no home, no project, no secrets, no other
process. What it shares with the machine is the kernel, so this is no wall against its unknown
faults. Discovery, command, filter, watching and one program's life each have a module of their
own beside this one.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from agents.tools.sandbox_command import SandboxLimits
from agents.tools.sandbox_discovery import (
    SandboxMachine,
    discover,
    explain_refusal,
    namespace_switches,
)
from agents.tools.sandbox_job import SandboxJob, last_line, sandbox_start
from cluster.kernel.errors import ClusterError, DeadlinePassed, Overloaded, Stopped, TooLarge
from cluster.kernel.tasks import Run

__all__ = ["BubblewrapSandbox", "SandboxLimits"]

_SELF_TEST_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 5.0


class BubblewrapSandbox:
    """Runs untrusted Python programs, a bounded number at a time; code never runs outside it.

    Args:
        limits: what one program may use.
        running_max: programs at once; more wait, as long as their time lasts.
        waiting_max: programs waiting; more are refused.
        find: looks at the machine; raises ClusterError where something is missing.
    """

    def __init__(
        self,
        limits: SandboxLimits | None = None,
        *,
        running_max: int = 4,
        waiting_max: int = 64,
        find: Callable[[], SandboxMachine] = discover,
    ) -> None:
        self._limits = limits or SandboxLimits()
        self._slots = asyncio.Semaphore(running_max)
        self._waiting_max = waiting_max
        self._waiting = 0
        self._find = find
        self._jobs: dict[asyncio.Task[Run], SandboxJob] = {}
        self._machine: SandboxMachine | None = None
        self._refusal: str | None = None
        """Why programs can't run; None until the self-test."""
        self._is_closed = False

    @property
    def unavailable_because(self) -> str:
        """Why nothing can be run here and how to change it; empty where programs can run.

        The first look runs the self-test, which blocks for some ten milliseconds.
        """
        if self._refusal is None:
            self._refusal = self._test_oneself()
        return self._refusal

    async def run(self, source: str, timeout_s: float) -> Run:
        """Run one Python program; waiting for its turn counts as its time.

        A program that meets a limit ends with exit code 124 (time) or 137 (anything else), and the
        last line of its stderr names the limit. Cancelling kills it at once.

        Raises:
            DeadlinePassed: its turn did not come in time.
            Overloaded: too many programs are waiting.
            TooLarge: the source is over its limit.
            Stopped: the sandbox was closed.
            ClusterError: programs can't be run here, or this sandbox could not be started.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        if self.unavailable_because or self._machine is None:
            raise ClusterError(self.unavailable_because)
        # Lone surrogates pass, so that Python refuses them as any other bad source.
        content = source.encode(errors="surrogatepass")
        if len(content) > self._limits.source_bytes_max:
            raise TooLarge(
                f"a program of {len(content)} bytes is over the sandbox's limit of "
                f"{self._limits.source_bytes_max}; let it be written shorter"
            )
        async with self._slot(deadline):
            job = SandboxJob(self._machine, self._limits, content)
            run = await self._attend(job, deadline - asyncio.get_running_loop().time())
        if self._is_closed:
            raise Stopped("the sandbox was closed while the program ran")
        return run

    async def close(self) -> None:
        """Kill what still runs and wait until it is gone; nothing can be run afterwards."""
        self._is_closed = True
        for job in self._jobs.values():
            job.kill()
        if self._jobs:
            await asyncio.wait(self._jobs, timeout=_CLOSE_TIMEOUT_S)

    @asynccontextmanager
    async def _slot(self, deadline: float) -> AsyncIterator[None]:
        if self._waiting >= self._waiting_max:
            raise Overloaded(f"{self._waiting} programs already wait for the sandbox")
        self._waiting += 1
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError as error:
            raise DeadlinePassed("the sandbox was busy for all of the program's time") from error
        finally:
            self._waiting -= 1
        try:
            if self._is_closed:
                raise Stopped("the sandbox is closed")
            yield
        finally:
            self._slots.release()

    async def _attend(self, job: SandboxJob, timeout_s: float) -> Run:
        # A task of its own: cancelling the caller must not cut short the start of a sandbox, which
        # could leave one behind that nobody knows.
        task = asyncio.create_task(job.run(timeout_s), name="sandbox")
        self._jobs[task] = job
        task.add_done_callback(self._jobs.pop)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            job.kill()
            await asyncio.wait({task})
            raise

    def _test_oneself(self) -> str:
        try:
            machine = self._find()
        except ClusterError as error:
            return str(error)
        complaint = _complaint(machine, self._limits)
        if complaint:
            return explain_refusal(complaint, namespace_switches())
        self._machine = machine
        return ""


def _complaint(machine: SandboxMachine, limits: SandboxLimits) -> str:
    """Run ``print(1)`` as any program is run; return what went wrong."""
    with sandbox_start(machine, limits, b"print(1)") as start:
        try:
            test = subprocess.run(
                start.command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                cwd="/",
                env={},
                pass_fds=start.handles,
                start_new_session=True,
                timeout=_SELF_TEST_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
    if test.returncode == 0 and test.stdout == b"1\n":
        return ""
    return last_line(test.stderr.decode(errors="replace"))
