"""The shortest time that a job can take: each step from its release on, the longest chain of them.

Pure. A step is released when its own line of the plan was streamed and all that it needs has ended;
what was done for it before counts nothing. The times are the model server's and the tools' own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.models.simulated.model import Timing
from agents.models.simulated.script import Line, Lines
from benchmarks.workloads import SEARCH_S
from cluster.kernel.ids import ANSWER_STEP, PLAN_STEP
from cluster.kernel.roles import RESEARCHER

Span = tuple[float, float]
"""From when to when something was at work, on the machine's monotonic clock."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step of a streamed plan, and which of the plan's tokens completes it, from 0."""

    id: str
    agent: str
    needs: tuple[str, ...]
    token: int


def planned_steps(plan: Line) -> list[PlannedStep]:
    """Return the steps of a plan with the tokens that complete them."""
    decoder, found = json.JSONDecoder(), []
    at = plan.text.index("[")
    while (start := plan.text.find("{", at)) >= 0:
        step, at = decoder.raw_decode(plan.text, start)
        token = _token_of(plan, at - 1)
        found.append(PlannedStep(step["id"], step["agent"], tuple(step["needs"]), token))
    return found


def _token_of(line: Line, character: int) -> int:
    """Return the number of the token that has a character."""
    length = 0
    for number, piece in enumerate(line.pieces()):
        length += len(piece)
        if length > character:
            return number
    raise ValueError(f"a text of {length} characters has none at {character}")


def path_s(
    steps: Sequence[PlannedStep],
    sealed_s: Mapping[str, float],
    work_s: Mapping[str, float],
) -> float:
    """Return the longest chain, from the request for the plan to the end of the answer.

    Args:
        steps: in an order in which each follows what it needs.
        sealed_s: of each step, when it was streamed; of the plan itself, when all of it was.
        work_s: what each step, and the answer, takes from its release on.
    """
    ends: dict[str, float] = {}
    for step in steps:
        released = max([sealed_s[step.id], *(ends[need] for need in step.needs)])
        ends[step.id] = released + work_s.get(step.id, 0.0)
    return max([sealed_s[PLAN_STEP], *ends.values()]) + work_s[ANSWER_STEP]


def measured_path_s(
    steps: Sequence[PlannedStep], written: Sequence[float], spans: Mapping[str, Sequence[Span]]
) -> float:
    """Return the critical path of a job that was done.

    Args:
        steps: of its plan.
        written: when each token of the plan was.
        spans: when model and tools were at work, by step; what overlaps is counted once.
    """
    began_at = min(start for start, _ in spans[PLAN_STEP])
    sealed_at = {step.id: written[step.token] for step in steps}
    sealed_at[PLAN_STEP] = max(end for _, end in spans[PLAN_STEP])
    ended_at: dict[str, float] = {}
    work_s: dict[str, float] = {}
    for step in steps:
        released_at = max([sealed_at[step.id], *(ended_at[need] for need in step.needs)])
        done = spans.get(step.id, ())
        work_s[step.id] = covered_s(done, released_at)
        ended_at[step.id] = max([released_at, *(end for _, end in done)])
    released_at = max(ended_at.values(), default=sealed_at[PLAN_STEP])
    work_s[ANSWER_STEP] = covered_s(spans[ANSWER_STEP], released_at)
    return path_s(steps, {step: at - began_at for step, at in sealed_at.items()}, work_s)


def covered_s(spans: Sequence[Span], since: float) -> float:
    """Return how long at least one of some spans lasted, from a moment on."""
    covered, until = 0.0, since
    for start, end in sorted(spans):
        covered += max(0.0, end - max(start, until))
        until = max(until, end)
    return covered


def streamed_bound_s(lines: Lines, timing: Timing, search_s: float = SEARCH_S) -> float:
    """Return the critical path of a workload that nothing is added to, sandbox runs left out."""

    def takes_s(line: Line) -> float:
        return timing.due_s(len(line.pieces()) - 1)

    plan, answer = lines["manager"]["plan"], lines["manager"]["answer"]
    steps = planned_steps(plan)
    sealed_s = {step.id: timing.due_s(step.token) for step in steps}
    work_s = {
        step.id: takes_s(lines[step.agent][step.id])
        + (search_s if step.agent == RESEARCHER else 0.0)
        for step in steps
    }
    return path_s(
        steps, sealed_s | {PLAN_STEP: takes_s(plan)}, work_s | {ANSWER_STEP: takes_s(answer)}
    )
