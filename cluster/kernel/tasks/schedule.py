"""When each step of a plan is due: how urgent it is, and until when it may run.

Pure. The task engine asks when a step starts; nothing here waits, and no step waits for another
that it does not need. A plan may be incomplete, since it is scheduled while it is still being
written: a need that is not planned yet is passed over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from cluster.kernel.ids import StepId
from cluster.kernel.tasks.durations import Durations
from cluster.kernel.tasks.lookahead import Limits, Waiting, ranked
from cluster.kernel.vocabulary import Step

SLACK = 3.0
"""How many times as long as expected a step may take at least, as far as there is time."""


def priorities(steps: Sequence[Step], durations: Durations) -> dict[StepId, float]:
    """Return the longest path from each step's start to the answer, in seconds."""
    return _paths(steps, {step.id: durations.expected_s(step) for step in steps})


def urgencies(
    steps: Sequence[Step], durations: Durations, limits: Limits
) -> Mapping[StepId, float]:
    """Return `Assignment.priority` of each step: of what waits for a call, the most goes first.

    It is the longest path. Where an endpoint takes fewer calls than it has steps, and another order
    promises to end sooner, its steps have the same urgencies in that order, so that those of
    several tasks can still be compared.

    A step that waits keeps what it was given, so all that are given for one plan have to agree:
    they follow from the whole plan, and not from what of it is left at the moment.

    Args:
        steps: all that are planned, the finished ones too.
        durations: what is known of how long they take.
        limits: of each role, how many calls its agents have under way at once.
    """
    critical = priorities(steps, durations)
    counts = Counter(step.agent for step in steps)
    short = {role for role, count in counts.items() if count > limits.get(role, count)}
    if not short:
        return critical
    order = ranked(_waiting(steps, durations, critical), limits)
    if order is None:
        return critical
    urgent = dict(critical)
    for role in short:
        ids = sorted(
            (step.id for step in steps if step.agent == role), key=lambda each: order[each]
        )
        given = sorted((critical[each] for each in ids), reverse=True)
        urgent.update(zip(ids, given, strict=True))
    return urgent


def _waiting(
    steps: Sequence[Step], durations: Durations, critical: Mapping[StepId, float]
) -> list[Waiting]:
    return [
        Waiting(
            step.id,
            durations.expected_s(step),
            () if step.is_broadcast else step.needs,
            step.agent,
            critical[step.id],
        )
        for step in steps
    ]


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
