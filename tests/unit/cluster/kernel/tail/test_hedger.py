"""Hedging: when another attempt is made, which one counts, and what keeps the load bounded."""

from __future__ import annotations

import pytest

from cluster.kernel.tail.endpoint_speed import EndpointSpeed
from cluster.kernel.tail.hedged_call import NEVER, HedgedCall, HedgeMove, HedgeStep
from cluster.kernel.tail.hedger import Hedger, HedgeRules

FIRST_S, GAP_S = 1.0, 0.1


def known_speed() -> EndpointSpeed:
    speed = EndpointSpeed()
    for _ in range(100):
        speed.first_s.add(FIRST_S)
    for _ in range(1_000):
        speed.gaps_s.add(GAP_S)
    return speed


def hedger(replicas: int = 1, rules: HedgeRules | None = None) -> Hedger:
    return Hedger([known_speed() for _ in range(replicas)], rules)


def second(subject: Hedger, call: HedgedCall) -> HedgeStep:
    return subject.overdue(call, call.due_at, may_restart=True)


def spoken(subject: Hedger) -> HedgedCall:
    """Return a call whose first attempt has begun to speak."""
    return subject.heard(subject.begin(0.0), 0, 0.5, may_restart=True).call


def test_a_call_is_due_when_most_others_have_begun_to_answer() -> None:
    assert hedger().begin(0.0).due_at == pytest.approx(FIRST_S, rel=0.021)


def test_nothing_is_due_while_no_speed_is_known() -> None:
    assert Hedger([EndpointSpeed()]).begin(0.0).due_at == NEVER


def test_a_late_call_has_a_second_attempt_and_later_a_third_and_no_fourth() -> None:
    subject = hedger()
    two = second(subject, subject.begin(0.0))
    three = second(subject, two.call)

    assert [two.move, three.move] == [HedgeMove.START, HedgeMove.START]
    assert two.call.due_at == pytest.approx(2 * FIRST_S, rel=0.021)
    assert (three.call.due_at, subject.extra) == (NEVER, 2)


def test_the_first_attempt_to_speak_counts_and_the_others_are_dropped() -> None:
    subject = hedger()
    call = second(subject, subject.begin(0.0)).call

    step = subject.heard(call, 1, 1.5, may_restart=True)

    assert (step.move, step.call.committed) == (HedgeMove.COMMIT, 1)
    assert [attempt.number for attempt in step.dropped] == [0]
    assert subject.heard(step.call, 0, 1.6, may_restart=True).move is HedgeMove.WAIT


def test_an_answer_that_stops_is_replaced_once_and_as_a_whole() -> None:
    subject = hedger()
    stalled = second(subject, spoken(subject))
    switched = subject.heard(stalled.call, 1, 9.0, may_restart=True)

    assert (stalled.move, switched.move) == (HedgeMove.START, HedgeMove.SWITCH)
    assert [attempt.number for attempt in switched.dropped] == [0]
    assert switched.call.due_at == NEVER


def test_an_answer_that_goes_on_before_its_replacement_speaks_stays() -> None:
    subject = hedger()
    stalled = second(subject, spoken(subject))

    step = subject.heard(stalled.call, 0, 9.0, may_restart=True)

    assert (step.move, step.call.committed) == (HedgeMove.WAIT, 0)
    assert [attempt.number for attempt in step.dropped] == [1]


def test_an_answer_that_is_in_use_is_not_replaced() -> None:
    subject = hedger()
    call = spoken(subject)
    stalled = second(subject, call)

    assert subject.overdue(call, call.due_at, may_restart=False).move is HedgeMove.WAIT
    too_late = subject.heard(stalled.call, 1, 9.0, may_restart=False)
    assert (too_late.move, too_late.call.committed) == (HedgeMove.WAIT, 0)


def test_a_short_silence_is_no_stall() -> None:
    assert spoken(hedger()).due_at == 0.5 + HedgeRules().stall_min_s


def test_a_failed_attempt_is_made_again_on_another_replica_only() -> None:
    one, two = hedger(1), hedger(2)
    alone, call = one.begin(0.0), two.begin(0.0)

    step = two.failed(call, 0, 0.1, by_asker=False, may_restart=True)

    assert step.move is HedgeMove.START
    assert step.call.under_way[0].replica != call.under_way[0].replica
    assert one.failed(alone, 0, 0.1, by_asker=False, may_restart=True).move is HedgeMove.FAIL


def full(subject: Hedger, call: HedgedCall, now: float, room_at: float) -> HedgeStep:
    """Take that the attempt under way has found no room."""
    [attempt] = call.under_way
    return subject.failed(
        call, attempt.number, now, by_asker=False, may_restart=True, room_at=room_at
    )


