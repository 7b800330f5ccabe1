"""A process that writes documents of shared state, ours or a rival's; `benchmarks.bench_state`.

`python -m benchmarks.state_writer URL NUMBER` reads orders, a line of JSON each, and answers each
with one. All writers begin at the same moment of the monotonic clock. An edit is a fact of the
writer's own among the hundred, and what it has spent: writers meet in the document, not in a key,
and both sides can be added up afterwards.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import uvloop

from benchmarks.state_boards import Board, Change, edit, fact_name
from benchmarks.state_watch import Lean, Typed
from cluster.kernel.clock import SystemClock
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.state.values import Value, canonical
from cluster.memory.state.entries import Appended, PendingEdit, StepKey
from cluster.memory.state.host.document import Document
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.redis import RedisStateLog
from cluster.memory.store.redis import RedisStore
from cluster.state.editing import policies_of

MERGED, SINGLE, TYPED, LEAN = "merged", "single", "typed", "lean"
TASK = TaskId("bench")
STEP_EDITS = 256
"""So many edits a step makes; it ends when all of them are durable."""
AGREED_S = 20.0
"""So long all writers may take to see the same document after the last edit."""


class CountingLog(RedisStateLog):
    """Counts the edits that are sent, those that are sent again included."""

    sent = 0
    appends = 0

    async def append(
        self,
        document: str,
        step: StepKey,
        edits: Sequence[PendingEdit],
        *,
        ttl_s: float | None = None,
        incarnation: int = 0,
        is_upkeep: bool = False,
    ) -> Appended:
        """Append, and count."""
        self.sent += len(edits)
        self.appends += 1
        return await super().append(
            document, step, edits, ttl_s=ttl_s, incarnation=incarnation, is_upkeep=is_upkeep
        )


@dataclass(frozen=True, slots=True)
class Order:
    """What to write, from when on and for how long."""

    side: str
    """`MERGED`; `SINGLE`, the same with each edit durable before the next; `TYPED`, `LEAN`, the
    rivals of `benchmarks.state_watch`."""
    document: str
    start: float
    seconds: float

    @property
    def until(self) -> float:
        """When no edit is begun any more."""
        return self.start + self.seconds


@dataclass(slots=True)
class Written:
    """What came of it."""

    commits: int = 0
    tries: int = 0
    appends: int = 0
    ended: float = 0.0


class Writer:
    """Carries out orders."""

    def __init__(self, url: str, number: int, log: CountingLog) -> None:
        self._url = url
        self._log = log
        self._number = number
        self._name = fact_name(number)
        self._change = Change("writer", Board, self._edit)

    def _edit(self, board: Board, number: int, _: object) -> None:
        del number
        board.spent += 1
        board.facts[self._name].seen += 1

    async def watch(self, order: Order) -> Written:
        """Write as a rival does."""
        written = Written()
        if order.side == LEAN:
            await asyncio.to_thread(self._watch_lean, order, written)
        else:
            document = Typed(self._url, order.document)
            await asyncio.sleep(max(0.0, order.start - time.monotonic()))
            while time.monotonic() < order.until:
                written.tries += await document.count(self._name)
                written.commits += 1
            await document.close()
        written.ended = time.monotonic()
        written.appends = written.tries
        return written

    def _watch_lean(self, order: Order, written: Written) -> None:
        document = Lean(self._url, order.document)
        time.sleep(max(0.0, order.start - time.monotonic()))
        while time.monotonic() < order.until:
            written.tries += document.count(self._name)
            written.commits += 1
        document.close()

    async def merge(self, order: Order, documents: Documents, document: Document) -> Written:
        """Write step by step, each begun and settled, its edits ahead of the log."""
        written = Written()
        lead = 1 if order.side == SINGLE else STEP_EDITS
        steps = 0
        await asyncio.sleep(max(0.0, order.start - time.monotonic()))
        while time.monotonic() < order.until:
            steps += 1
            step = StepId(f"{order.document}/{self._number}/{steps}")
            attempt = await documents.begin(TASK, step, f"writer-{self._number}")
            for number in range(1, STEP_EDITS + 1):
                edit(document, attempt, self._change, written.commits)
                written.commits += 1
                if number % lead == 0:
                    await document.flushed()
                    if time.monotonic() > order.until:
                        break
                else:
                    await asyncio.sleep(0)  # as between two turns
            await documents.flush(attempt)
            await self._log.settle(TASK, step)
        written.ended = time.monotonic()
        written.tries, written.appends = self._log.sent, self._log.appends
        return written


async def _agreed(document: Document, spent: int) -> str:
    """Wait until the document has all edits, and return what is the same in all replicas."""
    async with asyncio.timeout(AGREED_S):
        while document.fields.get("spent", 0) != spent or document.pending:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
    return digest_of(document.fields)


def digest_of(fields: Mapping[str, Value]) -> str:
    """Return what equal documents have in common."""
    return hashlib.sha256(canonical(dict(fields))).hexdigest()


async def _line() -> dict[str, Any] | None:
    line = await asyncio.to_thread(sys.stdin.readline)
    return json.loads(line) if line else None


def say(**what: object) -> None:
    """Write a line for who started this."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def main(url: str, number: int) -> None:
    """Carry out orders until there are no more."""
    store = await RedisStore.connect(url)
    say(is_ready=True)
    while (line := await _line()) is not None:
        order, log = Order(**line), CountingLog(store)
        writer = Writer(url, number, log)
        if order.side in (TYPED, LEAN):
            say(**asdict(await writer.watch(order)))
            continue
        documents = Documents(log, SystemClock(), policies_of(Board))
        document = await documents.open(order.document)
        say(**asdict(await writer.merge(order, documents, document)))
        told = await _line()
        assert told is not None
        say(digest=await _agreed(document, told["spent"]))
        await documents.close()


if __name__ == "__main__":
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
