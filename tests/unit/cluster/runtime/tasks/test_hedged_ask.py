"""A pure step that takes long is done by a second replica too, and one attempt of it counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from cluster.kernel.errors import ModelError
from cluster.kernel.events import Event, FellBack, Hedged, Spent, StepFinished, Thought
from cluster.kernel.ids import AgentId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Assignment, Finding
from cluster.runtime.tasks.context import Experience, Techniques
from cluster.runtime.tasks.task_journal import events_of
from cluster.wire.messages import MessageCodec
from tests.support.hosts import Answering, MemoryCluster, until
from tests.unit.cluster.runtime.tasks.test_engine import PlanningManager, step

USUAL_S = 0.001
"""So soon that whoever waits for anything is late."""
ROLE = "researcher"
FIRST, SECOND = "researcher-0", "researcher-1"
Keep = Callable[..., Coroutine[Any, Any, Any]]


def known() -> Experience:
    experience = Experience()
    for _ in range(100):
        experience.hedger(ROLE).learn(USUAL_S)
    return experience


class Replica:
    """Says what it does; waits until it is let go on, and notes where it was stopped."""

    def __init__(self, *, waits: bool) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.was_stopped = asyncio.Event()
        self.asked: list[Assignment] = []
        if not waits:
            self.go_on.set()

    async def __call__(self, message: object, turn: Turn) -> object:
        assert isinstance(message, Assignment)
        self.asked.append(message)
        turn.emit(Thought(f"thought by {turn.agent}"))
        turn.emit(Spent("model", 1.0, 1, 2))
        self.begun.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.was_stopped.set()
            raise
        return Finding(f"found by {turn.agent}")


class Hedging:
    """A cluster whose role is known, two replicas of it, and a task of one pure step."""

    def __init__(
        self, *, techniques: Techniques | None = None, experience: Experience | None = None
    ) -> None:
        self.cluster = MemoryCluster(
            techniques=techniques, experience=known() if experience is None else experience
        )
        self.events: list[Event] = []
        self.journal: list[Event] = []
        self.is_declared = True

    async def run(self, *replicas: Answering) -> None:
        """Do the step, whose replicas answer with these."""
        planned = replace(step("a"), is_pure=self.is_declared)
        async with self.cluster as cluster:
            await cluster.add_manager(PlanningManager(planned))
            for number, answer in enumerate(replicas):
                await cluster.add(f"{ROLE}-{number}", answer)
            task = await cluster.submit("why?", 60.0)
            self.events = [event async for event in task]
            self.journal = events_of(await cluster.journal.read(task.id), MessageCodec())

    @property
    def finished(self) -> tuple[AgentId, StepFinished]:
        """Who has done the step, and what came of it."""
        [found] = [
            (event.agent, event.detail)
            for event in self.journal
            if isinstance(event.detail, StepFinished)
        ]
        return found

    @property
    def thoughts(self) -> list[str]:
        return [e.detail.text for e in self.events if isinstance(e.detail, Thought)]

    @property
    def hedged(self) -> list[tuple[str, str, str]]:
        hedged = [(e, e.detail) for e in self.events if isinstance(e.detail, Hedged)]
        return [(event.agent, event.step, detail.what) for event, detail in hedged]


async def test_a_late_step_has_the_result_of_the_second_replica_and_the_first_is_stopped() -> None:
    hedging, slow, fast = Hedging(), Replica(waits=True), Replica(waits=False)

    await hedging.run(slow, fast)
    await slow.was_stopped.wait()

    agent, finished = hedging.finished
    assert (agent, finished.value) == (SECOND, Finding(f"found by {SECOND}"))
    assert hedging.hedged == [(SECOND, "a", ROLE)]
    assert slow.asked == fast.asked
    assert finished.spent is not None
    assert (finished.spent.hedges, finished.spent.model_calls) == (1, 2)


async def test_what_the_second_says_is_shown_once_it_has_won_and_after_all_of_the_first() -> None:
    hedging = Hedging()

    await hedging.run(Replica(waits=True), Replica(waits=False))

    assert hedging.thoughts == [f"thought by {FIRST}", f"thought by {SECOND}"]


async def test_what_the_second_says_is_not_shown_where_the_first_wins() -> None:
    hedging, first, second = Hedging(), Replica(waits=True), Replica(waits=True)

    async def let_go() -> None:
        await second.begun.wait()
        first.go_on.set()

    await asyncio.gather(hedging.run(first, second), let_go())
    await second.was_stopped.wait()

    agent, finished = hedging.finished
    assert (agent, finished.value) == (FIRST, Finding(f"found by {FIRST}"))
    assert hedging.thoughts == [f"thought by {FIRST}"]


class Recorded:
    """Has the first replica record its result while the second one works, and then do something."""

    def __init__(self, hedging: Hedging, then: Callable[[], Coroutine[Any, Any, object]]) -> None:
        self._hedging = hedging
        self._then = then
        self.second = Replica(waits=True)
        self._second_knows = asyncio.Event()

    async def first(self, message: object, turn: Turn) -> object:
        turn.emit(Thought(f"thought by {turn.agent}"))
        await self.second.begun.wait()
        _, first, second = self._hedging.cluster.hosts
        first.records.keep = self._keeping(first.records.keep, self._let_second_answer)  # type: ignore[method-assign]
        second.records.keep = self._keeping(second.records.keep, self._know)  # type: ignore[method-assign]
        return Finding(f"found by {turn.agent}")

    def _keeping(self, keep: Keep, then: Callable[[], Coroutine[Any, Any, object]]) -> Keep:
        async def kept(*given: Any) -> Any:
            result = await keep(*given)
            await then()
            return result

        return kept

    async def _let_second_answer(self) -> None:
        self.second.go_on.set()
        await self._second_knows.wait()
        await self._then()

    async def _know(self) -> None:
        self._second_knows.set()


async def at_once() -> None:
    """Do nothing."""


@pytest.mark.parametrize("is_first_lost", [False, True])
async def test_who_answers_with_the_record_of_the_other_does_not_pass_it_off_as_its_own(
    *, is_first_lost: bool
) -> None:
    hedging = Hedging()

    async def lost() -> None:
        ends = asyncio.create_task(hedging.cluster.hosts[1].abort())
        await asyncio.Event().wait()
        await ends

    recorded = Recorded(hedging, lost if is_first_lost else at_once)
    await hedging.run(recorded.first, recorded.second)

    agent, finished = hedging.finished
    assert (agent, finished.value) == (FIRST, Finding(f"found by {FIRST}"))
    assert hedging.thoughts == [f"thought by {FIRST}"]


async def test_a_failure_of_one_waits_for_the_other() -> None:
    hedging, second = Hedging(), Replica(waits=True)

    async def first(message: object, turn: Turn) -> object:
        await second.begun.wait()
        second.go_on.set()
        raise ModelError("the endpoint is gone")

    await hedging.run(first, second)

    agent, finished = hedging.finished
    assert (agent, finished.outcome, finished.attempts) == (SECOND, "finished", 1)


async def test_where_both_fail_the_step_fails_as_the_first_one_did() -> None:
    hedging, second_begun = Hedging(), asyncio.Event()

    async def fails(message: object, turn: Turn) -> object:
        if turn.agent == SECOND:
            second_begun.set()
        await second_begun.wait()
        raise ModelError(f"{turn.agent} is broken")

    await hedging.run(fails, fails)

    _, finished = hedging.finished
    assert finished.failure is not None
    assert finished.failure.message == f"{FIRST} is broken"


async def test_what_a_loser_has_given_up_is_not_said_of_the_result() -> None:
    hedging = Hedging()

    async def first(message: object, turn: Turn) -> object:
        turn.emit(FellBack("model", "a small model answers"))
        return await asyncio.Event().wait()

    await hedging.run(first, Replica(waits=False))

    _, finished = hedging.finished
    assert finished.degraded == ()


NEVER_HEDGED: list[tuple[str, Callable[[], Hedging]]] = [
    ("switched off", lambda: Hedging(techniques=Techniques(hedges_steps=False))),
    ("not known", lambda: Hedging(experience=Experience())),
]


@pytest.mark.parametrize(
    "made", [made for _, made in NEVER_HEDGED], ids=[name for name, _ in NEVER_HEDGED]
)
async def test_a_step_is_done_once_where_hedging_is(made: Callable[[], Hedging]) -> None:
    hedging, second = made(), Replica(waits=False)

    await hedging.run(patient, second)

    assert (hedging.finished[0], hedging.hedged, second.asked) == (FIRST, [], [])


async def test_a_step_that_may_change_something_is_done_once() -> None:
    hedging, second = Hedging(), Replica(waits=False)
    hedging.is_declared = False

    await hedging.run(patient, second)

    assert (hedging.finished[0], second.asked) == (FIRST, [])


async def test_a_step_of_the_only_replica_is_done_once() -> None:
    hedging = Hedging()

    await hedging.run(patient)

    assert (hedging.finished[0], hedging.hedged) == (FIRST, [])


async def patient(message: object, turn: Turn) -> object:
    """Take so long that a hedged step would have been given to somebody else."""
    ends_at = time.monotonic() + 20 * USUAL_S
    await until(lambda: time.monotonic() > ends_at)
    return Finding(f"found by {turn.agent}")
