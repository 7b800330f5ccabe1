"""What becomes of a schedule where calls are few: list rules, each tried out on what is expected.

The critical path's rule is the best one for most plans; with two calls at once, of a hundred plans
of ten steps one takes 7 % longer by it than by another of five rules (`make bench ONLY=schedule`).
Called by `cluster.kernel.tasks.schedule`.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cluster.kernel.ids import StepId

LOOKAHEAD_MAX = 200
"""Steps up to which rules are tried out; beyond, the critical path decides by itself."""

GAIN_MIN = 0.02
"""Share of the time that another rule has to promise to save: expectations are off by more than
that, and a rule that is chosen for less is worse than the critical path's in the end."""

Limits = Mapping[str, int]
"""Of each model endpoint, how many calls it takes at once; one that is missing takes any number."""


@dataclass(frozen=True, slots=True)
class OpenStep:
    """A step that has not ended, as the schedule sees it."""

    step: StepId
    seconds: float
    """What is left of it, as far as anybody knows."""
    needs: tuple[StepId, ...] = ()
    """Those of its needs that have not ended."""
    endpoint: str = ""
    priority: float = 0.0
    """The longest path from its start to the answer, in seconds."""
    is_running: bool = False


def free_slots(pending: Sequence[OpenStep], limits: Limits) -> dict[str, int]:
    """Return how many more calls each limited endpoint takes."""
    free = dict(limits)
    for each in pending:
        if each.is_running and each.endpoint in free:
            free[each.endpoint] -= 1
    return free


def ranked(pending: Sequence[OpenStep], limits: Limits) -> dict[StepId, float]:
    """Return the order in which steps best get their slots, the lowest rank first."""
    critical = [-each.priority for each in pending]
    best = critical if len(pending) > LOOKAHEAD_MAX else _best(critical, pending, limits)
    return {each.step: key for each, key in zip(pending, best, strict=True)}


def _best(critical: list[float], pending: Sequence[OpenStep], limits: Limits) -> list[float]:
    """Return the keys of the rule that ends soonest; the critical path's unless it's far behind."""
    forecast = _Forecast(pending, limits)
    critical_s = forecast.makespan_s(critical)
    if critical_s <= forecast.bound_s:
        return critical
    made = [(forecast.makespan_s(keys), keys) for keys in _other_rules(pending, forecast)]
    best_s, best = min(made)
    return best if best_s < critical_s * (1.0 - GAIN_MIN) else critical


def _other_rules(pending: Sequence[OpenStep], forecast: _Forecast) -> list[list[float]]:
    """Return the keys of longest first, shortest first, most successors, and the plan's order."""
    return [
        [-each.seconds for each in pending],
        [each.seconds for each in pending],
        [-float(count) for count in forecast.successors],
        [float(number) for number in range(len(pending))],
    ]


class _Forecast:
    """The steps by number, so that many orders can be tried out quickly."""

    def __init__(self, pending: Sequence[OpenStep], limits: Limits) -> None:
        numbers = {each.step: number for number, each in enumerate(pending)}
        names = {name: number for number, name in enumerate({each.endpoint for each in pending})}
        free = free_slots(pending, {name: limits.get(name, len(pending)) for name in names})
        self._seconds = [each.seconds for each in pending]
        self._endpoints = [names[each.endpoint] for each in pending]
        self._free = [max(0, free[name]) for name in names]
        self._followers: list[list[int]] = [[] for _ in pending]
        self._needs = [0] * len(pending)
        for number, each in enumerate(pending):
            for need in {numbers[need] for need in each.needs if need in numbers}:
                self._followers[need].append(number)
                self._needs[number] += 1
        self._running = [number for number, each in enumerate(pending) if each.is_running]
        self._ready = [
            number
            for number, each in enumerate(pending)
            if not each.is_running and not self._needs[number]
        ]
        self.bound_s = self._bound_s(pending, limits, names)

    def _bound_s(
        self, pending: Sequence[OpenStep], limits: Limits, names: Mapping[str, int]
    ) -> float:
        """Return what no order can go below: the longest path, and the work over the slots."""
        bound_s = max((each.priority for each in pending if not each.is_running), default=0.0)
        for name in names:
            if name in limits:
                work_s = sum(each.seconds for each in pending if each.endpoint == name)
                bound_s = max(bound_s, work_s / max(1, limits[name]))
        return bound_s * (1.0 + 1e-9)

    def makespan_s(self, keys: Sequence[float]) -> float:
        """Return when the last step ends where of the ready ones the lowest key starts first."""
        needs, free = list(self._needs), list(self._free)
        waiting: list[list[tuple[float, int]]] = [[] for _ in free]
        running = [(self._seconds[number], number) for number in self._running]
        heapq.heapify(running)
        for number in self._ready:
            heapq.heappush(waiting[self._endpoints[number]], (keys[number], number))
        for endpoint in range(len(free)):
            self._fill(endpoint, 0.0, waiting, running, free=free)
        now = 0.0
        while running:
            now, ended = heapq.heappop(running)
            touched = {self._endpoints[ended]}
            free[self._endpoints[ended]] += 1
            for number in self._followers[ended]:
                needs[number] -= 1
                if not needs[number]:
                    touched.add(self._endpoints[number])
                    heapq.heappush(waiting[self._endpoints[number]], (keys[number], number))
            for endpoint in touched:
                self._fill(endpoint, now, waiting, running, free=free)
        return now

    def _fill(
        self,
        endpoint: int,
        now: float,
        waiting: Sequence[list[tuple[float, int]]],
        running: list[tuple[float, int]],
        *,
        free: list[int],
    ) -> None:
        """Start what waits for an endpoint while it has slots."""
        queue = waiting[endpoint]
        while queue and free[endpoint] > 0:
            _, number = heapq.heappop(queue)
            free[endpoint] -= 1
            heapq.heappush(running, (now + self._seconds[number], number))

    @property
    def successors(self) -> list[int]:
        """How many steps stand behind each, near and far; none for those in a circle."""
        behind = [0] * len(self._seconds)
        for number in reversed(self._in_order()):
            for follower in self._followers[number]:
                behind[number] |= behind[follower] | 1 << follower
        return [each.bit_count() for each in behind]

    def _in_order(self) -> list[int]:
        """Return the numbers such that each comes after those it needs."""
        needs = list(self._needs)
        order = [number for number, count in enumerate(needs) if not count]
        for number in order:
            for follower in self._followers[number]:
                needs[follower] -= 1
                if not needs[follower]:
                    order.append(follower)
        return order
