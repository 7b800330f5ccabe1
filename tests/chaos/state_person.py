"""A person of the state campaign: edits documents, waits for each edit, and decides conflicts.

A line is written before an edit is made, and one when it is durable: a person who is killed leaves
what may be there, once.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from cluster.kernel.errors import ClusterError, Overloaded, StateDeleted, Stopped, StoreUnavailable
from cluster.kernel.ids import NO_TASK, StepId
from cluster.kernel.reads import Reads
from cluster.kernel.state.conflicts import Conflict
from cluster.kernel.state.values import Slot
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.store.redis import RedisStore
from cluster.runtime.sharing.shared_documents import SharedDocuments
from tests.chaos.host_process import Surroundings
from tests.chaos.state_board import (
    FLEETING,
    HOT,
    MORTAL,
    OWN,
    Board,
    Mark,
    attempt_mark,
    chosen_fields,
    halt_path,
    joined_texts,
    write_mark,
)
from tests.chaos.state_replica import Replica
from tests.chaos.state_worker import is_fleeting_time

PAUSE_S = (0.05, 0.25)
DECIDE_S = 0.7
DURABLE_S = 40.0
PLACE_WEIGHTS = {**dict.fromkeys(HOT, 4), **dict.fromkeys(OWN.values(), 1), MORTAL: 1, FLEETING: 1}


class Person:
    """Edits until the cell is halted, then waits until all is durable."""

    def __init__(self, around: Surroundings, replica: Replica) -> None:
        self._around = around
        self._agent: str = around.spec["agent"]
        self._name = f"{self._agent}-{os.getpid()}"
        self._replica = replica
        self._author = replica.documents.person(self._agent)
        self._shared = SharedDocuments(replica.documents, NO_TASK, self._begin, Reads())
        self._waiting: set[asyncio.Task[None]] = set()
        self._rng = random.Random()
        self._number = 0

    async def _begin(self) -> EditAttempt:
        return self._author

    async def run(self) -> None:
        """Edit, wait, and say so."""
        deciding = asyncio.ensure_future(self._decide())
        while not halt_path(self._around.folder).exists():
            await self._edit()
            await asyncio.sleep(self._rng.uniform(*PAUSE_S))
        deciding.cancel()
        if self._waiting:
            await asyncio.wait(self._waiting, timeout=DURABLE_S)
        if self._waiting:
            self._around.log.write("broken", error=f"{len(self._waiting)} edits are not durable")
        self._around.log.write("drained")

    async def _edit(self) -> None:
        place = self._rng.choices([*PLACE_WEIGHTS], [*PLACE_WEIGHTS.values()])[0]
        if place is FLEETING and not is_fleeting_time():
            return
        self._number += 1
        name = attempt_mark(StepId(self._name), 0, self._number)
        document = self._replica.open[place.name]
        try:
            async with self._shared.state(place.of, key=place.key) as board:
                fields = chosen_fields(self._rng, document.conflicts)
                mark = Mark(name, place.name, self._rng.randint(1, 99), fields)
                write_mark(board, mark, f"# {self._agent}")
                self._around.log.write("wanted", mark=mark.to_plain())
        except (Overloaded, StateDeleted, StoreUnavailable) as error:
            self._around.log.write("not edited", mark=name, error=str(error))
        else:
            self._wait(self._until_durable(name, board))

    def _wait(self, waiting: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(waiting)
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _until_durable(self, name: str, board: Board) -> None:
        try:
            await board.flushed()
        except (StateDeleted, Stopped) as error:
            self._around.log.write("not edited", mark=name, error=str(error))
        except Exception as error:  # noqa: BLE001 - it is judged
            self._around.log.write("broken", error=repr(error))
        else:
            self._around.log.write("durable", mark=name)

    async def _decide(self) -> None:
        while True:
            await asyncio.sleep(DECIDE_S)
            for document in self._replica.open.values():
                for conflict in document.conflicts:
                    with suppress(ClusterError):
                        document.resolve(self._author, conflict, _decided(conflict))


def _decided(conflict: Conflict) -> Slot:
    """Return all lines of texts, and the first of other values."""
    values = [each.value for each in conflict.siblings]
    if conflict.field == "draft":
        return joined_texts(str(value) for value in values)
    return values[0]


async def edit(around: Surroundings) -> None:
    """Be a person, until the process is to stop."""
    store = await around.store(RedisStore)
    replica = Replica(around, store)
    await replica.hold()
    around.log.write("ready")
    await asyncio.gather(Person(around, replica).run(), replica.watch())
    await replica.documents.close()
    await store.close()
