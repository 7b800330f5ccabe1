"""The sandbox that programs of the Coder run in: bubblewrap, with limits on everything.

`BubblewrapSandbox` implements the `Sandbox` port. A program sees an interpreter with its standard
library, the libraries of an environment where the settings name one, a small /tmp and nothing else:
no network, no home, no project, no secrets, no other process. What it shares with the machine is
the kernel, so this is no wall against its unknown faults. Discovery, libraries, command, filter,
watching and one program's life each have a module of their own beside this one.
"""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import replace

from agents.tools.ports import Sandbox
from agents.tools.sandbox.discovery import (
    discover,
    explain_refusal,
    namespace_switches,
)
from agents.tools.sandbox.guard import SandboxGuard
from agents.tools.sandbox.job import SandboxJob, last_line
from agents.tools.sandbox.libraries import SandboxLibraries, find_libraries
from agents.tools.sandbox.machine import SandboxMachine
from agents.tools.sandbox.process import sandbox_process
from agents.tools.sandbox.warm import WarmSandbox, WarmSandboxes
from cluster.kernel.errors import (
    ClusterError,
    DeadlinePassed,
    Overloaded,
    Stopped,
    TooLarge,
    UsageError,
)
from cluster.kernel.sections import SandboxSettings
from cluster.kernel.vocabulary import Run

SANDBOX_MEMORY_MIN = 64 * 1024 * 1024
_SELF_TEST_TIMEOUT_S = 10.0
_OVERLOADED = (
    "programs are not run here just now because the sandbox had not started after "
    f"{_SELF_TEST_TIMEOUT_S:g} s; the machine may be overloaded"
)
_CLOSE_TIMEOUT_S = 5.0


class BubblewrapSandbox:
    """Runs untrusted Python programs, a bounded number at a time; code never runs outside it.

    Args:
        limits: what one program may use.
        running_max: programs at once; more wait, as long as their time lasts.
        waiting_max: programs waiting; more are refused.
        warm_max: sandboxes that are kept started for programs to come; 0 starts each with its own.
        libraries: an environment that programs run in; without it, the standard library only.
        find: looks at the machine; raises ClusterError where something is missing.
    """

    def __init__(
        self,
        limits: SandboxSettings | None = None,
        *,
        running_max: int = 4,
        waiting_max: int = 64,
        warm_max: int = 1,
        libraries: SandboxLibraries | None = None,
        find: Callable[[], SandboxMachine] = discover,
    ) -> None:
        self._limits = limits or SandboxSettings()
        self._slots = asyncio.Semaphore(running_max)
        self._running_max = running_max
        self._waiting_max = waiting_max
        self._waiting = 0
        self._libraries = libraries
        self._find = find
        self._jobs: set[SandboxJob] = set()
        self._machine: SandboxMachine | None = None
        self._guard: SandboxGuard | None = None
        """Like the machine, None until the self-test has passed."""
        self._refusal: str | None = None
        """Why programs can't run; None until the self-test."""
        self._testing = threading.Lock()
        self._warm = WarmSandboxes(self._start_warm, warm_max)
        self._is_closed = False

    @property
    def unavailable_because(self) -> str:
        """Why nothing can be run here and how to change it; empty where programs can run.

        The first look runs the self-test, which blocks for some ten milliseconds, or waits for one
        that is under way: so it is for a thread. One that took too long is made again with the next
        look, for a machine is not overloaded for ever.
        """
        if self._refusal is None:
            with self._testing:
                if self._refusal is None:
                    try:
                        self._refusal = self._test_oneself()
                    except subprocess.TimeoutExpired:
                        return _OVERLOADED
        return self._refusal

    @property
    def libraries(self) -> tuple[str, ...]:
        """What programs can import beside the standard library."""
        return self._libraries.names if self._libraries is not None else ()

    async def warm(self) -> None:
        """Have a sandbox started for the next program, and wait until it is ready."""
        if not await asyncio.to_thread(lambda: self.unavailable_because) and not self._is_closed:
            self._warm.refill()
            await self._warm.until_ready()

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
        if self._is_closed:
            raise Stopped("the sandbox is closed")
        if self.unavailable_because or self._machine is None or self._guard is None:
            raise ClusterError(self.unavailable_because)
        # Lone surrogates pass, so that Python refuses them as any other bad source.
        content = source.encode(errors="surrogatepass")
        if len(content) > self._limits.source_bytes_max:
            raise TooLarge(
                f"a program of {len(content)} bytes is over the sandbox's limit of "
                f"{self._limits.source_bytes_max}; let it be written shorter"
            )
        async with self._slot(deadline):
            sandbox = self._warm.take(content) or sandbox_process(
                self._machine, self._limits, self._guard, content
            )
            job = SandboxJob(self._limits, sandbox)
            self._jobs.add(job)
            try:
                left_s = deadline - asyncio.get_running_loop().time()
                run = await job.run(left_s, timeout_s)
            finally:
                self._jobs.remove(job)
                # Not before: on two cores it would take the program's time. Nor now, when somebody
                # waits for its result, for to start one takes some milliseconds.
                asyncio.get_running_loop().call_soon(self._warm.refill)
        if self._is_closed:
            raise Stopped("the sandbox was closed while the program ran")
        return run

    async def close(self) -> None:
        """Kill what still runs and wait until it is gone; nothing can be run afterwards."""
        if self._is_closed:
            return
        self._is_closed = True
        for job in self._jobs:
            job.kill()
        self._warm.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                for _ in range(self._running_max):
                    await self._slots.acquire()
        if self._guard is not None:
            self._guard.close()
            self._guard = None

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
                raise Stopped("the sandbox was closed while the program waited for its turn")
            yield
        finally:
            self._slots.release()

    def _start_warm(self, on_death: Callable[[WarmSandbox], None]) -> WarmSandbox:
        assert self._machine is not None
        assert self._guard is not None
        return WarmSandbox(self._machine, self._limits, self._guard, on_death)

    def _test_oneself(self) -> str:
        try:
            machine = self._find()
        except ClusterError as error:
            return str(error)
        if self._libraries is not None:
            python, shown = self._libraries.python, self._libraries.shown
            machine = replace(machine, python=python, libraries=shown)
        guard = SandboxGuard()
        with ExitStack() as opened:
            opened.callback(guard.close)
            complaint = _complaint(machine, self._limits, guard)
            if complaint:
                return explain_refusal(complaint, namespace_switches())
            opened.pop_all()
        self._machine, self._guard = machine, guard
        return ""


