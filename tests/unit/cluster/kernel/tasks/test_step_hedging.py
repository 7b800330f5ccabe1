"""Which steps may be done twice, by whom, and when the second replica is asked."""

from __future__ import annotations

import pytest

from cluster.kernel.ids import AgentId, StepId
from cluster.kernel.registration import Registration
from cluster.kernel.tail.endpoint_speed import KNOWN_MIN
from cluster.kernel.tail.hedged_call import NEVER, HedgedCall, HedgeMove
from cluster.kernel.tasks.step_hedging import STEP_RULES, RoleHedger, other_replicas
from cluster.kernel.vocabulary import Assignment

FIRST, SECOND = AgentId("critic-0"), AgentId("critic-1")
USUAL_S = 1.0
BY_HANDLER = Assignment(StepId("s"), "judge", "goal")
DECLARED = Assignment(StepId("s"), "judge", "goal", is_pure=True)


def replica(agent: AgentId, *pure: str) -> Registration:
    return Registration(agent, "", 1, handles=("Assignment", "Finding", "Program"), pure=pure)


def others(
    assignment: Assignment, *known: Registration, results: tuple[str, ...] = ()
) -> list[str]:
    return [each.agent for each in other_replicas(assignment, results, FIRST, known)]


def known_role() -> RoleHedger:
    hedger = RoleHedger()
    for _ in range(100):
        hedger.learn(USUAL_S)
    return hedger


def late(hedger: RoleHedger, *, has_other: bool = True, left_s: float = 60.0) -> HedgeMove:
    step = hedger.begin(0.0)
    return overdue(hedger, step, has_other=has_other, left_s=left_s)


def overdue(
    hedger: RoleHedger, step: HedgedCall, *, has_other: bool = True, left_s: float = 60.0
) -> HedgeMove:
    return hedger.overdue(step, step.due_at, has_other=has_other, left_s=left_s).move


def test_a_step_is_for_any_other_replica_whose_handler_is_pure() -> None:
    pure, other = replica(FIRST, "Assignment"), replica(SECOND, "Assignment")

    assert others(BY_HANDLER, pure, other) == [SECOND]


def test_a_step_is_done_once_where_either_replica_may_change_something() -> None:
    pure, impure = "Assignment", "Program"

    assert others(BY_HANDLER, replica(FIRST, impure), replica(SECOND, pure)) == []
    assert others(BY_HANDLER, replica(FIRST, pure), replica(SECOND, impure)) == []


def test_a_replica_that_has_lost_its_lease_says_nothing_of_the_others() -> None:
    assert others(BY_HANDLER, replica(SECOND, "Assignment")) == []


def test_the_method_for_the_newest_result_counts() -> None:
    known = (replica(FIRST, "Finding"), replica(SECOND, "Finding"))

    assert others(BY_HANDLER, *known, results=("Program", "Finding")) == [SECOND]
    assert others(BY_HANDLER, *known, results=("Finding", "Program")) == []
    assert others(BY_HANDLER, *known) == []


def test_a_step_that_is_declared_pure_is_so_whoever_does_it() -> None:
    assert others(DECLARED, replica(FIRST), replica(SECOND)) == [SECOND]


def test_a_late_step_is_given_to_a_second_replica_and_to_no_third() -> None:
    hedger = known_role()
    step = hedger.begin(0.0)

    move = hedger.overdue(step, step.due_at, has_other=True, left_s=60.0)

    assert step.due_at == pytest.approx(USUAL_S, rel=0.021)
    assert (move.move, move.call.due_at, hedger.extra) == (HedgeMove.START, NEVER, 1)


def test_nothing_is_late_before_the_role_is_known() -> None:
    hedger = RoleHedger()
    for _ in range(KNOWN_MIN - 1):
        hedger.answered(hedger.begin(0.0), 0, USUAL_S)
    before = hedger.begin(0.0).due_at
    hedger.answered(hedger.begin(0.0), 0, USUAL_S)

    assert before == NEVER
    assert hedger.begin(0.0).due_at == pytest.approx(USUAL_S, rel=0.021)


def test_a_step_stays_where_it_is_without_another_replica_or_without_the_time() -> None:
    assert late(known_role(), has_other=False) is HedgeMove.WAIT
    assert late(known_role(), left_s=USUAL_S / 2) is HedgeMove.WAIT
    assert late(known_role(), left_s=USUAL_S * 2) is HedgeMove.START


def test_a_refused_second_attempt_is_asked_for_again_later() -> None:
    hedger = known_role()
    step = hedger.begin(0.0)

    refused = hedger.overdue(step, step.due_at, has_other=False, left_s=60.0)

    assert step.due_at < refused.call.due_at < NEVER
    assert overdue(hedger, refused.call) is HedgeMove.START


def test_extra_load_is_bounded_by_what_steps_have_earned() -> None:
    hedger, steps = known_role(), 1_000
    for _ in range(steps):  # far apart, so that the role never counts as slow
        hedger.answered(hedger.begin(0.0), 0, USUAL_S / 2)
    for number in range(steps):
        step = hedger.begin(1_000.0 * number)
        hedger.overdue(step, step.due_at, has_other=True, left_s=60.0)

    assert hedger.extra <= STEP_RULES.saved_max + STEP_RULES.earned * steps


def test_where_all_of_a_role_are_slow_nothing_is_hedged() -> None:
    hedger = known_role()

    moves = [late(hedger) for _ in range(12)]

    assert moves[0] is HedgeMove.START
    assert set(moves[6:]) == {HedgeMove.WAIT}


def test_the_first_to_answer_counts_and_the_other_is_dropped() -> None:
    hedger = known_role()
    step = hedger.begin(0.0)
    step = hedger.overdue(step, step.due_at, has_other=True, left_s=60.0).call

    decided = hedger.answered(step, 1, 1.5)

    assert decided.call.committed == 1
    assert [each.number for each in decided.dropped] == [0]


def test_a_step_has_failed_when_all_who_do_it_have() -> None:
    hedger = known_role()
    step = hedger.begin(0.0)
    step = hedger.overdue(step, step.due_at, has_other=True, left_s=60.0).call

    one = hedger.failed(step, 0, 1.5)
    both = hedger.failed(one.call, 1, 1.6)

    assert (one.move, both.move) == (HedgeMove.WAIT, HedgeMove.FAIL)
