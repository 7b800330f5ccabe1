"""A replica of the agent that edits boards, on a host: the runtime's real turns.

It is asked by the world, and its answers go to whoever asked as `cluster.runtime.messaging` would
carry them, or get lost.
"""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

from cluster.kernel.envelope import Envelope
from cluster.kernel.errors import AgentFailed
from cluster.kernel.ids import AgentId, IdSource
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Assignment, Finding
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.turns.runner import TurnRunner
from cluster.runtime.turns.step_records import StepRecords
from tests.simulation.ledger import CODEC
from tests.simulation.loop import Process
from tests.simulation.state.board import Board, Left, Place, finding, leave, left_by, pending_marks
from tests.simulation.state.ledger import step_name
from tests.simulation.state.world import LEASE_S, StateWorld, agent_of

SLOW_S = (0.3, 2.0)
THINKS_S = (0.0, 0.002, 0.05)
SKIPPED_SHARE = 0.2
CONCURRENCY = 4
STOP_S = 2.0


class Replica:
    """The agent of one host process."""

    def __init__(self, world: StateWorld, process: Process) -> None:
        self._world = world
        self._process = process
        self._random = random.Random(f"{process} {world.rng.random()}")
        office: Any = _Office(world, process)
        ids = IdSource(world.clock.wall, self._random)
        directory: Any = None
        sender = Sender(office, directory, CODEC, world.clock, ids)
        records = StepRecords(
            world.store(process), office.agent, "sim", clock=world.clock, lease_s=LEASE_S
        )
        records.epoch = office.epoch = world.epoch(process)
        self.runner = TurnRunner(
            self,
            sender,
            concurrency=CONCURRENCY,
            records=records,
            documents=world.documents[process],
        )

    def ask(self, envelope: Envelope) -> None:
        """Take what somebody asks for."""
        if self._world.is_serving(self._process):
            self.runner.on_work(envelope)
            if self._world.faults.happens("turn cancelled"):
                delay_s = self._random.uniform(0.0, 0.1)
                asyncio.get_running_loop().call_later(delay_s, self._cancel, envelope)

    def _cancel(self, envelope: Envelope) -> None:
        self.runner.on_asker_gone(envelope.sender)

    async def stop(self) -> None:
        """End all turns."""
        await self.runner.stop(STOP_S)

    async def handle(self, message: object, turn: Turn) -> Finding:
        """Leave a mark on each board that the step names, some of them after a while."""
        assert isinstance(message, Assignment)
        rng, happens = self._random, self._world.faults.happens
        left: list[Left] = []
        for place in (Place(*each) for each in json.loads(message.instruction)):
            if left and rng.random() < SKIPPED_SHARE:
                continue  # no two attempts are alike
            left.append(await self._edit(place, turn, left))
            await asyncio.sleep(rng.uniform(*SLOW_S) if happens("agent slow") else 0.0)
        if happens("agent failed"):
            raise AgentFailed("the model said nothing")
        return finding(left)

    async def _edit(self, place: Place, turn: Turn, left: list[Left]) -> Left:
        rng, mark, name = self._random, self._world.mark(), place.name(turn.task)
        async with turn.state(Board, key=place.key, scope=place.scope) as board:
            self._look_for_own(name, left, board)
            await asyncio.sleep(rng.choice(THINKS_S))
            leave(mark, board, rng)
        self._world.note(self._process, f"left {mark} on {name} for {turn.step}")
        return Left(name, mark)

    def _look_for_own(self, name: str, left: list[Left], board: Board) -> None:
        """S6: a turn sees what it has written itself, unless that counts no more."""
        document = self._world.documents[self._process].peek(name)
        for mark in (each.mark for each in left if each.name == name):
            is_pending = document is not None and mark in pending_marks(document)
            is_due = is_pending or self._world.ledger.is_counting(name, mark)
            if is_due and mark not in board.log:
                self._world.ledger.violate("S6", f"{self._process} doesn't see its own {mark}")


class _Office:
    """What a turn's answers leave by."""

    def __init__(self, world: StateWorld, process: Process) -> None:
        self._world = world
        self._process = process
        self.agent: AgentId = agent_of(process)
        self.epoch = 0

    def answer(self, asked: Envelope, reply: Envelope) -> None:
        """Send an answer, once the books have seen it."""
        if not self._world.faults.boundary(self._process, "before an answer"):
            return
        answer = CODEC.decode(reply.body_type, reply.body)
        self._world.note(self._process, f"answers {asked.step}: {answer}")
        self._world.ledger.on_answered(step_name(asked.task, asked.step), left_by(answer))
        self._world.on_answer(asked, answer)

    def taken(self, envelope: Envelope) -> None:
        """Give no credit back."""

    def told(self, envelope: Envelope) -> None:
        """Nothing is only told here."""

    def skip(self) -> None:
        """All are of one version."""
