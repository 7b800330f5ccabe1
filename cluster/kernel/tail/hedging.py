"""One call of a model that may be asked twice: when the next attempt is due, and which one counts.

Pure: a state and what has happened in, a state and one move out. `cluster.kernel.tail.hedger` adds
what all calls share: what is known of the replicas, and how much extra load there may be.
Nothing of two attempts is ever mixed: the first one to say something is committed to; another
one takes its place only as a whole, and only while nothing of it is in use.
"""

from __future__ import annotations

from dataclasses import replace

from cluster.kernel.tail.hedged_call import (
    NEVER,
    HedgeAttempt,
    HedgedCall,
    HedgeMove,
    HedgeStep,
    HedgeWaits,
    Unanswered,
)


def begun(waits: HedgeWaits, replica: int, now: float) -> HedgedCall:
    """Return a call whose first attempt begins."""
    due_at = NEVER if waits.second_s is None else now + waits.second_s
    return HedgedCall(waits, (HedgeAttempt(0, replica, now),), due_at, now)


def heard(
    call: HedgedCall, number: int, now: float, stall_s: float | None, *, may_restart: bool
) -> HedgeStep:
    """Say what it means that an attempt has said something."""
    speaker = call.attempt(number)
    if speaker is None:
        return HedgeStep(call)
    others = tuple([each for each in call.under_way if each is not speaker])
    stalls_at = NEVER if stall_s is None or call.has_replacement else now + stall_s
    if number == call.committed or call.committed is None:
        move = HedgeMove.WAIT if number == call.committed else HedgeMove.COMMIT
        return HedgeStep(call.spoken(speaker, now, stalls_at), move, others)
    if not may_restart:
        left = replace(call, under_way=others, due_at=NEVER)
        return HedgeStep(left, HedgeMove.WAIT if others else HedgeMove.FAIL, (speaker,))
    return HedgeStep(call.spoken(speaker, now, NEVER), HedgeMove.SWITCH, others)


def failed(
    call: HedgedCall,
    unanswered: Unanswered,
    number: int,
    *,
    may_retry: bool,
    may_return: bool,
    may_restart: bool,
) -> HedgeStep:
    """Say what it means that an attempt has failed.

    Args:
        call: where the call stands.
        unanswered: what is known now of the replica that was asked.
        number: the attempt.
        may_retry: whether another attempt may be made at once, and may do better.
        may_return: whether one that had no room may be asked again.
        may_restart: whether what was said may be void.
    """
    others = tuple(each for each in call.unanswered if each.replica != unanswered.replica)
    left = replace(
        call,
        under_way=tuple(a for a in call.under_way if a.number != number),
        unanswered=(*others, unanswered),
    )
    if left.under_way:
        return HedgeStep(left if call.committed is None else replace(left, due_at=NEVER))
    may_begin = call.committed is None or may_restart
    if may_retry and may_begin and not call.has_replacement:
        return HedgeStep(left, HedgeMove.START)
    room_at = min(each.ask_at for each in left.unanswered)
    has_said = number == call.committed and not unanswered.refusals
    if may_return and may_begin and not has_said and room_at < NEVER:
        return HedgeStep(replace(left, due_at=room_at))
    return HedgeStep(left, HedgeMove.FAIL)


def overdue(call: HedgedCall, now: float, *, may_start: bool, stall_s: float | None) -> HedgeStep:
    """Say what is to be done about a call that has kept silent for too long.

    Args:
        call: where the call stands, whose ``due_at`` has come.
        now: the time.
        may_start: whether there may be one more request for it.
        stall_s: what counts as a stall after the first words.
    """
    again_s = stall_s
    if call.committed is None and call.waits.third_s is not None:
        again_s = max(call.waits.third_s, now - call.began_at)  # where it is refused, less and less
    due_at = NEVER if again_s is None else now + again_s
    late = replace(call, is_late=call.is_late or call.committed is None, due_at=due_at)
    if call.committed is None and call.made >= call.waits.attempts_max:
        return HedgeStep(replace(late, due_at=NEVER))
    return HedgeStep(late, HedgeMove.START if may_start else HedgeMove.WAIT)


def started(call: HedgedCall, replica: int, now: float) -> tuple[HedgedCall, HedgeAttempt]:
    """Return a call with one more attempt, which a move has asked for."""
    attempt = HedgeAttempt(call.started, replica, now)
    unanswered = tuple(
        replace(each, ask_at=NEVER) if each.replica == replica else each for each in call.unanswered
    )
    is_replacement = call.committed is not None
    has_more = call.made + 1 < call.waits.attempts_max and not is_replacement
    changed = replace(
        call,
        under_way=(*call.under_way, attempt),
        started=call.started + 1,
        has_replacement=is_replacement,
        due_at=now + call.waits.third_s if has_more and call.waits.third_s is not None else NEVER,
        unanswered=unanswered,
    )
    return changed, attempt
