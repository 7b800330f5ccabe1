"""What a turn's own time goes to: reading a document of 20 KB, and editing one field of it.

For `benchmarks.bench_state`. It is measured as an agent's program does it, by ``turn.peek`` and by
``async with turn.state``. The log is its twin in memory, so that nothing is under way while the
clock runs; what is done after the turn goes on (the bytes, the append, the fold) is counted in the
writers' figures.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.harness import Figure, Goal, sample_figure
from benchmarks.state_boards import (
    CHANGES,
    Board,
    Change,
    Outline,
    board,
    fill,
    outline,
    size_of,
)
from cluster.kernel.clock import SystemClock
from cluster.kernel.ids import NO_TASK, TaskId
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.document import Document
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.local import LocalStateLog
from cluster.runtime.sharing.sharing_turn import SharingTurn
from cluster.state import SharedState
from cluster.state.editing import policies_of

READ_GOAL = Goal("<=", 2.0)
EDIT_GOAL = Goal("<=", 15.0)
READS_A_SAMPLE = 100
READ_SAMPLES = 400
EDITS = 1_000
BURST = 32


@dataclass(slots=True, eq=False, kw_only=True)
class LocalTurn(SharingTurn):
    """What of a turn is about shared state, by somebody who never stops."""

    author: EditAttempt

    @property
    def task(self) -> TaskId:
        """None: the documents are the cluster's."""
        return NO_TASK

    def remaining_s(self) -> float:
        """Return more than is needed."""
        return 60.0

    async def begin_attempt(self, documents: Documents) -> EditAttempt:
        """Return the one author there is."""
        del documents
        return self.author


async def local_figures(*, is_quick: bool) -> list[Figure]:
    """Measure the reads and the edits of one host."""
    clock = SystemClock()
    documents = Documents(LocalStateLog(clock), clock, policies_of(Board, Outline))
    turn = LocalTurn(documents=documents, author=documents.person("bench"))
    try:
        opened = {state: await documents.open(f"cluster/{state.__name__}") for state in FILLED}
        for state, document in opened.items():
            fill(document, turn.author, FILLED[state])
            await document.flushed()
            await turn.open(state, scope="cluster")
        figures = [_reading(opened[Board], turn, is_quick=is_quick)]
        for change in CHANGES:
            document = opened[change.state]
            figures += await _editing(document, turn, change, EDITS // (10 if is_quick else 1))
        return figures
    finally:
        turn.close()
        await documents.close()


FILLED: dict[type[SharedState], SharedState] = {Board: board(), Outline: outline()}


def _reading(document: Document, turn: LocalTurn, *, is_quick: bool) -> Figure:
    """Read a field of the present state, as a turn does that peeks again and again."""
    samples = []
    with _no_collections():
        for _ in range(READ_SAMPLES // (10 if is_quick else 1)):
            started = time.perf_counter_ns()
            for _ in range(READS_A_SAMPLE):
                _ = turn.peek(Board, scope="cluster").spent
            samples.append((time.perf_counter_ns() - started) / READS_A_SAMPLE / 1_000)
    note = f"{size_of(document)} bytes; {READS_A_SAMPLE} reads a sample"
    return sample_figure("state.read_us", "us", samples, READ_GOAL, note=note)


async def _editing(document: Document, turn: LocalTurn, change: Change, count: int) -> list[Figure]:
    """Edit one by one, each durable before the next, and then in bursts."""
    alone, burst = [], []
    with _no_collections():
        clock_us = statistics.median(_clock_us() for _ in range(count))
        for number in range(count):
            alone.append(await _timed_us(turn, change, number) - clock_us)
            await document.flushed()
        for number in range(count):
            burst.append(await _timed_us(turn, change, number) - clock_us)
            if number % BURST == BURST - 1:
                await document.flushed()
    name = f"state.edit_us.{change.name}"
    note = f"{size_of(document)} bytes; less the {clock_us:.1f} us that reading the clock takes"
    return [
        sample_figure(name, "us", alone, EDIT_GOAL, note=note),
        sample_figure(f"{name}.burst", "us", burst, note=f"{BURST} before any of them is durable"),
    ]


def _clock_us() -> float:
    """Return what is measured of nothing: the CPU time of a thread is asked of the kernel."""
    started = time.thread_time_ns()
    return (time.thread_time_ns() - started) / 1_000


async def _timed_us(turn: LocalTurn, change: Change, number: int) -> float:
    made = change.prepare(number)
    # Of the thread, so that nobody else's work on this core counts; nothing else of this one runs
    # meanwhile, since all that is awaited is here.
    started = time.thread_time_ns()
    async with turn.state(change.state, scope="cluster") as model:
        change.make(model, number, made)
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
