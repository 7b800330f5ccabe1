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

LOOKAHEAD_MAX = 50
"""Steps up to which rules are tried out. Beyond, the critical path's is within 2 % of the best one
for 99 of 100 plans, and trying five takes a Manager milliseconds whenever a step starts."""

GAIN_MIN = 0.02
"""Share of the time that another rule has to promise to save: expectations are off by more than
that, and a rule that is chosen for less is worse than the critical path's in the end."""

Limits = Mapping[str, int]
"""Of each model endpoint, how many calls it takes at once; one that is missing takes any number."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A step as the schedule sees it."""

    step: StepId
    seconds: float
    """How long it takes, as far as anybody knows."""
    needs: tuple[StepId, ...]
    endpoint: str
    priority: float
    """The longest path from its start to the answer, in seconds."""


def ranked(steps: Sequence[Waiting], limits: Limits) -> dict[StepId, float] | None:
    """Return an order that ends sooner than the critical path's, the lowest rank first.

    None where there is no better one, or where there are too many steps to try one out.
    """
    if len(steps) > LOOKAHEAD_MAX:
        return None
    forecast = _Forecast(steps, limits)
    critical_s = forecast.makespan_s([-each.priority for each in steps])
    if critical_s <= forecast.bound_s:
        return None
    made = [(forecast.makespan_s(keys), keys) for keys in _other_rules(steps, forecast)]
    best_s, best = min(made)
    if best_s >= critical_s * (1.0 - GAIN_MIN):
        return None
    return {each.step: key for each, key in zip(steps, best, strict=True)}


def _other_rules(steps: Sequence[Waiting], forecast: _Forecast) -> list[list[float]]:
    """Return the keys of longest first, shortest first, most successors, and the plan's order."""
    return [
        [-each.seconds for each in steps],
        [each.seconds for each in steps],
        [-float(count) for count in forecast.successors],
        [float(number) for number in range(len(steps))],
    ]


class _Forecast:
    """The steps by number, so that many orders can be tried out quickly."""

    def __init__(self, steps: Sequence[Waiting], limits: Limits) -> None:
        numbers = {each.step: number for number, each in enumerate(steps)}
        names = {name: number for number, name in enumerate({each.endpoint for each in steps})}
        self._seconds = [each.seconds for each in steps]
        self._endpoints = [names[each.endpoint] for each in steps]
        self._free = [limits.get(name, len(steps)) for name in names]
        self._followers: list[list[int]] = [[] for _ in steps]
        self._needs = [0] * len(steps)
        for number, each in enumerate(steps):
            for need in {numbers[need] for need in each.needs if need in numbers}:
                self._followers[need].append(number)
                self._needs[number] += 1
        self._ready = [number for number, count in enumerate(self._needs) if not count]
        self.bound_s = self._bound_s(steps, limits, names)

    def _bound_s(self, steps: Sequence[Waiting], limits: Limits, names: Mapping[str, int]) -> float:
        """Return what no order can go below: the longest path, and the work over the slots."""
        bound_s = max((each.priority for each in steps), default=0.0)
        for name in names:
            if name in limits:
                work_s = sum(each.seconds for each in steps if each.endpoint == name)
                bound_s = max(bound_s, work_s / max(1, limits[name]))
        return bound_s * (1.0 + 1e-9)

    def makespan_s(self, keys: Sequence[float]) -> float:
        """Return when the last step ends where of the ready ones the lowest key starts first."""
        needs, free = list(self._needs), list(self._free)
        waiting: list[list[tuple[float, int]]] = [[] for _ in free]
        running: list[tuple[float, int]] = []
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
