"""Tasks that end in another way than by a plan that was carried out, and what is said of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from cluster.kernel.errors import DeadlinePassed, ModelError
from cluster.kernel.events import (
    Answered,
    Clarified,
    Detail,
    Event,
    Failed,
    FellBack,
    PlanReady,
    Routed,
    Spent,
    StepFinished,
    StepPlanned,
    StepStarted,
)
from cluster.kernel.ids import TaskId
from cluster.kernel.tasks.budget import NO_BUDGET, Budget
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import (
    Answer,
    Assignment,
    ComposeRequest,
    Finding,
    Plan,
    PlanProposal,
    PlanRequest,
)
from cluster.memory.journal.local import LocalJournal
from cluster.memory.kept_answers import StoredAnswers
from cluster.memory.store.local import LocalStore
from cluster.runtime.tasks.answers_of_before import AnswersOfBefore
from cluster.runtime.tasks.task_journal import events_of
from cluster.wire.messages import MessageCodec
from tests.support.clock import ManualClock
from tests.support.hosts import MemoryCluster
from tests.unit.cluster.runtime.tasks.test_engine import PlanningManager, find, step

CHAIN = (step("a"), step("b", "a"))


async def journal_of(cluster: MemoryCluster, budget: Budget = NO_BUDGET) -> list[Event]:
    task = await cluster.submit("why?", budget=budget)
    async for _ in task:
        pass
    return events_of(await cluster.journal.read(task.id), MessageCodec())


def details(journal: list[Event]) -> list[Detail]:
    return [event.detail for event in journal]


# ---- a question to the user ------------------------------------------------------------------


async def ask_back(message: object, _: Turn) -> object:
    assert isinstance(message, PlanRequest)
    return PlanProposal(Plan(()), question="Which of the two?")


async def test_a_goal_that_cannot_be_planned_as_it_is_is_asked_back() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add_manager(ask_back)
        journal = await journal_of(cluster)

    assert details(journal)[1:] == [Clarified("Which of the two?")]


# ---- easy goals ------------------------------------------------------------------------------


class RoutingManager(PlanningManager):
    """Sends the goal somewhere before it plans."""

    route = Routed("chat", "chat", 0.9, "quick", 0.0001)

    async def __call__(self, message: object, turn: Turn) -> object:
        if isinstance(message, PlanRequest):
            turn.emit(self.route)
        return await super().__call__(message, turn)


async def test_where_a_goal_went_is_journaled_and_whoever_answers_is_told() -> None:
    manager = RoutingManager()
    async with MemoryCluster() as cluster:
        await cluster.add_manager(manager)
        journal = await journal_of(cluster)

    assert [event.kind for event in journal] == ["submitted", "routed", "plan_ready", "answered"]
    [request] = manager.composed
    assert (request.route, request.effort) == ("chat", "quick")


async def test_agents_are_told_how_deep_a_goal_is_worked_on() -> None:
    efforts: list[str] = []

    async def note(message: object, turn: Turn) -> object:
        assert isinstance(message, Assignment)
        efforts.append(message.effort)
        return await find(message, turn)

    async with MemoryCluster() as cluster:
        await cluster.add_manager(RoutingManager(*CHAIN))
        await cluster.add("researcher-0", note)
        await journal_of(cluster)

    assert efforts == ["quick", "quick"]


# ---- a budget --------------------------------------------------------------------------------


async def spend(message: object, turn: Turn) -> object:
    turn.emit(Spent("model", 0.1, prompt_tokens=60, completion_tokens=30, cost=0.5))
    return await find(message, turn)


async def test_no_step_begins_once_the_budget_is_used_up_and_the_answer_says_so() -> None:
    manager = PlanningManager(*CHAIN)
    async with MemoryCluster() as cluster:
        await cluster.add_manager(manager)
        await cluster.add("researcher-0", spend)
        journal = await journal_of(cluster, Budget(tokens_max=100))

    ends = [detail for detail in details(journal) if isinstance(detail, StepFinished)]
    assert [end.outcome for end in ends] == ["finished", "failed"]
    assert ends[1].failure is not None
    assert ends[1].failure.kind == "budget"
    assert "90 of the 100 tokens" in ends[1].failure.message
    [request] = manager.composed
    assert request.lacks == ""  # a share of the budget is the answer's
    assert isinstance(journal[-1].detail, Answered)


async def test_a_step_that_waited_for_an_agent_does_not_begin_once_the_budget_is_used_up() -> None:
    late = replace(step("b"), agent="coder")
    async with MemoryCluster() as cluster:
        await cluster.add_manager(PlanningManager(step("a"), late))
        await cluster.add("researcher-0", spend)
        task = await cluster.submit("why?", budget=Budget(tokens_max=100))
        async for event in task:
            if event.step == "a" and isinstance(event.detail, StepFinished):
                await cluster.add("coder-0", find)
        journal = events_of(await cluster.journal.read(task.id), MessageCodec())

    begun = [event.step for event in journal if isinstance(event.detail, StepStarted)]
    assert begun == ["a"]


async def test_the_answer_is_told_where_nothing_is_left_for_it() -> None:
    manager = PlanningManager(*CHAIN)
    async with MemoryCluster() as cluster:
        await cluster.add_manager(manager)
        await cluster.add("researcher-0", spend)
        await journal_of(cluster, Budget(cost_max=0.4))

    assert [request.lacks for request in manager.composed] == [
        "0.5 of the 0.4 that the task may cost"
    ]


# ---- another model ---------------------------------------------------------------------------


async def test_what_another_model_had_to_do_is_said_with_the_answer() -> None:
    class Planning(PlanningManager):
        async def __call__(self, message: object, turn: Turn) -> object:
            turn.emit(FellBack("model", "small answers in place of large: it is down"))
            return await super().__call__(message, turn)

    async def fall_back(message: object, turn: Turn) -> object:
        turn.emit(FellBack("model", "small answers in place of large: it is late"))
        turn.emit(FellBack("research", "which its agent says itself"))
        return await find(message, turn)

    async with MemoryCluster() as cluster:
        await cluster.add_manager(Planning(step("a")))
        await cluster.add("researcher-0", fall_back)
        journal = await journal_of(cluster)

    end = journal[-1].detail
    assert isinstance(end, Answered)
    assert end.answer.degraded == (
        "The plan: small answers in place of large: it is down.",
        "Step a: small answers in place of large: it is late.",
        "The answer: small answers in place of large: it is down.",
    )


# ---- an answer of before ---------------------------------------------------------------------


class Failing(PlanningManager):
    """Answers until it is told to fail."""

    error: Exception | None = None
    at = PlanRequest

    async def __call__(self, message: object, turn: Turn) -> object:
        if self.error is not None and isinstance(message, self.at):
            raise self.error
        return await super().__call__(message, turn)


class Composing(Failing):
    at = ComposeRequest  # type: ignore[assignment]


def answers() -> AnswersOfBefore:
    return AnswersOfBefore(StoredAnswers(LocalStore(ManualClock()), MessageCodec()), "m")


async def ends_of(manager: Failing, error: Exception) -> tuple[Detail, Detail]:
    """Ask twice, the second time in vain; return how both ended."""
    async with MemoryCluster(answers=answers()) as cluster:
        await cluster.add_manager(manager)
        await cluster.add("researcher-0", find)
        first = await journal_of(cluster)
        manager.error = error
        return first[-1].detail, (await journal_of(cluster))[-1].detail


async def test_where_no_model_can_be_reached_the_same_question_has_its_answer_of_before() -> None:
    first, second = await ends_of(Failing(step("a")), ModelError("it is down"))

    assert isinstance(first, Answered)
    assert isinstance(second, Answered)
    [said] = second.answer.degraded
    assert said.endswith("ago: it is down.")
    assert replace(second.answer, degraded=()) == first.answer


async def test_it_has_it_too_where_the_answer_cannot_be_written_in_time() -> None:
    _, second = await ends_of(Composing(step("a")), DeadlinePassed("it was late"))

    assert isinstance(second, Answered)
    assert second.answer.degraded[0].endswith("ago: it was late.")


async def test_a_fault_of_ours_is_told_and_not_covered_by_an_old_answer() -> None:
    _, second = await ends_of(Failing(step("a")), ZeroDivisionError())

    assert isinstance(second, Failed)


class Sealing(Failing):
    """Seals a step before it fails."""

    failed = 0

    async def __call__(self, message: object, turn: Turn) -> object:
        if self.error is not None and isinstance(message, PlanRequest):
            self.failed += 1
            turn.emit(StepPlanned(step("a")))
        return await super().__call__(message, turn)


class SlowJournal(LocalJournal):
    """Takes its time for everything but the submission."""

    async def append(
        self,
        task: TaskId,
        term: int,
        index: int,
        entries: Sequence[bytes],
        *,
        is_final: bool = False,
    ) -> None:
        for _ in range(100):
            await asyncio.sleep(0)
        await super().append(task, term, index, entries, is_final=is_final)


async def test_a_task_fails_as_soon_as_a_step_of_it_is_on_its_way_to_the_journal() -> None:
    manager = Sealing(step("a"))
    async with MemoryCluster(answers=answers()) as cluster:
        cluster.journal = SlowJournal(cluster.clock)
        await cluster.add_manager(manager)
        await cluster.add("researcher-0", find)
        await journal_of(cluster)
        manager.error = ModelError("it is down")
        journal = await journal_of(cluster)

    assert isinstance(journal[-1].detail, Failed)
    assert manager.failed == 1  # its owner did not give it up on the way


async def test_a_question_that_was_never_answered_fails() -> None:
    manager = Failing(step("a"))
    manager.error = ModelError("it is down")
    async with MemoryCluster(answers=answers()) as cluster:
        await cluster.add_manager(manager)
        journal = await journal_of(cluster)

    assert isinstance(journal[-1].detail, Failed)
    assert not any(isinstance(detail, PlanReady) for detail in details(journal))


async def test_a_plainer_answer_than_before_is_not_given() -> None:
    class Plain(PlanningManager):
        is_plain = False

        async def __call__(self, message: object, turn: Turn) -> object:
            reply = await super().__call__(message, turn)
            if self.is_plain and isinstance(reply, Answer):
                turn.emit(FellBack("answer", "put together from the results"))
                return Answer("plainer", degraded=("put together from the results",))
            return reply

    manager = Plain(step("a"))
    async with MemoryCluster(answers=answers()) as cluster:
        await cluster.add_manager(manager)
        await cluster.add("researcher-0", find)
        await journal_of(cluster)
        manager.is_plain = True
        end = (await journal_of(cluster))[-1].detail

    assert isinstance(end, Answered)
    assert end.answer.text == Finding.__name__
