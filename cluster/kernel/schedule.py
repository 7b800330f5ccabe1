"""Which steps of a plan may start: all whose needs have ended, without a barrier between rounds."""

from __future__ import annotations

from cluster.kernel.ids import StepId
from cluster.kernel.tasks import Plan, Step, StepResult


class Schedule:
    """The run of one plan: which steps started, and what the ended ones came to."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._started: set[StepId] = set()
        self._results: dict[StepId, StepResult] = {}

    def start_ready(self) -> list[Step]:
        """Return the steps that may start now, in the plan's order, each exactly once."""
        ready = [
            step
            for step in self._plan.steps
            if step.id not in self._started and all(need in self._results for need in step.needs)
        ]
        self._started.update(step.id for step in ready)
        return ready

    def finish(self, result: StepResult) -> None:
        """Record what a step came to; a Failure counts: those that need it see that it failed."""
        self._results[result.step] = result

    def needed_by(self, step: Step) -> tuple[StepResult, ...]:
        """Return the results a step needs, in the order it names them."""
        return tuple(self._results[need] for need in step.needs)

    def results(self) -> tuple[StepResult, ...]:
        """Return the results of all ended steps in the plan's order."""
        return tuple(
            self._results[step.id] for step in self._plan.steps if step.id in self._results
        )

    @property
    def is_finished(self) -> bool:
        """Say whether every step has ended."""
        return len(self._results) == len(self._plan.steps)