def test_replicas_without_room_are_asked_again_when_each_wants_to_be() -> None:
    subject = hedger(2)
    first = subject.begin(0.0)
    second_one = full(subject, first, 0.1, room_at=9.0).call
    waiting = full(subject, second_one, 0.2, room_at=1.0)

    again = subject.overdue(waiting.call, 1.0, may_restart=True)
    both = full(subject, again.call, 1.1, room_at=30.0)
    last = subject.overdue(both.call, 9.0, may_restart=True)

    assert (waiting.move, waiting.call.due_at) == (HedgeMove.WAIT, 1.0)
    assert (again.move, both.call.due_at) == (HedgeMove.RETURN, 9.0)
    assert again.call.under_way[0].replica == second_one.under_way[0].replica
    assert last.call.under_way[0].replica == first.under_way[0].replica
    assert subject.extra == 0


def test_an_attempt_that_finds_no_room_is_no_failure_of_its_replica_and_none_of_the_attempts() -> (
    None
):
    speeds = [known_speed(), known_speed()]
    subject = Hedger(speeds)
    call = full(subject, subject.begin(0.0), 0.1, room_at=1.0).call
    call = full(subject, call, 0.2, room_at=2.0).call

    again = subject.overdue(call, 1.0, may_restart=True).call

    assert [speed.failures for speed in speeds] == [0, 0]
    assert (again.started, again.made) == (3, 1)
    assert again.due_at < NEVER


def test_a_call_that_no_replica_wants_to_be_asked_for_again_has_failed() -> None:
    subject = hedger(2)
    call = full(subject, subject.begin(0.0), 0.1, room_at=NEVER).call

    assert full(subject, call, 0.2, room_at=NEVER).move is HedgeMove.FAIL


def test_nobody_is_asked_again_once_a_waiting_call_may_ask_nobody() -> None:
    subject = hedger(2)
    call = full(subject, subject.begin(0.0), 0.1, room_at=1.0).call
    call = full(subject, call, 0.2, room_at=2.0).call

    step = subject.overdue(call, 1.0, may_restart=True, may_ask=False)

    assert step.move is HedgeMove.FAIL


def test_a_hedge_goes_to_a_replica_that_had_no_room_when_it_wants_to_be_asked_again() -> None:
    subject = hedger(2)
    call = full(subject, subject.begin(0.0), 0.1, room_at=2.0).call
    crowded = call.unanswered[0].replica

    early = subject.overdue(call, 1.9, may_restart=True)
    late = subject.overdue(call, 2.1, may_restart=True)

    assert early.call.under_way[-1].replica != crowded
    assert late.call.under_way[-1].replica == crowded


def test_what_the_asker_is_at_fault_for_is_not_tried_elsewhere() -> None:
    subject = hedger(2)

    step = subject.failed(subject.begin(0.0), 0, 0.1, by_asker=True, may_restart=True)

    assert step.move is HedgeMove.FAIL


def test_extra_load_has_a_bound() -> None:
    subject = hedger(rules=HedgeRules(saved_max=2.0))
    for at in range(0, 10_000, 10):
        call = subject.begin(float(at))
        if at % 30 == 0:  # a third of the calls would be hedged
            call = second(subject, call).call
        subject.heard(call, call.under_way[-1].number, at + 1.5, may_restart=True)

    assert subject.extra <= 0.08 * subject.calls + 2


def test_a_call_that_may_not_be_hedged_asks_less_and_less_often() -> None:
    subject = hedger(rules=HedgeRules(saved_max=0.0))
    call, asked = subject.begin(0.0), 0

    while call.due_at < 1_000:
        call, asked = second(subject, call).call, asked + 1

    assert (asked, subject.extra) == (10, 0)


def test_nothing_is_hedged_while_all_calls_are_slow_and_soon_after_again() -> None:
    subject = hedger()
    for at in range(10):
        second(subject, subject.begin(float(at)))
    assert subject.is_off(10.0)

    for at in range(12):
        subject.heard(subject.begin(10 + at / 20), 0, 10.1 + at / 20, may_restart=True)

    assert not subject.is_off(11.0)


def test_a_slowdown_is_not_learned_until_it_has_lasted() -> None:
    speed = known_speed()
    subject = Hedger([speed], HedgeRules(normal_after_s=60.0))

    def slow_call(at: float) -> None:
        late = second(subject, subject.begin(at)).call
        subject.heard(late, 0, at + 1.5, may_restart=True)

    for at in range(30):
        slow_call(float(at))
    assert speed.first_within_s(0.5) == pytest.approx(FIRST_S, rel=0.021)
    at = 30
    while subject.is_off(at):
        slow_call(float(at))
        at += 1

    assert 60 < at < 80
    assert speed.first_within_s(0.5) == pytest.approx(1.5, rel=0.021)


def test_a_slow_replica_is_passed_over() -> None:
    subject = hedger(2)
    for at in range(40):
        call = subject.begin(float(at))
        if call.under_way[0].replica == 0:
            call = second(subject, call).call
        subject.released(subject.heard(call, 0, at + 0.9, may_restart=True).call, at + 0.9)

    assert subject.begin(40.0).under_way[0].replica == 1


def test_an_attempt_that_is_given_up_counts_as_having_taken_so_long() -> None:
    speed = known_speed()
    subject = Hedger([speed])
    call = second(subject, subject.begin(0.0)).call

    subject.heard(call, 1, 5.0, may_restart=True)

    assert speed.first_within_s(1.0) == pytest.approx(5.0, rel=0.021)
