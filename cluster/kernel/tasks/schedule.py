"""When each step of a plan is due: how urgent it is, until when it may run, which starts next.

Pure. The task engine asks when a step is planned, starts or ends; nothing here waits, and no step
waits for another that it does not need. A plan may be incomplete, since it is scheduled while it
is still being written: a need that is not planned yet is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from cluster.kernel.ids import StepId
from cluster.kernel.tasks.durations import Durations
from cluster.kernel.tasks.lookahead import Limits, OpenStep, free_slots, ranked
from cluster.kernel.vocabulary import Step

SLACK = 3.0
"""How many times as long as expected a step may take at least, as far as there is time."""


def priorities(steps: Sequence[Step], durations: Durations) -> dict[StepId, float]:
    """Return the longest path from each step's start to the answer, in seconds.

    This is `Assignment.priority`: of what waits for a slot, the longest path goes first.
    """
    return _paths(steps, {step.id: durations.expected_s(step) for step in steps})


def allowances(
    steps: Sequence[Step],
    durations: Durations,
    left_s: float,
    *,
    finished: Collection[StepId] = (),
    running_s: Mapping[StepId, float] | None = None,
) -> dict[StepId, float]:
    """Return in how many seconds from now each step has to have ended.

    What is left of the time is stretched or squeezed over the longest path that is left, so that
    each step on it gets its proportional share; one beside it has until its successors are due.
    Asked for again as steps end, it hands on what they have saved or overdrawn. A step that may
    run and has a bound of its own (`Step.allowed_s`) gets that, as far as there is time.

    Args:
        steps: all that are planned.
        durations: what is known of how long they take.
        left_s: until all steps have to have ended.
        finished: those that have ended.
        running_s: those that run, each with the seconds it has run.
    """
    running = running_s or {}
    left = [step for step in steps if step.id not in finished]
    seconds = {
        step.id: max(0.0, durations.expected_s(step) - running.get(step.id, 0.0)) for step in left
    }
    paths = _paths(left, seconds)
    longest_s = max(paths.values(), default=0.0)
    allowed: dict[StepId, float] = {}
    for step in left:
        after_s = paths[step.id] - seconds[step.id]
        share = 1.0 - after_s / longest_s if longest_s else 1.0
        allowed[step.id] = left_s * share
        if step.allowed_s and _may_run(step, seconds):
            bound_s = step.allowed_s - running.get(step.id, 0.0)
            allowed[step.id] = max(0.0, min(bound_s, left_s))
    return allowed


def allowed_s(
    step: Step,
    steps: Sequence[Step],
    durations: Durations,
    left_s: float,
    finished: Collection[StepId],
) -> float:
    """Return how long a step that starts now may take, of the time that all steps have left.

    Where nobody knows how long some of them take, a share would be a guess: it is all that is left,
    or the step's own bound. A share is never under `SLACK` times what the step is expected to take.
    """
    bound_s = min(step.allowed_s or left_s, left_s)
    if step.allowed_s or not all(durations.knows(each) for each in steps):
        return bound_s
    share_s = allowances(steps, durations, left_s, finished=finished)[step.id]
    return min(left_s, max(share_s, SLACK * durations.expected_s(step)))


def _may_run(step: Step, left: Collection[StepId]) -> bool:
    return step.is_broadcast or not any(need in left for need in step.needs)


def open_steps(
    steps: Sequence[Step],
    durations: Durations,
    endpoint_of: Callable[[Step], str],
    *,
    finished: Collection[StepId] = (),
    running_s: Mapping[StepId, float] | None = None,
) -> tuple[OpenStep, ...]:
    """Return what `next_starts` decides on: all steps that have not ended.

    ``endpoint_of`` names the model endpoint that a step's agent calls; ``running_s`` has the
    seconds for which each running step has run.
    """
    running = running_s or {}
    urgency = priorities(steps, durations)
    return tuple(
        OpenStep(
            step.id,
            max(0.0, durations.expected_s(step) - running.get(step.id, 0.0)),
            () if step.is_broadcast else tuple(each for each in step.needs if each not in finished),
            endpoint_of(step),
            urgency[step.id],
            is_running=step.id in running,
        )
        for step in steps
        if step.id not in finished
    )


def next_starts(pending: Sequence[OpenStep], limits: Limits) -> tuple[StepId, ...]:
    """Return which steps start now, the most urgent first: all that are ready and have a slot.

    Where slots are too few, list rules are tried out on what is expected, and the best one decides;
    the critical path's does where none is better.
    """
    waiting = {each.step for each in pending}
    ready = [each for each in pending if not each.is_running and waiting.isdisjoint(each.needs)]
    free = free_slots(pending, limits)
    wanted: dict[str, int] = {}
    for each in ready:
        wanted[each.endpoint] = wanted.get(each.endpoint, 0) + 1
    is_short = any(wanted[name] > count for name, count in free.items() if name in wanted)
    has_choice = any(free.get(name, 0) > 0 for name in wanted if name in free)
    ranks = ranked(pending, limits) if is_short and has_choice else _urgency(pending)
    starts: list[StepId] = []
    for each in sorted(ready, key=lambda each: ranks[each.step]):
        if each.endpoint in free:
            if free[each.endpoint] < 1:
                continue
            free[each.endpoint] -= 1
        starts.append(each.step)
    return tuple(starts)


def _urgency(pending: Sequence[OpenStep]) -> dict[StepId, float]:
    return {each.step: -each.priority for each in pending}


def _paths(steps: Sequence[Step], seconds: Mapping[StepId, float]) -> dict[StepId, float]:
    """Return the longest path from each step's start; of a circle's steps only their own time."""
    paths = dict(seconds)
    needs = {step.id: {need for need in step.needs if need in paths} for step in steps}
    followers = dict.fromkeys(needs, 0)
    for each in needs.values():
        for need in each:
            followers[need] += 1
    last = [step for step, count in followers.items() if not count]
    while last:
        follower = last.pop()
        for need in needs[follower]:
            paths[need] = max(paths[need], seconds[need] + paths[follower])
            followers[need] -= 1
            if not followers[need]:
                last.append(need)
    return paths
