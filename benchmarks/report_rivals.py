"""The rivals on 'report' and 'uneven': each a program that does a job when it is told to.

The programs are in `benchmarks.peers`; what is written by hand runs under our own interpreter, the
frameworks under those that `make bench-peers` sets up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peer_process import FOLDER, PeerFailed
from benchmarks.workloads import WORKLOADS

START_TIMEOUT_S = 60.0
JOB_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 10.0
LINE_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Rival:
    """A program of `benchmarks.peers` that does the jobs."""

    name: str
    """As in the figures' names."""
    program: str
    environment: str = ""
    """Of `make bench-peers`; empty for our own interpreter."""

    @property
    def interpreter(self) -> Path:
        """Python with all that the program imports."""
        if not self.environment:
            return Path(sys.executable)
        return FOLDER / self.environment / "bin" / "python"

    @property
    def is_installed(self) -> bool:
        """Whether there is one."""
        return not self.environment or (FOLDER / self.environment / "ready").exists()


PLAIN = Rival("plain_asyncio", "plain_report")
STREAMED = Rival("hand_streamed", "streamed_report")
FRAMEWORKS = (
    Rival("langgraph", "langgraph_report", "langgraph"),
    Rival("llamaindex", "llamaindex_report", "llamaindex"),
    Rival("openai_agents", "openai_agents_report", "openai_agents"),
    Rival("autogen", "autogen_report", "autogen"),
)


class RunningRival:
    """A rival's program."""

    def __init__(self, rival: Rival, process: Process) -> None:
        self.rival = rival
        self.version = ""
        self.how = ""
        self._process = process

    async def read_about(self) -> None:
        """Wait until it is up, and note what it says of itself."""
        about = json.loads(await self.line(START_TIMEOUT_S))
        self.version, self.how = about["version"], about["how"]

    async def job_s(self, workload: str) -> float:
        """Return the seconds that a job took it.

        Raises:
            PeerFailed: it came to another answer than the model gave, or to none.
        """
        (taken,) = await self.jobs_s(workload, 1, 1)
        return taken

    async def jobs_s(self, workload: str, count: int, width: int) -> list[float]:
        """Return the seconds of each of so many jobs, so many of them beside each other.

        Raises:
            PeerFailed: it came to another answer than the model gave, or to none.
        """
        timeout_s = JOB_TIMEOUT_S * math.ceil(count / width)
        done = json.loads(await self.told(f"{workload} {count} {width}", timeout_s))
        if done["answers"] != [WORKLOADS[workload]["manager"]["answer"].text]:
            raise PeerFailed(f"{self.rival.name} has answered something else")
        return list(map(float, done["seconds"]))

    async def told(self, line: str, timeout_s: float) -> bytes:
        """Tell it something; return the line that it answers."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        return await self.line(timeout_s)

    async def line(self, timeout_s: float) -> bytes:
        """Return the next line that it says."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise PeerFailed(f"{self.rival.name} said nothing for {timeout_s:g} s") from None
        if not line:
            raise PeerFailed(f"{self.rival.name} ended too early")
        return line


@contextlib.asynccontextmanager
async def running(rival: Rival, *arguments: str) -> AsyncIterator[RunningRival]:
    """Start a rival's program with its arguments, and end it.

    Raises:
        PeerFailed: it does not come up.
    """
    process = await asyncio.create_subprocess_exec(
        rival.interpreter,
        *("-m", f"benchmarks.peers.{rival.program}", *arguments),
        stdin=PIPE,
        stdout=PIPE,
        limit=LINE_BYTES_MAX,
    )
    try:
        started = RunningRival(rival, process)
        await started.read_about()
        yield started
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def start_all(
    stack: contextlib.AsyncExitStack, rivals: Sequence[Rival], *arguments: str
) -> tuple[list[RunningRival], dict[str, str]]:
    """Start the rivals that can be; return beside them why the others can't, by name."""
    started: list[RunningRival] = []
    missing: dict[str, str] = {}
    for rival in rivals:
        if not rival.is_installed:
            missing[rival.name] = "make bench-peers"
            continue
        try:
            started.append(await stack.enter_async_context(running(rival, *arguments)))
        except PeerFailed as error:
            missing[rival.name] = str(error)
    return started, missing
