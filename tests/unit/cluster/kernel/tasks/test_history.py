"""A journal says what may be done next, and refuses what could never have happened."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kernel.errors import WireError
from cluster.kernel.events import (
    Adopted,
    Answered,
    Clarified,
    Detail,
    Discarded,
    Event,
    Failed,
    PlanReady,
    Routed,
    Speculated,
    StateConflicted,
    StateMerged,
    StepFinished,
    StepPlanned,
    StepStale,
    StepStarted,
    Submitted,
    Thought,
    UnknownDetail,
    WasCancelled,
)
from cluster.kernel.ids import NO_STEP, AgentId, StepId, TaskId
from cluster.kernel.reads import DocumentChange
from cluster.kernel.tasks.history import Compose, DoStep, MakePlan, TaskHistory
from cluster.kernel.vocabulary import Answer, Coherence, Failure, Finding, Passage, Plan, Step

AGENT = AgentId("researcher-0")


def step(name: str, *needs: str) -> Step:
    return Step(StepId(name), "researcher", f"do {name}", tuple(StepId(need) for need in needs))


DIAMOND = Plan((step("a"), step("b", "a"), step("c", "a"), step("d", "b", "c")))


class Journal:
    """A history that is told what happened, and numbers it."""

    def __init__(self, *details: tuple[str, Detail] | Detail) -> None:
        self.history = TaskHistory()
        for detail in details:
            self.add(detail)

    def add(self, detail: tuple[str, Detail] | Detail) -> None:
        name, what = detail if isinstance(detail, tuple) else (NO_STEP, detail)
        index = self.history.length + 1
        self.history.apply(Event(0.1 * index, TaskId("t"), AGENT, StepId(name), what, index))

    @property
    def next_steps(self) -> list[tuple[str, int]]:
        orders = self.history.orders()
        return [(o.step.id, o.attempt) for o in orders if isinstance(o, DoStep)]


def finished(name: str) -> tuple[str, Detail]:
    return name, StepFinished("finished", 1, value=Finding(f"found {name}"))


def started(name: str, attempt: int = 1) -> tuple[str, Detail]:
    return name, StepStarted(attempt)


def stale(name: str, redo: int = 1) -> tuple[str, Detail]:
    return name, StepStale((DocumentChange("cluster/Board", ("facts",), 3, 4),), redo)


BEGUN = (Submitted("why?"), PlanReady(DIAMOND, ("plain plan",)))
FIRST = (*BEGUN, started("a"), finished("a"))


def test_a_task_without_a_plan_is_to_be_planned() -> None:
    assert Journal(Submitted("why?")).history.orders() == (MakePlan(),)


def test_a_task_that_was_never_accepted_orders_nothing() -> None:
    assert TaskHistory().orders() == ()


def test_steps_follow_their_needs_without_rounds() -> None:
    journal = Journal(*BEGUN)
    assert journal.next_steps == [("a", 1)]
    journal.add(started("a"))
    journal.add(finished("a"))
    assert journal.next_steps == [("b", 1), ("c", 1)]
    journal.add(started("c"))
    journal.add(finished("c"))
    assert journal.next_steps == [("b", 1)]


def test_a_step_in_flight_is_asked_for_again_with_the_next_attempt() -> None:
    [order] = Journal(*BEGUN, started("a"), started("a", 3)).history.orders()

    assert isinstance(order, DoStep)
    assert (order.attempt, order.agent) == (4, AGENT)


def test_a_step_whose_result_was_stale_is_done_again_as_a_redo() -> None:
    journal = Journal(*BEGUN, started("a"), stale("a"))

    [before] = journal.history.orders()
    journal.add(started("a", 2))
    [after] = journal.history.orders()

    assert isinstance(before, DoStep)
    assert isinstance(after, DoStep)
    assert (before.attempt, before.redo) == (2, 1)
    assert (after.attempt, after.redo) == (3, 1)


def test_a_redo_is_never_taken_back() -> None:
    journal = Journal(*BEGUN, started("a"), stale("a"))

    with pytest.raises(WireError):
        journal.add(stale("a"))


def test_what_is_said_of_steps_is_said_of_the_answer() -> None:
    plan = Plan((step("a"), step("b")))
    done = StepFinished("finished", value=Finding("found a"), degraded=("a was stale",))
    journal = Journal(Submitted("why?"), PlanReady(plan, ("plain plan",)), started("a"))
    for detail in (("a", done), started("b"), finished("b")):
        journal.add(detail)

    [order] = journal.history.orders()

    assert isinstance(order, Compose)
    assert order.degraded == ("plain plan", "a was stale")


def test_nothing_follows_from_a_merge_or_a_conflict() -> None:
    merged = StateMerged((DocumentChange("cluster/Board", ("facts",), 3, 4),))
    conflict = StateConflicted("cluster/Board", "verdict")
    told = Journal(*FIRST, ("a", merged), conflict)

    assert told.history.orders() == Journal(*FIRST).history.orders()
    assert told.history.length == len(FIRST) + 2


BROADCAST = (Submitted("why?", coherence=Coherence.BROADCAST), PlanReady(DIAMOND))


def test_a_broadcast_task_begins_all_its_steps_at_once() -> None:
    assert Journal(*BROADCAST).next_steps == [("a", 1), ("b", 1), ("c", 1), ("d", 1)]


def test_a_broadcast_step_begins_with_what_is_there() -> None:
    journal = Journal(*BROADCAST, started("a"), started("d"), finished("a"), started("b"))
    journal.add(finished("b"))

    orders = {o.step.id: o for o in journal.history.orders() if isinstance(o, DoStep)}

    assert [result.step for result in orders[StepId("d")].needed] == ["b"]
    assert journal.history.missing(orders[StepId("d")].step) == ("c",)


@pytest.mark.parametrize("early", [finished("b"), stale("b")])
def test_a_broadcast_step_is_judged_and_ends_only_after_what_it_needs(
    early: tuple[str, Detail],
) -> None:
    journal = Journal(*BROADCAST, started("a"), started("b"))

    with pytest.raises(WireError):
        journal.add(early)
    journal.add(finished("a"))
    journal.add(early)


def test_a_step_gets_what_its_needs_came_to() -> None:
    journal = Journal(*FIRST)

    order = journal.history.orders()[0]

    assert isinstance(order, DoStep)
    assert [result.value for result in order.needed] == [Finding("found a")]


def test_only_the_answer_gets_the_passages_that_a_finding_was_written_from() -> None:
    finding = Finding("found a", passages=(Passage("a.md", 1, 1, "a is found here"),))
    plan = Plan((step("a"), step("b", "a")))
    done = ("a", StepFinished("finished", 1, value=finding))
    found = (Submitted("why?"), PlanReady(plan), started("a"), done)

    [order] = Journal(*found).history.orders()
    [answer] = Journal(*found, started("b"), finished("b")).history.orders()

    assert isinstance(order, DoStep)
    assert order.needed[0].value == Finding("found a")
    assert isinstance(answer, Compose)
    assert answer.results[0].value == finding


def test_a_failed_step_counts_as_done_and_its_failure_is_the_result() -> None:
    failure = Failure("model", "the model hung")
    journal = Journal(*BEGUN, started("a"), ("a", StepFinished("failed", 1, failure)))

    order = journal.history.orders()[0]

    assert isinstance(order, DoStep)
    assert order.needed[0].value == failure


def test_the_answer_is_composed_of_all_results_in_the_plans_order() -> None:
    journal = Journal(*FIRST)
    for name in ("c", "b", "d"):
        journal.add(started(name))
        journal.add(finished(name))

    [order] = journal.history.orders()

    assert isinstance(order, Compose)
    assert [result.step for result in order.results] == ["a", "b", "c", "d"]
    assert order.degraded == ("plain plan",)


@pytest.mark.parametrize("end", [Failed(Failure("model", "gone")), WasCancelled("enough")])
def test_nothing_is_to_be_done_after_the_end(end: Detail) -> None:
    assert Journal(*FIRST, end).history.orders() == ()


@pytest.mark.parametrize(
    "impossible",
    [
        Submitted("again"),
        PlanReady(DIAMOND),
        started("b"),
        started("x"),
        finished("a"),
        finished("d"),
        stale("a"),
        stale("c"),
        stale("x"),
        Answered(Answer("too early")),
        Thought("thoughts are not journaled"),
    ],
)
def test_what_can_not_follow_is_refused_and_changes_nothing(
    impossible: tuple[str, Detail] | Detail,
) -> None:
    journal = Journal(*BEGUN, started("a"), finished("a"), started("b"), finished("b"))
    before = (journal.history.orders(), journal.history.length)

    with pytest.raises(WireError, match="can't be event 7"):
        journal.add(impossible)

    assert (journal.history.orders(), journal.history.length) == before


def test_what_only_a_newer_version_knows_counts_and_changes_nothing_else() -> None:
    unknown = UnknownDetail(b"new")
    known, mixed = Journal(*FIRST), Journal(unknown, *BEGUN, ("a", unknown), *FIRST[2:], unknown)

    assert mixed.history.orders() == known.history.orders()
    assert mixed.history.length == known.history.length + 3


def test_nothing_unknown_follows_the_end() -> None:
    journal = Journal(*FIRST, WasCancelled("enough"))

    with pytest.raises(WireError):
        journal.add(UnknownDetail(b"new"))


def test_a_second_end_is_refused() -> None:
    journal = Journal(*FIRST, WasCancelled("enough"))

    with pytest.raises(WireError):
        journal.add(WasCancelled("enough"))


def test_an_event_with_the_wrong_number_is_refused() -> None:
    history = TaskHistory()
    event = Event(0.0, TaskId("t"), AGENT, NO_STEP, Submitted("why?"), 2)

    with pytest.raises(WireError, match="event 2"):
        history.apply(event)
    history.apply(replace(event, index=1))


def test_a_plan_that_can_not_be_finished_is_not_sound() -> None:
    assert DIAMOND.is_sound
    assert Plan().is_sound
    assert not Plan((step("a", "b"), step("b", "a"))).is_sound
    assert not Plan((step("a", "nobody"),)).is_sound
    assert not Plan((step("a"), step("a"))).is_sound


@given(st.randoms(use_true_random=False), st.integers(1, 8))
def test_whatever_order_steps_end_in_the_plan_is_finished_once(rng: Random, size: int) -> None:

    names = [f"s{number}" for number in range(size)]
    plan = Plan(
        tuple(
            step(name, *rng.sample(names[:place], rng.randint(0, min(place, 3))))
            for place, name in enumerate(names)
        )
    )
    journal = Journal(Submitted("why?"), PlanReady(plan))
    done = []
    while journal.next_steps:
        name, attempt = rng.choice(journal.next_steps)
        journal.add(started(name, attempt))
        if rng.random() < 0.7:
            journal.add(finished(name))
            done.append(name)
    journal.add(Answered(Answer("done")))

    assert sorted(done) == sorted(names)
    assert journal.history.orders() == ()


# ---- a plan that is still being written --------------------------------------------------------

A, B = DIAMOND.steps[:2]
WRITING = (Submitted("why?"), StepPlanned(A), StepPlanned(B))


def test_a_planned_step_begins_while_the_rest_is_still_to_be_planned() -> None:
    journal = Journal(*WRITING)

    assert journal.history.orders() == (MakePlan((A, B)), DoStep(A, ()))
    journal.add(started("a"))
    journal.add(finished("a"))

    assert journal.next_steps == [("b", 1)]
    assert journal.history.plan is None


def test_a_step_waits_for_one_that_is_still_to_be_planned() -> None:
    early = step("early", "late")
    journal = Journal(Submitted("why?"), StepPlanned(early))
    assert journal.next_steps == []
    assert journal.history.missing(early) == (StepId("late"),)

    journal.add(StepPlanned(step("late")))

    assert journal.next_steps == [("late", 1)]


def test_a_plan_of_which_all_that_is_known_has_ended_is_not_answered_yet() -> None:
    journal = Journal(Submitted("why?"), StepPlanned(A), started("a"), finished("a"))

    assert journal.history.orders() == (MakePlan((A,)),)
    journal.add(PlanReady(Plan((A,))))

    assert isinstance(journal.history.orders()[0], Compose)


def test_the_whole_plan_may_change_what_has_not_begun() -> None:
    journal = Journal(*WRITING, started("a"))
    other = replace(B, needs=())

    journal.add(PlanReady(Plan((A, other, step("e")))))

    assert journal.next_steps == [("a", 2), ("b", 1), ("e", 1)]


@pytest.mark.parametrize("plan", [Plan((B,)), Plan((replace(A, instruction="else"), B)), Plan()])
@pytest.mark.parametrize("so_far", [(started("a"),), (started("a"), finished("a"))])
def test_the_whole_plan_keeps_what_has_begun_as_it_is(
    plan: Plan, so_far: tuple[tuple[str, Detail], ...]
) -> None:
    journal = Journal(*WRITING, *so_far)
    with pytest.raises(WireError, match="plan_ready"):
        journal.add(PlanReady(plan))


@pytest.mark.parametrize(
    "detail", [StepPlanned(A), StepPlanned(replace(A, instruction="else")), Routed("chat", "team")]
)
def test_what_is_planned_is_planned_once(detail: Detail) -> None:
    with pytest.raises(WireError):
        Journal(*WRITING).add(detail)


@pytest.mark.parametrize("detail", [StepPlanned(step("e")), Routed("chat", "team")])
def test_nothing_is_planned_after_the_plan_is_whole(detail: Detail) -> None:
    with pytest.raises(WireError):
        Journal(*BEGUN).add(detail)
    with pytest.raises(WireError):
        Journal(detail)


def test_a_declared_step_may_begin_without_what_it_needs() -> None:
    soon = replace(step("b", "a"), is_broadcast=True)
    journal = Journal(Submitted("why?"), PlanReady(Plan((step("a"), soon))))

    assert journal.next_steps == [("a", 1), ("b", 1)]
    with pytest.raises(WireError):
        journal.add(finished("b"))


def test_what_is_speculated_changes_nothing_of_the_plan() -> None:
    guess = Speculated(step("~1"), 0.7, 2.0)
    journal = Journal(Submitted("why?"), Routed("chat", "team", 0.9), guess, *WRITING[1:])
    before = journal.history.orders()

    journal.add(("a", Adopted(StepId("~1"))))
    journal.add(Discarded(StepId("~2"), "the plan has another"))

    assert journal.history.orders() == before


def test_a_question_to_the_user_ends_a_task() -> None:
    journal = Journal(Submitted("why?"), Clarified("Which one?"))

    assert journal.history.terminal is not None
    assert journal.history.orders() == ()
