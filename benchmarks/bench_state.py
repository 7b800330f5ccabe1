"""Shared state: what a turn pays to read and edit it, and how fast eight processes write it.

The writers' figures are of logical edits that are durable on the embedded Redis, which syncs each
write, ours and the rivals' on the same server in turns. An edit counts up the sum of a document of
20 KB and a fact of the writer's own. Ours makes a step's edits ahead of the log, and many of them
become one append; the same with each edit durable before the next is published beside, so that
nobody takes batching for merging.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import uvloop

from benchmarks.harness import Figure, Goal, judged, ratio_figure, sample_figure
from benchmarks.state_local import local_figures
from benchmarks.state_sight import sight_figures
from benchmarks.state_writer import LEAN, MERGED, SINGLE, TYPED
from benchmarks.state_writers import WRITERS, Slot, Writers
from cluster.memory.store.embedded import EmbeddedRedis

ROUNDS = 7
SLOT_S = 1.5
QUICK_ROUNDS = 1
QUICK_SLOT_S = 0.5
GOALS = {True: Goal(">=", 8.0), False: Goal(">=", 15.0)}
"""By whether all write one document."""
ATTEMPTS_GOAL = Goal("<=", 1.02)
RIGHT_GOAL = Goal("<=", 0.0)
SIDES = (MERGED, TYPED, SINGLE, LEAN)
NOTES = {
    MERGED: "as it ships",
    SINGLE: "each edit durable before the next",
    TYPED: "WATCH/MULTI on an event loop, with a pydantic model",
    LEAN: "WATCH/MULTI by a blocking client in two packets, bare JSON",
}


def run(*, is_quick: bool = False) -> list[Figure]:
    """Measure the group `state`."""
    figures = asyncio.run(local_figures(is_quick=is_quick))
    with _server() as url:
        figures += uvloop.run(sight_figures(url, is_quick=is_quick))
        figures += uvloop.run(_writing(url, is_quick=is_quick))
    return figures


@contextmanager
def _server() -> Iterator[str]:
    """Run the embedded server with its data on the disk of this checkout, not in memory."""
    build = Path("build")
    build.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="state-", dir=build) as folder,
        EmbeddedRedis(data_root=Path(folder).resolve()) as server,
    ):
        yield server.url


async def _writing(url: str, *, is_quick: bool) -> list[Figure]:
    rounds, slot_s = (QUICK_ROUNDS, QUICK_SLOT_S) if is_quick else (ROUNDS, SLOT_S)
    slots: dict[tuple[bool, str], list[Slot]] = {}
    async with Writers.started(url) as writers:
        for _ in range(rounds):
            for is_hot in (True, False):
                for side in SIDES:
                    made = await writers.slot(side, slot_s, is_hot=is_hot)
                    slots.setdefault((is_hot, side), []).append(made)
    figures = []
    for is_hot in (True, False):
        figures += _compared(is_hot, {side: slots[is_hot, side] for side in SIDES})
    wrong = float(sum(each.wrong for made in slots.values() for each in made))
    total = Figure("state.wrong_edits", wrong, "edits", n=sum(map(len, slots.values())))
    note = "lost or counted twice by any document, and replicas that differ"
    return [*figures, judged(replace(total, note=note), RIGHT_GOAL)]


def _compared(is_hot: bool, slots: dict[str, list[Slot]]) -> list[Figure]:  # noqa: FBT001 - a key
    name = "state.hot" if is_hot else "state.disjoint"
    rates = {side: [each.rate for each in made] for side, made in slots.items()}
    peer = f"WATCH/MULTI, {WRITERS} processes"
    figures = [
        ratio_figure(
            f"{name}_vs_watch", GOALS[is_hot], rates[MERGED], rates[TYPED],
            peer=peer, note=NOTES[TYPED],
        ),
        ratio_figure(
            f"{name}_vs_watch.lean", None, rates[MERGED], rates[LEAN], peer=peer, note=NOTES[LEAN]
        ),
        ratio_figure(
            f"{name}_vs_watch.single", None, rates[SINGLE], rates[TYPED],
            peer=peer, note=NOTES[SINGLE],
        ),
    ]  # fmt: skip
    figures += [
        sample_figure(f"{name}_commits_s.{side}", "/s", rates[side], note=NOTES[side])
        for side in SIDES
    ]
    if is_hot:
        figures += [
            _attempts("state.hot_attempts", slots[MERGED], ATTEMPTS_GOAL),
            _attempts("state.hot_attempts.typed", slots[TYPED], None),
            _attempts("state.hot_attempts.lean", slots[LEAN], None),
        ]
    batches = [each.commits_per_append for each in slots[MERGED]]
    return [*figures, sample_figure(f"{name}_edits_an_append", "edits", batches)]


def _attempts(name: str, slots: Sequence[Slot], goal: Goal | None) -> Figure:
    tries = [each.tries_per_commit for each in slots]
    return sample_figure(name, "tries", tries, goal, note="sent edits over durable ones")
