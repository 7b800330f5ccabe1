"""What a turn's own time goes to: reading a document of 20 KB, and editing one field of it.

For `benchmarks.bench_state`. The log is its twin in memory, so that nothing is under way while the
clock runs; what is done after the turn goes on (the bytes, the append, the fold) is counted in the
writers' figures.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.harness import Figure, Goal, sample_figure
from benchmarks.state_boards import (
    CHANGES,
    Board,
    Change,
    Outline,
    board,
    edit,
    fill,
    outline,
    size_of,
)
from cluster.kernel.clock import SystemClock
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.document import Document
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.local import LocalStateLog
from cluster.state.editing import StateView, policies_of

READ_GOAL = Goal("<=", 2.0)
EDIT_GOAL = Goal("<=", 15.0)
READS_A_SAMPLE = 100
READ_SAMPLES = 400
EDITS = 1_000
BURST = 32


async def local_figures(*, is_quick: bool) -> list[Figure]:
    """Measure the reads and the edits of one host."""
    clock = SystemClock()
    documents = Documents(LocalStateLog(clock), clock, policies_of(Board, Outline))
    person = documents.person("bench")
    try:
        opened = {state: await documents.open(f"cluster/{state.__name__}") for state in FILLED}
        for state, document in opened.items():
            fill(document, person, FILLED[state])
            await document.flushed()
        figures = [_reading(opened[Board], is_quick=is_quick)]
        for change in CHANGES:
            document = opened[change.state]
            figures += await _editing(document, person, change, EDITS // (10 if is_quick else 1))
        return figures
    finally:
        await documents.close()


FILLED = {Board: board(), Outline: outline()}


def _reading(document: Document, *, is_quick: bool) -> Figure:
    """Read a field of the present state, as a turn does that peeks again and again."""
    view = StateView(Board)
    samples = []
    with _no_collections():
        for _ in range(READ_SAMPLES // (10 if is_quick else 1)):
            started = time.perf_counter_ns()
            for _ in range(READS_A_SAMPLE):
                _ = view.at(document.version, document.fields).spent
            samples.append((time.perf_counter_ns() - started) / READS_A_SAMPLE / 1_000)
    note = f"{size_of(document)} bytes; {READS_A_SAMPLE} reads a sample"
    return sample_figure("state.read_us", "us", samples, READ_GOAL, note=note)


async def _editing(
    document: Document, attempt: EditAttempt, change: Change, count: int
) -> list[Figure]:
    """Edit one by one, each durable before the next, and then in bursts."""
    alone, burst = [], []
    with _no_collections():
        for number in range(count):
            alone.append(_timed_us(document, attempt, change, number))
            await document.flushed()
        for number in range(count):
            burst.append(_timed_us(document, attempt, change, number))
            if number % BURST == BURST - 1:
                await document.flushed()
    name = f"state.edit_us.{change.name}"
    note = f"{size_of(document)} bytes"
    return [
        sample_figure(name, "us", alone, EDIT_GOAL, note=note),
        sample_figure(f"{name}.burst", "us", burst, note=f"{BURST} before any of them is durable"),
    ]


def _timed_us(document: Document, attempt: EditAttempt, change: Change, number: int) -> float:
    made = change.prepare(number)
    # Of the thread, so that nobody else's work on this core counts.
    started = time.thread_time_ns()
    edit(document, attempt, change, number, made)
    return (time.thread_time_ns() - started) / 1_000


@contextmanager
def _no_collections() -> Iterator[None]:
    """Let no garbage of earlier measurements be collected meanwhile."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


if __name__ == "__main__":
    from benchmarks.__main__ import table_row

    for each in asyncio.run(local_figures(is_quick=False)):
        print(table_row(each))
