"""What a task's wall time consists of: the chain of work that held up its end, and the rest.

Pure; fed by `cluster.kernel.tasks.report`. A step is released when its own line of the plan was
sealed and all that it needs had ended; the answer when all steps had. From each release on, the
chain's work is the time in which calls of that step ran. What overlaps is counted once, so that
what is left of the wall time, the overhead, is never below zero but by a fault of the clocks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from cluster.kernel.events import Spent
from cluster.kernel.ids import ANSWER_STEP, PLAN_STEP, StepId

Interval = tuple[float, float]
"""From when to when, in seconds since the task was submitted."""


class BusyTime:
    """Grows with the events of a task."""

    def __init__(self) -> None:
        self._calls: defaultdict[StepId, list[Interval]] = defaultdict(list)
        self._model: list[Interval] = []
        self._sealed_s: dict[StepId, float] = {}
        self._ended_s: dict[StepId, float] = {}

    def planned(self, step: StepId, at_s: float) -> None:
        """Note when a step was known; the first time counts."""
        self._sealed_s.setdefault(step, at_s)

    def ended(self, step: StepId, at_s: float) -> None:
        """Note when a step had its result, or had failed; so had the plan when it was whole."""
        self._ended_s[step] = at_s

    def spent(self, step: StepId, spent: Spent, at_s: float) -> None:
        """Note a call that has ended, or that has been told to be of no use any more."""
        ended_s = max(0.0, at_s - spent.saved_s)  # what ran on after it had been used
        call = (max(0.0, ended_s - spent.seconds), ended_s)
        self._calls[step].append(call)
        if spent.on == "model":
            self._model.append(call)

    @property
    def model_s(self) -> float:
        """How long at least one call of a model was under way."""
        return _covered_s(self._model, (0.0, float("inf")))

    def critical_path_s(self, needs: Mapping[StepId, Iterable[StepId]], wall_s: float) -> float:
        """Return how long the calls ran that held up the end, one after another.

        Args:
            needs: of each step of the plan.
            wall_s: when the task has ended.
        """
        ended_s = {step: self._ended_s.get(step, wall_s) for step in needs}
        planned_s = self._ended_s.get(PLAN_STEP, wall_s)
        ended_s[PLAN_STEP] = planned_s
        step = max(ended_s, key=lambda each: ended_s[each])
        path_s = self._busy_s(ANSWER_STEP, (ended_s[step], wall_s))
        done: set[StepId] = set()
        while step != PLAN_STEP and step not in done:
            done.add(step)
            end_s, sealed_s = ended_s[step], self._sealed_s.get(step, 0.0)
            # One that ended later was not waited for: the step ended without it. Nor was one that a
            # plan which was never whole has only named.
            waited = [each for each in needs[step] if each in needs and ended_s[each] <= end_s]
            last = max(waited, key=lambda each: ended_s[each], default=PLAN_STEP)
            if last != PLAN_STEP and ended_s[last] < sealed_s:
                last = PLAN_STEP
            released_s = sealed_s if last == PLAN_STEP else ended_s[last]
            path_s += self._busy_s(step, (released_s, end_s))
            ended_s[PLAN_STEP] = min(released_s, planned_s)
            step = last
        return path_s + self._busy_s(PLAN_STEP, (0.0, ended_s[PLAN_STEP]))

    def _busy_s(self, step: StepId, within: Interval) -> float:
        return _covered_s(self._calls[step], within)


def _covered_s(calls: Iterable[Interval], within: Interval) -> float:
    """Return how much of a span of time is covered by calls."""
    first, last = within
    covered_s, reached = 0.0, first
    for begin, end in sorted(calls):
        until = min(end, last)
        if until > max(begin, reached):
            covered_s += until - max(begin, reached)
            reached = until
    return covered_s
