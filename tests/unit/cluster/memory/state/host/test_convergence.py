"""Whatever is late, lost or crashes, all hosts agree: nothing is lost, nothing counts twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import ClusterError
from cluster.kernel.ids import StepId
from cluster.memory.state.host import follower, keeper, upkeep
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.document import Document
from cluster.memory.state.host.documents import Documents
from tests.support.shared_documents import (
    BOARD,
    TASK,
    UnsteadyStateLog,
    say,
    spend,
    step,
    until,
    whole,
)

HOSTS = 3


@pytest.fixture(scope="module", autouse=True)
def without_pauses() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setattr(follower, "HEARTBEAT_S", 0.005)
    patch.setattr(follower, "RETRY_S", (0.001,))
    patch.setattr(keeper, "RETRY_S", (0.001,))
    patch.setattr(keeper, "READ_PAUSE_S", 0.0)
    patch.setattr(upkeep, "SEAL_ENTRIES", 12)
    patch.setattr(upkeep, "OPEN_ENTRIES", 4)
    yield
    patch.undo()


class Run:
    """Steps on three hosts, each with attempts that edit a board and may crash."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.log = UnsteadyStateLog(SystemClock())
        self.log.delay = lambda: self.chance.choice([0, 0, 1, 2, 5])
        self.hosts = [Documents(self.log, SystemClock()) for _ in range(HOSTS)]
        self.recorded: list[str] = []
        """What attempts have said whose flush was answered: the results that are recorded."""
        self.spent = 0

    async def all_steps(self) -> None:
        boards = [await each.open(BOARD) for each in self.hosts]
        steps = (self._step(f"{number}") for number in range(5))
        await asyncio.gather(*steps, self._trouble())
        self.log.is_down, self.log.lost_answers = False, 0
        await until(
            lambda: (
                len({whole(each) for each in boards}) == 1
                and not any(each.pending for each in boards)
            )
        )
        self._check(boards[0])
        await asyncio.gather(*(each.close() for each in self.hosts))

    async def _trouble(self) -> None:
        for _ in range(6):
            await self._idle(40)
            self.log.lost_answers = self.chance.choice([0, 0, 1, 2])
            self.log.is_down = self.chance.random() < 0.2
        self.log.is_down, self.log.lost_answers = False, 0

    async def _idle(self, turns_max: int) -> None:
        for _ in range(self.chance.randint(0, turns_max)):
            await asyncio.sleep(0)

    async def _step(self, name: str) -> None:
        """Run a step until an attempt at it is flushed; those before crash, or seem to."""
        while True:
            host = self.chance.choice(self.hosts)
            try:
                attempt = await step(host, name)
            except ClusterError:
                await self._idle(20)
                continue
            board = host.peek(BOARD)
            assert board is not None
            said = await self._edit(board, attempt)
            if self.chance.random() < 0.4:
                continue
            await host.flush(attempt)
            self.recorded += said
            self.spent += len(said)
            await self.log.settle(TASK, StepId(name))
            return

    async def _edit(self, board: Document, attempt: EditAttempt) -> list[str]:
        said: list[str] = []
        for number in range(self.chance.randint(1, 8)):
            word = f"{attempt.key.step}-{attempt.key.generation}-{number}"
            say(board, attempt, word)
            spend(board, attempt)
            shown = board.fields["said"]
            assert isinstance(shown, list)
            assert shown.count(word) == 1, "an author reads what they wrote, once"
            said.append(word)
            await self._idle(9)
            if attempt.error is not None:
                break
        return said

    def _check(self, board: Document) -> None:
        said = board.fields["said"]
        assert isinstance(said, list)
        assert sorted(map(str, said)) == sorted(self.recorded)
        assert board.fields["spent"] == self.spent


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_hosts_agree_on_what_was_recorded_and_on_nothing_else(seed: int) -> None:
    asyncio.run(Run(seed).all_steps())