def _complaint(machine: SandboxMachine, limits: SandboxSettings, guard: SandboxGuard) -> str:
    """Run ``print(1)`` as any program is run; return what went wrong.

    Raises:
        TimeoutExpired: it took too long.
    """
    try:
        with sandbox_process(machine, limits, guard, b"print(1)") as process:
            try:
                stdout, stderr = process.popen.communicate(timeout=_SELF_TEST_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.popen.wait()
                raise
    except OSError as error:
        return str(error)
    is_sound = process.popen.returncode == 0 and stdout == b"1\n"
    return "" if is_sound else last_line(stderr.decode(errors="replace"))


class NoSandbox:
    """The sandbox of a cluster whose settings forbid running programs."""

    @property
    def unavailable_because(self) -> str:
        """Why nothing is run, and how to change it."""
        return "running programs is switched off: set enabled = true in [sandbox] of fleet.toml"

    @property
    def libraries(self) -> tuple[str, ...]:
        """None."""
        return ()

    async def warm(self) -> None:
        """Do nothing: nothing will be run."""

    async def run(self, source: str, timeout_s: float) -> Run:  # noqa: ARG002 - the port
        """Refuse."""
        raise UsageError(self.unavailable_because)

    async def close(self) -> None:
        """Do nothing: nothing was started."""


def build_sandbox(settings: SandboxSettings) -> Sandbox:
    """Return the sandbox with the limits of the settings, or one that runs nothing.

    Raises:
        UsageError: its limits or its environment will not do.
    """
    if not settings.enabled:
        return NoSandbox()
    if settings.memory_bytes_max < SANDBOX_MEMORY_MIN:
        raise UsageError(
            f"[sandbox] memory_bytes_max is {settings.memory_bytes_max}: Python does not start"
            f" with less than {SANDBOX_MEMORY_MIN}"
        )
    libraries = find_libraries(settings.python) if settings.python else None
    return BubblewrapSandbox(settings, libraries=libraries, warm_max=int(settings.warm))
