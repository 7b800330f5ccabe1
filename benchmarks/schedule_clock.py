"""Loads played in virtual time: by the scheduler and the task's fold, by list rules, and at best.

Pure. What the scheduler does is asked of `cluster.kernel.tasks` event by event, as the engine asks,
and calls wait as in `agents.models.policies.limited`; the list rules and the best schedule are
computed here, with nothing of it.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.schedule_loads import Load, rule_keys
from cluster.kernel.events import (
    Detail,
    Event,
    PlanReady,
    StepFinished,
    StepPlanned,
    StepStarted,
    Submitted,
)
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.tasks.durations import Durations
from cluster.kernel.tasks.history import Compose, DoStep, TaskHistory
from cluster.kernel.tasks.schedule import urgencies
from cluster.kernel.vocabulary import Plan

ROLE = "researcher"
"""Whose steps the loads have."""
_AGENT = AgentId("researcher-0")
_DURATIONS = Durations()
_CLOSE_S = 1e-9
_Running = tuple[tuple[float, int], ...]
"""Ends and numbers of the steps that run."""


@dataclass
class Play:
    """A task in virtual time: facts go through the fold, urgencies through the schedule.

    As in the product a step is handed over as soon as the fold orders it, with the urgency that it
    has then, and keeps that while it waits for a call.
    """

    load: Load
    calls_max: int | None = None
    """How many calls there are at once; any number without it."""
    waits_for_plan: bool = False
    """Whether steps begin only at the plan's end."""
    decides_anew: bool = False
    """Whether what waits gets its urgency again whenever something happens: to see what the
    product loses, where it keeps the first one."""

    def __post_init__(self) -> None:
        """Begin with the submission."""
        self._steps = self.load.steps
        self._seconds = dict(zip((each.id for each in self._steps), self.load.seconds, strict=True))
        self._limits = {} if self.calls_max is None else {ROLE: self.calls_max}
        self._free = len(self._steps) if self.calls_max is None else self.calls_max
        self._history = TaskHistory()
        self._handed_over: set[StepId] = set()
        self._waiting: list[tuple[float, int, StepId]] = []
        self._ends: list[tuple[float, StepId]] = []
        self._apply(Submitted("goal"), 0.0)
        self._orders = self._history.orders()

    def _apply(self, detail: Detail, at_s: float, step: StepId = StepId("")) -> None:
        index = self._history.length + 1
        self._history.apply(Event(at_s, TaskId("t"), _AGENT, step, detail, index))

    def makespan_s(self) -> float:
        """Return when all steps have ended and the plan is whole: when the answer may begin."""
        load, now = self.load, 0.0
        seals = list(reversed(list(zip(load.seals, self._steps, strict=False))))
        if self.waits_for_plan or not load.seals:
            seals = []
        is_open = True
        while not isinstance(self._orders[0], Compose):
            seal_at = seals[-1][0] if seals else load.plan_s if is_open else float("inf")
            if self._ends and self._ends[0][0] <= seal_at:
                now, ended = heapq.heappop(self._ends)
                self._free += 1
                self._apply(StepFinished("finished"), now, ended)
            elif seals:
                now, step = seals.pop()
                self._apply(StepPlanned(step), now, step.id)
            else:
                now, is_open = load.plan_s, False
                self._apply(PlanReady(Plan(self._steps)), now)
            self._hand_over(now)
            self._call(now)
        return now

    def _hand_over(self, now: float) -> None:
        """Let all that the fold orders wait for a call."""
        self._orders = self._history.orders()
        ordered = [each.step.id for each in self._orders if isinstance(each, DoStep)]
        new = [each for each in ordered if each not in self._handed_over]
        urgent = urgencies(self._history.sealed, _DURATIONS, self._limits) if new else {}
        for step in new:
            self._apply(StepStarted(), now, step)
            heapq.heappush(self._waiting, (-urgent[step], len(self._handed_over), step))
            self._handed_over.add(step)

    def _call(self, now: float) -> None:
        """Begin the most urgent of the calls that wait, as many as there may be at once."""
        if self.decides_anew and self._waiting and self._free:
            urgent = urgencies(self._history.sealed, _DURATIONS, self._limits)
            self._waiting = [(-urgent[step], at, step) for _, at, step in self._waiting]
            heapq.heapify(self._waiting)
        while self._waiting and self._free:
            _, _, step = heapq.heappop(self._waiting)
            self._free -= 1
            heapq.heappush(self._ends, (now + self._seconds[step], step))


