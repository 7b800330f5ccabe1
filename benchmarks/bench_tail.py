"""The slowest of many tasks: 'report' with one call in a hundred ten times slower, eight at once.

At ten times the speed of the group `report` (30 ms to the first token, 500 tokens a second, five of
them an event). Ours is a cluster without Ray, beside the frameworks that were the best at this job:
those that begin a step as soon as its needs are there, where others wait in rounds. A slow call is
slow from its first token to its last, by the number of its task, its step and its attempt: the same
ones for all sides (`benchmarks.slow_calls`). The sides do their tasks in turns, a block each. A
cluster that hedges nothing shows what hedging is worth here.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import uvloop

from benchmarks.harness import Figure
from benchmarks.peer_process import PeerFailed
from benchmarks.report_parts import LOG_VARIABLE
from benchmarks.report_rivals import FRAMEWORKS, PLAIN, Rival
from benchmarks.sandbox_service import sandbox_service
from benchmarks.tail_figures import BEST, Tail, figures_of
from benchmarks.tail_sides import Side, our_side, rivals_side

OURS, UNHEDGED = "ours", "unhedged"
RIVALS = (PLAIN, *(each for each in FRAMEWORKS if each.name in BEST))
BLOCKS, TASKS = 8, 128
QUICK_BLOCKS, QUICK_TASKS = 1, 16
WARM_UP = 32
"""Tasks of each side: from 20 calls on, an agent knows when one is late."""


async def _measure(folder: Path, blocks: int, tasks: int) -> tuple[list[Tail], dict[str, str]]:
    """Return what each side's tasks came to, ours first; and why a rival could not be run."""
    missing: dict[str, str] = {}
    async with contextlib.AsyncExitStack() as stack:
        sandbox = folder / "sandbox"
        await stack.enter_async_context(sandbox_service(sandbox))
        ours = await stack.enter_async_context(our_side(OURS, folder / OURS, hedges=True))
        unhedged = await stack.enter_async_context(
            our_side(UNHEDGED, folder / UNHEDGED, hedges=False)
        )
        sides = [ours.side, unhedged.side]
        for rival in RIVALS:
            try:
                sides.append(await _entered(stack, rival, folder, sandbox))
            except PeerFailed as error:
                missing[rival.name] = str(error)
        for side in sides:
            await side.warm_up(WARM_UP)
        for _ in range(blocks):
            for side in sides:
                await side.measure(tasks)
        others = [side.tail() for side in sides[1:]]
        mine = ours.side.tail(await ours.learned())
    return [mine, *others], missing


async def _entered(
    stack: contextlib.AsyncExitStack, rival: Rival, folder: Path, sandbox: Path
) -> Side:
    if not rival.is_installed:
        raise PeerFailed("make bench-peers")
    return await stack.enter_async_context(rivals_side(rival, folder / rival.name, sandbox))


@contextlib.contextmanager
def _logging_tools(file: Path) -> Iterator[None]:
    """Say to agents' processes that are started meanwhile where their tools write to."""
    os.environ[LOG_VARIABLE] = str(file)
    try:
        yield
    finally:
        del os.environ[LOG_VARIABLE]


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `tail`."""
    sizes = (QUICK_BLOCKS, QUICK_TASKS) if is_quick else (BLOCKS, TASKS)
    with tempfile.TemporaryDirectory() as name, _logging_tools(Path(name) / "tools.jsonl"):
        return figures_of(*uvloop.run(_measure(Path(name), *sizes)))
