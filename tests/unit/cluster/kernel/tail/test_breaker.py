"""The breaker: when it opens, what one trial decides, and what says nothing about an endpoint."""

from __future__ import annotations

from cluster.kernel.tail.breaker import FAILURES_MAX, OPEN_S, Admission, Breaker, CallOutcome


def after(breaker: Breaker, *outcomes: CallOutcome, now: float = 0.0) -> Breaker:
    for outcome in outcomes:
        breaker, admission = breaker.admitted(now)
        breaker = breaker.after(admission, outcome, now)
    return breaker


OPEN = after(Breaker(), *[CallOutcome.FAILED] * FAILURES_MAX)


def test_failures_in_a_row_open_it() -> None:
    almost = after(Breaker(), *[CallOutcome.FAILED] * (FAILURES_MAX - 1))

    assert almost.admitted(0.0)[1] is Admission.CALL
    assert OPEN.admitted(0.0)[1] is Admission.REFUSED


def test_an_answer_between_failures_keeps_it_closed() -> None:
    some = [CallOutcome.FAILED] * (FAILURES_MAX - 1)

    breaker = after(Breaker(), *some, CallOutcome.ANSWERED, *some)

    assert breaker.admitted(0.0)[1] is Admission.CALL


def test_what_the_caller_is_at_fault_for_does_not_count() -> None:
    breaker = after(Breaker(), *[CallOutcome.UNTOLD] * 100)

    assert breaker == Breaker()


def test_after_a_while_one_call_is_a_trial_and_others_are_refused_meanwhile() -> None:
    tried, first = OPEN.admitted(OPEN_S)

    assert first is Admission.TRIAL
    assert tried.admitted(OPEN_S)[1] is Admission.REFUSED


def test_a_trial_that_is_answered_closes_it() -> None:
    assert after(OPEN, CallOutcome.ANSWERED, now=OPEN_S) == Breaker()


def test_a_trial_that_fails_opens_it_for_longer() -> None:
    again = after(OPEN, CallOutcome.FAILED, now=OPEN_S)

    assert again.open_until == OPEN_S + 2 * OPEN_S
    assert again.since == OPEN.since


def test_a_trial_that_is_cancelled_makes_room_for_another() -> None:
    breaker = after(OPEN, CallOutcome.UNTOLD, now=OPEN_S)

    assert breaker.admitted(OPEN_S)[1] is Admission.TRIAL


def test_calls_that_began_before_it_opened_change_nothing() -> None:
    assert OPEN.after(Admission.CALL, CallOutcome.ANSWERED, 1.0) == OPEN
    assert OPEN.after(Admission.CALL, CallOutcome.FAILED, 1.0) == OPEN


def test_it_stays_open_as_long_as_the_endpoint_asks_for() -> None:
    almost = after(Breaker(), *[CallOutcome.FAILED] * (FAILURES_MAX - 1))

    breaker = almost.after(Admission.CALL, CallOutcome.FAILED, 0.0, retry_after_s=30.0)

    assert breaker.open_until == 30.0