def bound_s(load: Load) -> float:
    """Return the shortest makespan there is without limits: each step starts when it can."""
    ends: list[float] = []
    for number, needs in enumerate(load.needs):
        sealed_at = load.seals[number] if load.seals else 0.0
        starts_at = max((sealed_at, *(ends[need] for need in needs)))
        ends.append(starts_at + load.seconds[number])
    return max(load.plan_s, *ends)


def list_rule_s(load: Load, keys: Sequence[float], limit: int) -> float:
    """Return the makespan where of the ready steps the one with the lowest key starts first.

    A step of a streamed plan is ready once it is sealed; its key follows from the whole plan.
    """
    followers = load.followers
    left = [len(needs) + bool(load.seals) for needs in load.needs]
    ready = [(keys[number], number) for number, count in enumerate(left) if not count]
    heapq.heapify(ready)
    events = [(at, number, False) for number, at in enumerate(load.seals)]
    now, free = 0.0, limit
    while ready or events:
        while ready and free:
            _, number = heapq.heappop(ready)
            heapq.heappush(events, (now + load.seconds[number], number, True))
            free -= 1
        now, number, has_ended = heapq.heappop(events)
        free += has_ended
        for freed in followers[number] if has_ended else (number,):
            left[freed] -= 1
            if not left[freed]:
                heapq.heappush(ready, (keys[freed], freed))
    return max(now, load.plan_s)


def limited_bound_s(load: Load, limit: int) -> float:
    """Return what no schedule of so many calls at once can go below."""
    return max(bound_s(load), sum(load.seconds) / limit)


class Optimum:
    """The shortest makespan with so many calls at once, by branch and bound; for small loads.

    At each instant it tries every ready step, and to leave the slot free until a step ends: that
    can pay, which is why no list rule reaches the optimum of every load.
    """

    def __init__(self, load: Load, limit: int) -> None:
        self._load = load
        self._limit = limit
        self._needs = [sum(1 << need for need in needs) for needs in load.needs]
        self._paths = [-key for key in rule_keys(Load(load.seconds, load.needs))["critical path"]]
        self._all = (1 << len(load.seconds)) - 1
        self._best_s = 0.0
        self._seen: dict[tuple[int, int], list[tuple[float, ...]]] = {}

    def makespan_s(self, known_s: float) -> float:
        """Return the shortest makespan; ``known_s`` is that of some schedule."""
        self._best_s = known_s
        if known_s > limited_bound_s(self._load, self._limit) + _CLOSE_S:
            self._search(0.0, 0, 0, ())
        return self._best_s

    def _search(self, now: float, done: int, begun: int, running: _Running) -> None:
        if begun == self._all:
            self._best_s = min(self._best_s, max(end for end, _ in running))
            return
        if self._is_hopeless(now, done, begun, running):
            return
        if len(running) < self._limit:
            for number in self._ready(done, begun):
                end = now + self._load.seconds[number]
                self._search(now, done, begun | 1 << number, (*running, (end, number)))
        if running:
            first = min(running)
            left = tuple(each for each in running if each is not first)
            self._search(first[0], done | 1 << first[1], begun, left)

    def _ready(self, done: int, begun: int) -> list[int]:
        ready = [
            number
            for number, needs in enumerate(self._needs)
            if not begun >> number & 1 and not needs & ~done
        ]
        return sorted(ready, key=lambda number: -self._paths[number])

    def _is_hopeless(self, now: float, done: int, begun: int, running: _Running) -> bool:
        """Say whether nothing shorter can come of a state, or one at least as good was seen."""
        limit_s = self._best_s - _CLOSE_S
        seconds = self._load.seconds
        waiting = [number for number in range(len(seconds)) if not begun >> number & 1]
        work_s = sum(end - now for end, _ in running) + sum(seconds[each] for each in waiting)
        if now + work_s / self._limit >= limit_s:
            return True
        if any(now + self._paths[number] >= limit_s for number in waiting):
            return True
        if any(end + self._paths[each] - seconds[each] >= limit_s for end, each in running):
            return True
        profile = (now, *(end for _, end in sorted((number, end) for end, number in running)))
        seen = self._seen.setdefault((done, begun), [])
        if any(all(a <= b for a, b in zip(each, profile, strict=True)) for each in seen):
            return True
        seen.append(profile)
        return False
