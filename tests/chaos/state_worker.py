"""A worker of the state campaign: does steps whose edits are flushed before they are recorded.

A step is what `cluster.runtime.turns.turn_body` makes of an assignment: looked for, begun anew
where there was an attempt, edited, flushed, recorded under a fence, and settled as its Manager
does. It can be told to die in between, and to another worker its step is a step to be done again.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from cluster.kernel.clock import Deadline, SystemClock
from cluster.kernel.errors import (
    ClusterError,
    Overloaded,
    StaleEpoch,
    StateDeleted,
    Stopped,
    StoreUnavailable,
)
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.marks import StepMarks
from cluster.memory.store.redis import RedisStore
from cluster.runtime.sharing.sharing_turn import SharingTurn
from cluster.runtime.turns.step_records import StepRecords
from tests.chaos.host_process import Surroundings
from tests.chaos.state_board import (
    FLEETING,
    HOT,
    MORTAL,
    OWN,
    Mark,
    Place,
    attempt_mark,
    chosen_fields,
    halt_path,
    result_of,
    task_of,
    write_mark,
)
from tests.chaos.state_claims import Claims
from tests.chaos.state_replica import Replica

SCOPE = ""
LANES = 2
THOUGHT_S = (0.02, 0.15)
STEP_S = 10.0
MARKS_MAX = 4
PLACE_SHARES = (0.5, 0.35, 0.08, 0.07)
"""Of hot, own, mortal and fleeting documents."""
POINTS = ("edited", "flushed", "recorded")
"""Where a worker can be told to die."""
_IDLE_S = 0.05
_RETRY_S = 0.1
EXPECTED = (StoreUnavailable, StateDeleted, Overloaded, Stopped)
"""How an attempt may fail while the store is hurt and documents are deleted."""


@dataclass(slots=True, eq=False, kw_only=True)
class StepTurn(SharingTurn):
    """An attempt at a step."""

    agent: str
    step: StepId
    marks: StepMarks
    deadline: Deadline
    written: list[Mark] = field(default_factory=list)

    @property
    def task(self) -> TaskId:
        """The task it works for."""
        return self.marks.task

    def remaining_s(self) -> float:
        """Return the seconds left."""
        return self.deadline.remaining_s(SystemClock().now())

    async def begin_attempt(self, documents: Documents) -> EditAttempt:
        """Return the author of all that is edited."""
        return await documents.begin(self.task, self.step, self.agent, self.marks)


class Worker:
    """Does steps until its cell is halted, then those that are open."""

    def __init__(self, around: Surroundings, replica: Replica, records: StepRecords) -> None:
        self._around = around
        self._agent: str = around.spec["agent"]
        self._documents = replica.documents
        self._open = replica.open
        self._records = records
        self._claims = Claims(around.folder)
        self._rng = random.Random()

    async def run(self) -> None:
        """Work, and say when all is done."""
        await asyncio.gather(*[self._lane() for _ in range(LANES)])
        self._around.log.write("drained")

    async def _lane(self) -> None:
        while True:
            is_halted = halt_path(self._around.folder).exists()
            step = self._claims.again(self._rng)
            if step is None and not is_halted:
                step = self._claims.new()
            if step is not None:
                await self._attempt(step)
            elif self._claims.is_all_done:
                return
            await asyncio.sleep(_IDLE_S)

    async def _attempt(self, step: StepId) -> None:
        log = self._around.log
        marks = self._records.marks(task_of(step), step)
        deadline = Deadline(SystemClock().now() + STEP_S)
        turn = StepTurn(
            agent=self._agent, step=step, marks=marks, deadline=deadline, documents=self._documents
        )
        log.write("begun", of=step)
        try:
            await self._do(turn)
        except StaleEpoch:
            log.write("overtaken", of=step)
        except EXPECTED as error:
            log.write("not done", of=step, error=str(error))
        except Exception as error:  # noqa: BLE001 - it is judged
            log.write("broken", of=step, error=repr(error))
        else:
            self._claims.end(step)
        finally:
            turn.close()

    async def _do(self, turn: StepTurn) -> None:
        found = await self._records.find(turn.marks)
        if found.result is None:
            if found.generation:
                await turn.begin()
            await self._edit(turn)
            self._around.crash.crossed("edited")
            await turn.flush()
            self._around.crash.crossed("flushed")
            result = ("chaos", result_of(turn.written), b"")
            half_s = turn.remaining_s() / 2
            kept = await self._records.keep(turn.marks, result, turn.generation, half_s)
            if kept == result:
                self._around.log.write("recorded", of=turn.step, generation=turn.generation)
            self._around.crash.crossed("recorded")
        await self._documents.log.settle(turn.task, turn.step)

    async def _edit(self, turn: StepTurn) -> None:
        await asyncio.sleep(self._rng.uniform(*THOUGHT_S))
        for number in range(self._rng.randint(1, MARKS_MAX)):
            place = self._place()
            try:
                async with turn.state(place.of, key=place.key) as board:
                    name = attempt_mark(turn.step, turn.generation, number)
                    mark = self.mark(name, place)
                    write_mark(board, mark, f"# {self._agent}")
                    if self._rng.random() < 0.3:
                        await asyncio.sleep(self._rng.uniform(*THOUGHT_S))
            except StateDeleted:
                continue
            turn.written.append(mark)

    def mark(self, name: str, place: Place) -> Mark:
        """Return an edit that is to be made."""
        fields = chosen_fields(self._rng, self._open[place.name].conflicts)
        return Mark(name, place.name, self._rng.randint(1, 99), fields)

    def _place(self) -> Place:
        kinds = (self._rng.choice(HOT), OWN[self._agent], MORTAL, FLEETING)
        place = self._rng.choices(kinds, PLACE_SHARES)[0]
        return place if place is not FLEETING or is_fleeting_time() else HOT[0]


def is_fleeting_time() -> bool:
    """Say whether documents are edited now that are gone when nobody has edited them for long."""
    return int(SystemClock().now() / 4) % 2 == 0


async def work(around: Surroundings) -> None:
    """Be a worker, until the process is to stop."""
    store = await around.store(RedisStore)
    agent = AgentId(around.spec["agent"])
    records = StepRecords(store, agent, SCOPE, clock=SystemClock(), lease_s=around.spec["lease_s"])
    while not records.epoch:
        try:
            records.epoch = await store.next_epoch(f"agent/{SCOPE}/{agent}")
        except ClusterError:
            await asyncio.sleep(_RETRY_S)
    replica = Replica(around, store)
    await replica.hold()
    around.log.write("ready")
    await asyncio.gather(Worker(around, replica, records).run(), replica.watch())
    await replica.documents.close()
    await store.close()
