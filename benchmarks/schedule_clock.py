"""Loads played in virtual time: by the scheduler and the task's fold, by list rules, and at best.

Pure. What the scheduler does is asked of `cluster.kernel.tasks` event by event, as the engine asks;
the list rules and the best schedule are computed here, with nothing of it.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

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
from cluster.kernel.tasks.schedule import next_starts, open_steps
from cluster.kernel.vocabulary import Plan, Step

ENDPOINT = "model"
_AGENT = AgentId("researcher-0")
_DURATIONS = Durations()
_CLOSE_S = 1e-9
_Running = tuple[tuple[float, int], ...]
"""Ends and numbers of the steps that run."""


@dataclass
class Play:
    """A task in virtual time: facts go through the fold, starts through the schedule."""

    load: Load
    limits: Mapping[str, int] = field(default_factory=dict)
    waits_for_plan: bool = False
    """Whether steps begin only at the plan's end."""
    decisions: int = 0

    def __post_init__(self) -> None:
        """Begin with the submission."""
        self._steps = self.load.steps
        self._seconds = dict(zip((each.id for each in self._steps), self.load.seconds, strict=True))
        self._history = TaskHistory()
        self._started_at: dict[StepId, float] = {}
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
                del self._started_at[ended]
                self._apply(StepFinished("finished"), now, ended)
            elif seals:
                now, step = seals.pop()
                self._apply(StepPlanned(step), now, step.id)
            else:
                now, is_open = load.plan_s, False
                self._apply(PlanReady(Plan(self._steps)), now)
            self._start(now)
        return now

    def _start(self, now: float) -> None:
        """Start what the fold orders and the schedule lets start."""
        self._orders = self._history.orders()
        ordered = {each.step.id for each in self._orders if isinstance(each, DoStep)}
        if ordered <= self._started_at.keys():
            return
        self.decisions += 1
        left = open_steps(
            self._history.sealed,
            _DURATIONS,
            _endpoint,
            finished=set(self._history.finished),
            running_s={step: now - at for step, at in self._started_at.items()},
        )
        for step in next_starts(left, self.limits):
            assert step in ordered, f"{step} was started before the fold ordered it"
            self._started_at[step] = now
            self._apply(StepStarted(), now, step)
            heapq.heappush(self._ends, (now + self._seconds[step], step))


def _endpoint(_: Step) -> str:
    return ENDPOINT


def bound_s(load: Load) -> float:
    """Return the shortest makespan there is without limits: each step starts when it can."""
    ends: list[float] = []
    for number, needs in enumerate(load.needs):
        sealed_at = load.seals[number] if load.seals else 0.0
        starts_at = max((sealed_at, *(ends[need] for need in needs)))
        ends.append(starts_at + load.seconds[number])
    return max(load.plan_s, *ends)


def list_rule_s(load: Load, keys: Sequence[float], limit: int) -> float:
    """Return the makespan where of the ready steps the one with the lowest key starts first."""
    followers, left = load.followers, [len(needs) for needs in load.needs]
    ready = [(keys[number], number) for number, count in enumerate(left) if not count]
    heapq.heapify(ready)
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < limit:
            _, number = heapq.heappop(ready)
            heapq.heappush(running, (now + load.seconds[number], number))
        now, ended = heapq.heappop(running)
        for number in followers[ended]:
            left[number] -= 1
            if not left[number]:
                heapq.heappush(ready, (keys[number], number))
    return now


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
