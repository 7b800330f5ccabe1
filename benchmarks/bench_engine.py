"""What the engine itself costs: a chain of three steps and an answer, whose model takes no time.

Ours is the whole path of a driver on a cluster of plain processes, with the embedded Redis on the
disk of this checkout, synced: submission, plan (declared, as LangGraph's graph is), three steps one
after another, answer. Beside it in one run: LangGraph in one process with its SQLite checkpointer
on the same disk, and the fold and schedule of our kernel alone over LangGraph without one.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop

from benchmarks.engine_fold import fold_chain, plan_of
from benchmarks.harness import Figure, Goal, not_run, ratio_figure, sample_figure
from benchmarks.peer_process import PeerFailed
from benchmarks.plain_cluster import PlainCluster
from benchmarks.report_rivals import Rival, RunningRival, running
from cluster.kernel.events import Answered
from cluster.kernel.sections import ModelSettings
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.runtime.driver.driver import Driver

GOAL = "What is known about the market?"
LANGGRAPH = Rival("langgraph", "langgraph_chain", "langgraph")
DURABLE, FOLD = Goal("<=", 1.0), Goal("<=", 0.1)
STORES = ("sqlite", "sqlite-sync", "redis", "memory")
NAMES = {
    "sqlite": "engine.vs_langgraph_durable",
    "sqlite-sync": "engine.vs_langgraph_sync",
    "redis": "engine.vs_langgraph_redis",
}
HOW = {
    "sqlite": "its checkpoints are written while the graph goes on, which is its default",
    "sqlite-sync": "its checkpoints are durable before the graph goes on, as our journal is",
    "redis": "the checkpointer for plain Redis, on our embedded server",
}
ROUND_TIMEOUT_S = 60.0
_MS = 1000.0

Rounds = dict[str, list[float]]
"""The median of each round in seconds, by side."""


async def _run_s(driver: Driver) -> float:
    """Return the seconds from submission to the answer."""
    started = time.perf_counter()
    task = await driver.submit(GOAL, collection="", timeout_s=60, workflow=plan_of())
    *_, end = [event async for event in task]
    taken = time.perf_counter() - started
    assert isinstance(end.detail, Answered), end
    return taken


def _fold_s(count: int) -> float:
    """Return the median seconds of one fold of the chain."""
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        fold_chain()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


async def _peer_s(peer: RunningRival, store: str, count: int) -> float:
    taken: list[float] = json.loads(await peer.told(f"{store} {count}", ROUND_TIMEOUT_S))
    return statistics.median(taken)


async def _rounds(driver: Driver, peer: RunningRival | None, rounds: int, count: int) -> Rounds:
    taken: Rounds = {}
    for number in range(rounds + 1):
        ours = statistics.median([await _run_s(driver) for _ in range(count)])
        measured = {"ours": ours, "fold": _fold_s(10 * count)}
        for store in STORES if peer is not None else ():
            assert peer is not None
            measured[store] = await _peer_s(peer, store, count)
        if number:  # the first round warms up
            for side, seconds in measured.items():
                taken.setdefault(side, []).append(seconds)
    return taken


async def _measure(cluster: PlainCluster, folder: Path, rounds: int, count: int) -> list[Figure]:
    async with cluster.driver() as driver:
        try:
            async with running(LANGGRAPH, str(folder), cluster.redis_url) as peer:
                taken = await _rounds(driver, peer, rounds, count)
                return _own(taken) + _compared(taken, peer)
        except (OSError, PeerFailed) as error:
            why = str(error) if LANGGRAPH.is_installed else "make bench-peers"
        return _own(await _rounds(driver, None, rounds, count)) + _not_compared(why)


def _own(taken: Rounds) -> list[Figure]:
    note = "submission to answer, three steps one after another"
    return [
        sample_figure("engine.chain_ms", "ms", [each * _MS for each in taken["ours"]], note=note),
        sample_figure("engine.fold_us", "us", [each * _MS * _MS for each in taken["fold"]]),
    ]


def _compared(taken: Rounds, peer: RunningRival) -> list[Figure]:
    figures = [
        ratio_figure(
            name,
            DURABLE if store == "sqlite" else None,
            taken["ours"],
            taken[store],
            peer="langgraph",
            peer_version=peer.version,
            note=HOW[store],
        )
        for store, name in NAMES.items()
    ]
    fold = ratio_figure(
        "engine.fold_vs_langgraph",
        FOLD,
        taken["fold"],
        taken["memory"],
        peer="langgraph",
        peer_version=peer.version,
        note="all events of the chain folded, its orders and priorities asked for after each",
    )
    return [*figures, fold]


def _not_compared(why: str) -> list[Figure]:
    figures = [
        not_run(name, str(DURABLE) if store == "sqlite" else "", why)
        for store, name in NAMES.items()
    ]
    return [*figures, not_run("engine.fold_vs_langgraph", str(FOLD), why)]


@contextlib.contextmanager
def folder_on_disk() -> Iterator[Path]:
    """Give a folder in this checkout, not in memory."""
    build = Path("build")
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="engine-", dir=build) as folder:
        yield Path(folder).resolve()


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `engine`."""
    rounds, count = (3, 10) if is_quick else (11, 40)
    with (
        folder_on_disk() as folder,
        EmbeddedRedis(data_root=folder) as redis,
        PlainCluster(folder, ModelSettings(uri="simulated:"), redis_url=redis.url) as cluster,
    ):
        return uvloop.run(_measure(cluster, folder, rounds, count))
