"""The sides of the group `tail`: clusters of ours and rivals, each before its own model server.

Used by `benchmarks.bench_tail`. A side does its tasks eight at once; the model servers play the
same slow calls to all of them (see `benchmarks.slow_calls`), as each side begins with task 0.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.model_server_process import ModelServerProcess
from benchmarks.peers.report_job import GOAL, at_once
from benchmarks.plain_cluster import PlainCluster, descendants
from benchmarks.report_parts import FACTORY
from benchmarks.report_rivals import Rival, running
from benchmarks.tail_figures import Tail
from cluster.kernel.events import Answered
from cluster.kernel.ids import AgentId
from cluster.kernel.sections import ModelSettings
from cluster.kernel.tail.endpoint_speed import EndpointSpeed
from cluster.memory.endpoint_speeds import StoredSpeeds
from cluster.runtime.driver.driver import Driver
from cluster.settings.values import PartsSettings, Settings

WORKLOAD = "report"
AT_ONCE = 8
TTFT_S, TOKENS_PER_S = 0.03, 500.0
"""Ten times the speed of the group `report`."""
SERVER = ("--slow-share", "0.01", "--tokens-per-event", "5")
CONCURRENCY = {"researcher": 64, "coder": 64}
"""Steps at once: eight tasks have 24 for one Researcher, more than it takes by itself."""
COLLECTION = "report"
"""The bench's own knowledge has something on everything."""
DEADLINE_S = 120.0
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass
class Side:
    """Somebody who does tasks when told to."""

    name: str
    server: ModelServerProcess
    do: Callable[[int], Awaitable[list[float]]]
    """Does so many tasks; returns the seconds of each."""
    processes: Sequence[int]
    """Its own, without the model server's."""
    version: str = ""
    how: str = ""
    _walls_s: list[float] = field(default_factory=list)
    _cpu_s: float = 0.0
    _before: dict[str, int] = field(default_factory=dict)

    async def warm_up(self, count: int) -> None:
        """Do tasks that don't count: imports, connections, and what is learned."""
        await self.do(count)
        self._before = self.server.counts()

    async def measure(self, count: int) -> None:
        """Do tasks that count."""
        cpu_s = self._used_cpu_s()
        self._walls_s += await self.do(count)
        self._cpu_s += self._used_cpu_s() - cpu_s

    def tail(self, how: str = "") -> Tail:
        """Return what its tasks came to."""
        now, before = self.server.counts(), self._before
        return Tail(
            self.name,
            self._walls_s,
            requests=now["requests"] - before["requests"],
            slow=now["slow"] - before["slow"],
            cpu_s=self._cpu_s,
            version=self.version,
            how=how or self.how,
        )

    def _used_cpu_s(self) -> float:
        """Return what it has used; what runs here for it, a driver or a sandbox, included."""
        here = os.times()
        own_s = here.user + here.system + here.children_user + here.children_system
        return own_s + sum(_cpu_s(pid) for pid in self.processes)


@dataclass
class OurSide:
    """A side that is a cluster of ours, whose agents can be asked what they have learned."""

    side: Side
    cluster: PlainCluster

    async def learned(self) -> str:
        """Stop the agents; return how long each knows to wait before it asks a second time."""
        self.cluster.stop()
        name = f"{self.side.server.base_url} {_uri()}"
        known = []
        async with self.cluster.store() as store:
            for agent in map(AgentId, self.cluster.agents):
                speed = EndpointSpeed()
                await StoredSpeeds(store, agent, [agent]).load({name: speed})
                late_s = speed.first_within_s(0.93)
                wait = "too few" if late_s is None else f"p93 {late_s * 1000:.0f} ms"
                known.append(f"{agent} {wait} of n={speed.first_s.count}")
        return f"first tokens known: {', '.join(known)}"


@contextlib.asynccontextmanager
async def our_side(name: str, folder: Path, *, hedges: bool) -> AsyncIterator[OurSide]:
    """Start a cluster of plain processes with one driver."""
    settings = replace(Settings(), parts=PartsSettings(FACTORY))
    with _server(folder) as server:
        before = descendants(os.getpid())
        model = ModelSettings(uri=_uri(), base_url=server.base_url, hedge=hedges)
        cluster = PlainCluster(folder, model, settings=settings, concurrency=CONCURRENCY)
        with cluster:
            processes = sorted(descendants(os.getpid()).keys() - before.keys())
            async with cluster.driver() as driver:

                async def do(count: int) -> list[float]:
                    return await at_once(lambda: _wall_s(driver), count, AT_ONCE)

                yield OurSide(Side(name, server, do, processes), cluster)


@contextlib.asynccontextmanager
async def rivals_side(rival: Rival, folder: Path, sandbox: Path) -> AsyncIterator[Side]:
    """Start a rival's program.

    Raises:
        PeerFailed: it does not come up.
    """
    with _server(folder) as server:
        before = descendants(os.getpid())
        async with running(rival, server.base_url, str(sandbox)) as program:
            processes = sorted(descendants(os.getpid()).keys() - before.keys())

            async def do(count: int) -> list[float]:
                return await program.jobs_s(WORKLOAD, count, AT_ONCE)

            yield Side(rival.name, server, do, processes, program.version, program.how)


async def _wall_s(driver: Driver) -> float:
    started = time.perf_counter()
    task = await driver.submit(GOAL, collection=COLLECTION, timeout_s=DEADLINE_S)
    *_, end = [event async for event in task]
    assert isinstance(end.detail, Answered), end
    return time.perf_counter() - started


@contextlib.contextmanager
def _server(folder: Path) -> Iterator[ModelServerProcess]:
    folder.mkdir()
    with ModelServerProcess(folder, TTFT_S, TOKENS_PER_S, arguments=SERVER) as server:
        yield server


def _uri() -> str:
    return f"openai:{WORKLOAD}"


def _cpu_s(pid: int) -> float:
    """Return the time that a process and those children that it has waited for have used."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0.0
    return sum(map(int, stat.rpartition(")")[2].split()[11:15])) / _TICKS_A_SECOND
