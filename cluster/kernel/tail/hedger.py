"""What all calls of a model share: how fast its replicas are, and how much extra load there may be.

Pure, though it remembers: whoever asks says what time it is. Asked by
`agents.models.policies.hedged` for calls, by `cluster.kernel.tasks.step_hedging` for steps, and by
the benchmark for simulated ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cluster.kernel.tail import hedging
from cluster.kernel.tail.endpoint_speed import KNOWN_MIN, EndpointSpeed
from cluster.kernel.tail.hedged_call import (
    NEVER,
    HedgeAttempt,
    HedgedCall,
    HedgeMove,
    HedgeStep,
    HedgeWaits,
    Unanswered,
)
from cluster.kernel.tail.lateness import Lateness
from cluster.kernel.tail.quantiles import QuantileSketch

ATTEMPTS_MAX = 3
"""Of a call whose attempts fail, each on another replica."""


@dataclass(frozen=True, slots=True)
class HedgeRules:
    """How eager it is."""

    second_at: float = 0.93
    """Share of calls whose first token has come when the second attempt is made."""
    third_after: float = 0.90
    """The same for the time between the second attempt and the third."""
    wait_min_s: float = 0.005
    """The event loop itself may be late by as much."""
    attempts_max: int = 3
    """With 1 nothing is hedged, only measured."""
    gaps_share: float = 0.999
    """Share of gaps between two pieces of text within which nothing has stalled."""
    stall_min_s: float = 2.0
    """A shorter silence is no stall: to begin anew costs more."""
    gaps_known_min: int = 200
    earned: float = 0.08
    """Extra requests that each call allows for."""
    saved_max: float = 20.0
    """Extra requests that can be saved up for when they are needed; with half as many, one in a
    thousand calls finds none left."""
    normal_after_s: float = 60.0
    """A slowdown of all calls that has lasted for so long is how the endpoint is now."""


class Hedger:
    """Decides for the calls of one model on one or several replicas."""

    def __init__(self, speeds: Sequence[EndpointSpeed], rules: HedgeRules | None = None) -> None:
        self._rules = rules or HedgeRules()
        self._replicas = [_Replica(speed) for speed in speeds]
        self._saved = self._rules.saved_max / 2
        self._turn = 0
        self.calls = 0
        self.extra = 0
        """Requests beside the first one of each call, but for those in place of failed ones."""

    def begin(self, now: float) -> HedgedCall:
        """Begin a call on the replica that has the least to do."""
        self.calls += 1
        self._turn += 1
        self._saved = min(self._rules.saved_max, self._saved + self._rules.earned)
        replica = self._best(now)
        call = hedging.begun(self._waits(self._replicas[replica]), replica, now)
        self._replicas[replica].under_way += 1
        return call

    def heard(self, call: HedgedCall, number: int, now: float, *, may_restart: bool) -> HedgeStep:
        """Take a piece of what an attempt says."""
        if number == call.committed:
            attempt = call.attempt(number)
            if attempt is not None:
                self._replicas[attempt.replica].speed.gaps_s.add(now - call.heard_at)
        elif call.committed is None:
            self._learn(call, now)
        step = hedging.heard(
            call, number, now, self._stall_s(call, number), may_restart=may_restart
        )
        self._drop(step.dropped)
        return step

    def failed(
        self,
        call: HedgedCall,
        number: int,
        now: float,
        *,
        by_asker: bool,
        may_restart: bool,
        may_ask: bool = True,
        room_at: float | None = None,
    ) -> HedgeStep:
        """Take that an attempt has failed; by the asker's fault, it would elsewhere too.

        Args:
            call: where the call stands.
            number: the attempt.
            now: the time.
            by_asker: whose fault it was.
            may_restart: whether what was said may be void.
            may_ask: whether another replica may be asked for the same, or one that had no room.
            room_at: where the replica had no room, when it is to be asked again: `NEVER` where it
                isn't. None where it has failed otherwise.
        """
        attempt = call.attempt(number)
        if attempt is None:
            return HedgeStep(call)
        self._drop((attempt,))
        replica = attempt.replica
        if room_at is None:
            unanswered = Unanswered(replica)
        else:
            unanswered = Unanswered(replica, call.refusals_of(replica) + 1, room_at)
        if not by_asker and room_at is None:
            self._replicas[replica].speed.failed()
        is_void = call.committed is not None
        is_elsewhere = self._is_another_left(call, has_failed=room_at is None)
        may_retry = self._may_add(now) if is_void else is_elsewhere and may_ask
        step = hedging.failed(
            call,
            unanswered,
            number,
            may_retry=may_retry and not by_asker,
            may_return=may_ask and not by_asker,
            may_restart=may_restart,
        )
        return self._started(step, now, is_extra=is_void)

    def overdue(
        self, call: HedgedCall, now: float, *, may_restart: bool, may_ask: bool = True
    ) -> HedgeStep:
        """Take that a call has said nothing by the time it was due.

        Args:
            call: the call.
            now: the time.
            may_restart: whether what was said may be void.
            may_ask: whether there is anybody else to ask, and time for it.
        """
        if not call.under_way:
            return self._returned(call, now, may_ask=may_ask, may_restart=may_restart)
        is_stall = call.committed is not None
        primary = call.attempt(0)
        if not is_stall and not call.is_late and primary is not None:
            self._replicas[primary.replica].note(now, is_late=True)
        # The last one that is saved is for a third attempt: only the slowest calls need it.
        is_last = call.made + 1 >= self._rules.attempts_max
        saved_min = 1.0 if is_last or is_stall else 2.0
        may_start = may_ask and self._may_add(now, saved_min) and (may_restart or not is_stall)
        stall_s = self._stall_s(call, call.committed) if may_restart else None
        step = hedging.overdue(call, now, may_start=may_start, stall_s=stall_s)
        return self._started(step, now, is_extra=True)

    def finished(self, call: HedgedCall, tokens: int, spoke_s: float, now: float) -> HedgedCall:
        """Take that the committed attempt has come to its end; all others are to be cancelled."""
        attempt = None if call.committed is None else call.attempt(call.committed)
        if attempt is not None:
            self._replicas[attempt.replica].speed.answered(tokens, spoke_s)
        return self.released(call, now)

    def released(self, call: HedgedCall, now: float) -> HedgedCall:
        """Take that nobody waits for a call any more."""
        if call.committed is None and call.is_late:
            self._learn(call, now)  # it has taken at least so long
        self._drop(call.under_way)
        return replace(call, under_way=(), due_at=NEVER)

    def is_off(self, now: float) -> bool:
        """Say whether there would be no extra request now, since all replicas are slow."""
        return all(replica.lateness.is_slow(now) for replica in self._replicas)

    def _waits(self, replica: _Replica) -> HedgeWaits:
        rules, speed = self._rules, replica.speed
        if not speed.is_known:
            return HedgeWaits(attempts_max=rules.attempts_max)
        second_s = max(rules.wait_min_s, speed.first_s.quantile(rules.second_at))
        third_s = max(rules.wait_min_s, speed.first_s.quantile(rules.third_after))
        return HedgeWaits(second_s, third_s, rules.attempts_max)

    def _stall_s(self, call: HedgedCall, number: int | None) -> float | None:
        attempt = None if number is None else call.attempt(number)
        if attempt is None or self._rules.attempts_max == 1:
            return None
        gaps_s = self._replicas[attempt.replica].speed.gaps_s
        if gaps_s.count < self._rules.gaps_known_min:
            return None
        return max(self._rules.stall_min_s, gaps_s.quantile(self._rules.gaps_share))

    def _learn(self, call: HedgedCall, now: float) -> None:
        """Learn from the first attempt how long the first token takes.

        One that is given up for another has taken at least so long, which lies beyond the
        quantile that is waited for: so that quantile stays right. Later attempts are no sample, as
        only the fast ones among them are seen.
        """
        primary = call.attempt(0)
        if primary is None:
            return
        replica = self._replicas[primary.replica]
        if not call.is_late and call.waits.second_s is not None:
            replica.note(now, is_late=False)
        replica.learn(now - primary.began_at, now, self._rules.normal_after_s)

    def _may_add(self, now: float, saved_min: float = 1.0) -> bool:
        may_hedge = self._rules.attempts_max > 1
        return may_hedge and self._saved >= saved_min and not self.is_off(now)

    def _is_another_left(self, call: HedgedCall, *, has_failed: bool) -> bool:
        """Say whether a replica that was not asked may be, in place of one that can't answer."""
        failed = has_failed + sum(not each.refusals for each in call.unanswered)
        is_left = any(not call.has_asked(index) for index in range(len(self._replicas)))
        return failed < ATTEMPTS_MAX and is_left

    def _returned(
        self, call: HedgedCall, now: float, *, may_ask: bool, may_restart: bool
    ) -> HedgeStep:
        """Ask the replica again whose turn it is, of those that had no room."""
        if not may_ask or (call.committed is not None and not may_restart):
            return HedgeStep(replace(call, due_at=NEVER), HedgeMove.FAIL)
        replica = min(call.unanswered, key=lambda each: each.ask_at).replica
        self._replicas[replica].under_way += 1
        asked, _ = hedging.started(call, replica, now)
        return HedgeStep(asked, HedgeMove.RETURN)

    def _started(self, step: HedgeStep, now: float, *, is_extra: bool) -> HedgeStep:
        """Choose a replica for the attempt that is to be made."""
        if step.move is not HedgeMove.START:
            return step
        if is_extra:
            self._saved -= 1.0
            self.extra += 1
        replica = self._best(now, step.call)
        self._replicas[replica].under_way += 1
        call, _ = hedging.started(step.call, replica, now)
        return replace(step, call=call)

    def _best(self, now: float, call: HedgedCall | None = None) -> int:
        """Return the replica to ask next: not failed, not slow, not tried, with least to do."""
        count = len(self._replicas)
        tried = {each.replica for each in call.under_way} if call else set()
        failed = {each.replica for each in call.unanswered if each.ask_at > now} if call else set()

        def badness(index: int) -> tuple[bool, bool, bool, int, int]:
            replica = self._replicas[index]
            turn = (index - self._turn) % count
            is_slow = replica.lateness.is_slow(now)
            return index in failed, is_slow, index in tried, replica.under_way, turn

        return min(range(count), key=badness)

    def _drop(self, attempts: Sequence[HedgeAttempt]) -> None:
        for attempt in attempts:
            self._replicas[attempt.replica].under_way -= 1


class _Replica:
    """One endpoint, and how it does just now."""

    def __init__(self, speed: EndpointSpeed) -> None:
        self.speed = speed
        self.under_way = 0
        self.lateness = Lateness()
        self._aside = QuantileSketch()
        """Times of a slowdown: what is normal isn't forgotten for an incident."""

    def note(self, now: float, *, is_late: bool) -> None:
        was_slow = self.lateness.is_slow(now)
        self.lateness = self.lateness.after(now, is_late=is_late)
        if was_slow != self.lateness.is_slow(now):
            self._aside = QuantileSketch()

    def learn(self, first_s: float, now: float, normal_after_s: float) -> None:
        since = self.lateness.slow_since
        if since is None or not self.lateness.is_slow(now):
            self.speed.first_s.add(first_s)
            return
        self._aside.add(first_s)
        if now - since >= normal_after_s and self._aside.count >= KNOWN_MIN:
            self.speed.relearn(self._aside)
            self.lateness, self._aside = Lateness(), QuantileSketch()
