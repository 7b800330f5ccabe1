"""When the steps of a plan will start and end, by how long each is said to take.

Pure; called by `workflow`. It knows of no limits of model endpoints: what it predicts is the time
that the plan itself needs, until the Manager begins to write the answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Plan, Step


@dataclass(frozen=True, slots=True)
class ForecastStep:
    """A step and its times, in seconds from the start of the task.

    Where they are not known they are bounds: it can't start or end before.
    """

    step: Step
    starts_s: float
    ends_s: float
    is_start_known: bool
    is_end_known: bool


@dataclass(frozen=True, slots=True)
class Forecast:
    """The steps in the order in which they start."""

    steps: tuple[ForecastStep, ...]
    critical_path: tuple[StepId, ...]
    """The steps that hold up the end, the first one first."""
    predicted_s: float
    """When the last step ends; not before, where some durations are not known."""
    unknown: tuple[StepId, ...]
    """The steps of which nobody says how long they take."""


def forecast(
    plan: Plan, durations_s: Mapping[StepId, float] | None = None, *, is_broadcast: bool = False
) -> Forecast:
    """Return when the steps of a sound plan will start and end.

    Args:
        plan: what is to be done.
        durations_s: what was learned of steps; it goes before what they are expected to take.
        is_broadcast: all steps begin at once, and not only those that say so.
    """
    order = _order(plan)
    made: dict[StepId, ForecastStep] = {}
    for step in order:
        duration_s = (durations_s or {}).get(step.id, step.expected_s)
        made[step.id] = _step(
            step,
            [made[need] for need in step.needs],
            duration_s,
            begins_at_once=is_broadcast or step.is_broadcast,
        )
    steps = tuple(sorted(made.values(), key=lambda each: (each.starts_s, each.ends_s)))
    return Forecast(
        steps,
        _critical_path(made),
        max((each.ends_s for each in steps), default=0.0),
        tuple(step.id for step in plan.steps if not _is_known(step, durations_s)),
    )


def _is_known(step: Step, durations_s: Mapping[StepId, float] | None) -> bool:
    return (durations_s or {}).get(step.id, step.expected_s) > 0.0


def _order(plan: Plan) -> Sequence[Step]:
    steps = {step.id: step for step in plan.steps}
    needs = {step.id: step.needs for step in plan.steps}
    return [steps[step_id] for step_id in TopologicalSorter(needs).static_order()]


def _step(
    step: Step,
    needed: Sequence[ForecastStep],
    duration_s: float,
    *,
    begins_at_once: bool,
) -> ForecastStep:
    needs_end_s = max((each.ends_s for each in needed), default=0.0)
    are_needs_known = all(each.is_end_known for each in needed)
    starts_s = 0.0 if begins_at_once else needs_end_s
    # A broadcast step may begin before its needs have ended, and never ends before.
    ends_s = max(starts_s + duration_s, needs_end_s)
    is_end_known = are_needs_known and duration_s > 0.0
    return ForecastStep(step, starts_s, ends_s, begins_at_once or are_needs_known, is_end_known)


def _critical_path(made: Mapping[StepId, ForecastStep]) -> tuple[StepId, ...]:
    """Return the chain that ends last; each of it starts, or may end, when the one before ends."""
    path: list[StepId] = []
    last = _last_of(made, made)
    while last is not None:
        path.append(last.step.id)
        before = _last_of(made, last.step.needs)
        is_held_up = before is not None and before.ends_s in (last.starts_s, last.ends_s)
        last = before if is_held_up else None
    return tuple(reversed(path))


def _last_of(made: Mapping[StepId, ForecastStep], among: Collection[StepId]) -> ForecastStep | None:
    """Return the step that ends last; of those that end together the one deepest in the plan."""
    steps = [each for step_id, each in made.items() if step_id in among]
    return max(reversed(steps), key=lambda each: each.ends_s, default=None)
