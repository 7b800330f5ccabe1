"""Overload: what a cluster does when more tasks come than it can carry.

A plain-host cluster whose Manager takes a bounded number of tasks, before the model server. The
sustainable rate is measured first; then tasks come on a schedule of their own (open loop: nobody
waits for the cluster before sending the next one, and times count from the schedule) at one, two
and five times that rate, and at half of it after the burst.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from benchmarks.harness import Figure, Goal, judged, sample_figure
from benchmarks.model_server_process import ModelServerProcess
from benchmarks.plain_cluster import PlainCluster
from cluster.kernel.errors import Overloaded
from cluster.kernel.events import Event, Failed
from cluster.kernel.sections import ModelSettings
from cluster.runtime.driver.driver import Driver

GOAL = "Find out about 42."
TASKS_MAX = 16
"""Tasks that the Manager takes at once."""
TTFT_S = 0.3
TOKENS_PER_S = 50.0
DEADLINE_S = 20.0
SETTLE_S = 4.0
"""Twice what a task takes: until then a stretch of load is not yet what it will be."""
RECOVERY_S = 15.0
SLOW_FACTOR = 2.0
"""A task is slow that takes so many times the median of an unhurried one."""
REFUSED, LOST = "refused", "lost"
FACTORS = (1.0, 2.0, 5.0)
GOODPUT_SHARE = 0.8
RECOVERED_S = 10.0
_PLAN = {"steps": [{"id": "r1", "agent": "researcher", "instruction": GOAL, "needs": []}]}
SCRIPT = {
    "manager": {
        "plan": {"text": json.dumps(_PLAN), "tokens": 20},
        "answer": {"text": "It is 42, as was found out.", "tokens": 10},
    },
    "researcher": {"*": {"text": "The answer to it all is known to be 42.", "tokens": 20}},
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one task of the load went; times in seconds of the loop's clock."""

    due: float
    ended: float
    kind: str
    """Its terminal event, or ``refused``, or ``lost``: no event within the deadline and after."""
    retry_after_s: float = 0.0

    @property
    def taken_s(self) -> float:
        """From the moment it was due, whenever it was sent."""
        return self.ended - self.due


@dataclass
class Load:
    """One stretch of load at a rate."""

    rate: float
    """Tasks a second."""
    seconds: float
    began: float
    """On the loop's clock."""
    sent: list[asyncio.Task[Outcome]] = field(default_factory=list)

    @property
    def outcomes(self) -> list[Outcome]:
        """Return how its tasks went, all of which must have ended."""
        return [task.result() for task in self.sent]

    async def ended(self) -> None:
        """Wait for the end of its last task."""
        await asyncio.gather(*self.sent)

    def of(self, kind: str) -> list[Outcome]:
        """Return the outcomes of a kind."""
        return [outcome for outcome in self.outcomes if outcome.kind == kind]

    @property
    def goodput(self) -> float:
        """Return the tasks answered a second, once it has settled."""
        begin, end = self.began + SETTLE_S, self.began + self.seconds
        return sum(begin <= each.ended < end for each in self.of("answered")) / (end - begin)

    @property
    def counts(self) -> str:
        """Return how many ended how."""
        kinds = Counter(outcome.kind for outcome in self.outcomes)
        return ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))


async def one_task(driver: Driver, due: float) -> Outcome:
    """Submit a task that is due and follow it to its end."""
    now = asyncio.get_running_loop().time
    ending: Event | None = None
    try:
        async with asyncio.timeout(2 * DEADLINE_S):
            task = await driver.submit(GOAL, collection="", timeout_s=DEADLINE_S)
            async for event in task:
                ending = event
    except TimeoutError:
        return Outcome(due, now(), LOST)
    assert ending is not None
    detail = ending.detail
    if isinstance(detail, Failed) and detail.failure.kind == Overloaded.kind:
        return Outcome(due, now(), REFUSED, detail.failure.retry_after_s)
    return Outcome(due, now(), ending.kind)


async def open_loop(driver: Driver, rate: float, seconds: float, seed: int) -> Load:
    """Send tasks at the moments of a Poisson process, whatever became of the earlier ones.

    Returns when the last one has been sent.
    """
    loop = asyncio.get_running_loop()
    rng = random.Random(seed)
    load = Load(rate, seconds, began=loop.time())
    due = load.began
    while (due := due + rng.expovariate(rate)) < load.began + seconds:
        await asyncio.sleep(max(0.0, due - loop.time()))
        load.sent.append(asyncio.ensure_future(one_task(driver, due)))
    return load


