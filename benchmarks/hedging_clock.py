"""Calls of an endpoint with stragglers in virtual time, decided by what the product uses.

Pure, but for the random numbers, which are seeded. Used by `benchmarks.bench_hedging`.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from cluster.kernel.tail.endpoint_speed import EndpointSpeed
from cluster.kernel.tail.hedged_call import NEVER, HedgeAttempt, HedgedCall, HedgeMove, HedgeStep
from cluster.kernel.tail.hedger import Hedger, HedgeRules

CALLS_PER_S = 200.0
MEAN_S, DEVIATION_S = 0.005, 0.002
STRAGGLERS, STRAGGLER_FACTOR = 0.05, 10.0
"""The workload of bhope/hedge: lognormal, and one in twenty takes ten times as long."""
SLOWDOWN_FACTOR = 10.0
UNHEDGED = HedgeRules(attempts_max=1)
_SIGMA2 = math.log(1 + (DEVIATION_S / MEAN_S) ** 2)
_MU, _SIGMA = math.log(MEAN_S) - _SIGMA2 / 2, math.sqrt(_SIGMA2)


@dataclass(frozen=True, slots=True)
class Slowdown:
    """A time in which everything is slow."""

    begins_at: float = NEVER
    ends_at: float = NEVER

    def has(self, now: float) -> bool:
        """Say whether it is slow now."""
        return self.begins_at <= now < self.ends_at


@dataclass(slots=True)
class Played:
    """What came of it."""

    seconds: list[float] = field(default_factory=list)
    """Of each call, in the order in which they ended."""
    busy_s: float = 0.0
    """What the endpoint has worked, until losers were cancelled."""
    calls: int = 0
    extra: int = 0
    calls_in_slowdown: int = 0
    extra_in_slowdown: int = 0
    off_after_s: float = NEVER
    """From the begin of the slowdown until nothing was hedged."""
    on_after_s: float = NEVER
    """From its end until things could be hedged again."""


class Endpoint:
    """Plays calls one after the other, as many at once as there are."""

    def __init__(self, seed: int, rules: HedgeRules, slowdown: Slowdown) -> None:
        self._rng = random.Random(seed)
        self.hedger = Hedger([EndpointSpeed()], rules)
        self.played = Played()
        self._slowdown = slowdown
        self._calls: dict[int, HedgedCall] = {}
        self._events: list[tuple[float, int, int, int]] = []
        """When, in which order, of which call, of which attempt; -1: the call is due."""
        self._order = 0

    def play(self, count: int) -> Played:
        """Play so many calls, and return what came of them."""
        for number, at in enumerate(self._arrivals(count)):
            self._run_until(at)
            self._begin(number, at)
        self._run_until(NEVER)
        self.played.calls, self.played.extra = self.hedger.calls, self.hedger.extra
        return self.played

    def _arrivals(self, count: int) -> Iterator[float]:
        rng, at = random.Random(0), 0.0
        for _ in range(count):
            at += rng.expovariate(CALLS_PER_S)
            yield at

    def _begin(self, number: int, now: float) -> None:
        call = self._calls[number] = self.hedger.begin(now)
        self.played.calls_in_slowdown += self._slowdown.has(now)
        self._attempt(number, call.under_way[0])
        self._set_due(number)

    def _attempt(self, call: int, attempt: HedgeAttempt) -> None:
        seconds = self._rng.lognormvariate(_MU, _SIGMA)
        if self._rng.random() < STRAGGLERS:
            seconds *= STRAGGLER_FACTOR
        if self._slowdown.has(attempt.began_at):
            seconds *= SLOWDOWN_FACTOR
        self._push(attempt.began_at + seconds, call, attempt.number)

    def _push(self, at: float, call: int, attempt: int) -> None:
        self._order += 1
        heapq.heappush(self._events, (at, self._order, call, attempt))

    def _set_due(self, number: int) -> None:
        due_at = self._calls[number].due_at
        if due_at < NEVER:
            self._push(due_at, number, -1)

    def _run_until(self, end: float) -> None:
        while self._events and self._events[0][0] <= end:
            at, _, number, attempt = heapq.heappop(self._events)
            call = self._calls.get(number)
            if call is None:
                continue
            if attempt >= 0:
                self._end(number, call, attempt, at)
            elif at >= call.due_at:
                self._overdue(number, call, at)
            self._watch(at)

    def _overdue(self, number: int, call: HedgedCall, now: float) -> None:
        step = self.hedger.overdue(call, now, may_restart=True)
        self._calls[number] = step.call
        if step.move is HedgeMove.START:
            self.played.extra_in_slowdown += self._slowdown.has(now)
            self._attempt(number, step.call.under_way[-1])
        self._set_due(number)

    def _end(self, number: int, call: HedgedCall, attempt: int, now: float) -> None:
        step: HedgeStep = self.hedger.heard(call, attempt, now, may_restart=True)
        self.hedger.finished(step.call, 1, 0.0, now)
        self.played.busy_s += sum(now - each.began_at for each in call.under_way)
        self.played.seconds.append(now - call.began_at)
        del self._calls[number]

    def _watch(self, now: float) -> None:
        """Note when hedging stops and goes on again around the slowdown."""
        played, slowdown = self.played, self._slowdown
        if played.off_after_s is NEVER and slowdown.has(now) and self.hedger.is_off(now):
            played.off_after_s = now - slowdown.begins_at
        if played.on_after_s is NEVER and now >= slowdown.ends_at and not self.hedger.is_off(now):
            played.on_after_s = now - slowdown.ends_at