async def peak_rate(driver: Driver, seconds: float) -> tuple[float, float]:
    """Return answered tasks a second with as many at once as are taken, and a task's seconds."""
    loop = asyncio.get_running_loop()
    taken: list[float] = []
    begins_at = loop.time() + SETTLE_S
    ends_at = begins_at + seconds

    async def work() -> None:
        while loop.time() < ends_at:
            outcome = await one_task(driver, loop.time())
            if outcome.kind == "answered" and begins_at <= loop.time() < ends_at:
                taken.append(outcome.taken_s)

    async with asyncio.TaskGroup() as group:
        for _ in range(TASKS_MAX):
            group.create_task(work())
    return len(taken) / seconds, statistics.median(taken)


@dataclass
class Measured:
    """All that one run of the benchmark saw."""

    peak: float
    task_s: float
    loads: dict[float, Load]
    """By how many times the peak rate."""
    after: Load
    """At half of the peak rate, right after the burst."""
    rss: dict[str, list[float]]
    """MiB of each host before, after each load, and after the burst."""


async def measure(cluster: PlainCluster, seconds: float) -> Measured:
    """Find the peak, overload the cluster, and see whether it recovers."""
    rss: dict[str, list[float]] = {name: [] for name in cluster.hosts}

    def look() -> None:
        for name, host in cluster.hosts.items():
            rss[name].append(host.rss_bytes / 2**20)

    async with cluster.driver() as driver:
        now = asyncio.get_running_loop().time()
        # Imports and connections.
        await asyncio.gather(*(one_task(driver, now) for _ in range(TASKS_MAX)))
        peak, task_s = await peak_rate(driver, seconds)
        look()
        loads: dict[float, Load] = {}
        for factor in FACTORS:
            loads[factor] = await open_loop(driver, factor * peak, seconds, seed=int(factor))
            look()
            if factor != FACTORS[-1]:
                await loads[factor].ended()
        after = await open_loop(driver, peak / 2, RECOVERY_S, seed=9)
        await asyncio.gather(loads[FACTORS[-1]].ended(), after.ended())
        look()
    return Measured(peak, task_s, loads, after, rss)


def recovery_s(after: Load, task_s: float) -> float:
    """Return when the last task came that was refused, failed or slow, after the burst's end."""
    bad = [
        outcome.due - after.began
        for outcome in after.outcomes
        if outcome.kind != "answered" or outcome.taken_s > SLOW_FACTOR * task_s
    ]
    return max(bad, default=0.0)


def figures(measured: Measured) -> list[Figure]:
    """Return the group's figures."""
    loads = [*measured.loads.values(), measured.after]
    refusals = [each for load in loads for each in load.of(REFUSED)]
    lost = sum(len(load.of(LOST)) for load in loads)
    sent = sum(len(load.sent) for load in loads)
    unhurried = f"a task takes {measured.task_s:.2f} s, {TASKS_MAX} at once"
    made = [
        Figure("overload.peak_per_s", measured.peak, "tasks/s", n=len(loads), note=unhurried),
        judged(Figure("overload.lost", lost, "tasks", n=sent), Goal("<=", 0)),
    ]
    for factor, load in measured.loads.items():
        share = load.goodput / measured.peak
        name, goal = f"overload.goodput_share_{factor:g}x", Goal(">=", GOODPUT_SHARE)
        made.append(judged(Figure(name, share, "share", n=len(load.sent), note=load.counts), goal))
    recovered = recovery_s(measured.after, measured.task_s)
    note = f"at half of the peak rate: {measured.after.counts}"
    figure = Figure("overload.recovery_s", recovered, "s", n=len(measured.after.sent), note=note)
    made.append(judged(figure, Goal("<=", RECOVERED_S)))
    if refusals:
        waits = sorted({round(each.retry_after_s, 1) for each in refusals})
        note = f"asks to wait {waits[0]:g} to {waits[-1]:g} s"
        taken_ms = [each.taken_s * 1000 for each in refusals]
        made.append(sample_figure("overload.refusal_ms", "ms", taken_ms, note=note))
    for name, sizes in measured.rss.items():
        note = ", ".join(f"{size:.0f}" for size in sizes)
        role = name.removesuffix("-0")
        grown = max(sizes) - sizes[0]
        made.append(Figure(f"overload.rss_growth.{role}", grown, "MiB", n=len(sizes), note=note))
    return made


@contextmanager
def overload_cluster() -> Iterator[PlainCluster]:
    """Start a cluster whose tasks take the model's time, and little of the machine's."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        script = folder / "script.json"
        script.write_text(json.dumps(SCRIPT), encoding="utf-8")
        server = ModelServerProcess(folder, TTFT_S, TOKENS_PER_S, script=script)
        stack.enter_context(server)
        model = ModelSettings("openai:simulated", server.base_url)
        concurrency = {"manager": TASKS_MAX, "researcher": 2 * TASKS_MAX}
        agents = ("manager-0", "researcher-0")
        yield stack.enter_context(PlainCluster(folder, model, agents, concurrency=concurrency))


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `overload`."""
    with overload_cluster() as cluster:
        return figures(uvloop.run(measure(cluster, 10.0 if is_quick else 30.0)))
