"""What a plan that a user has declared must be, and whether a cluster can carry it out.

Pure. `cluster.workflows` checks what it reads; the engine checks what it is handed, for it comes
from another process, and only there the roles are known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from cluster.kernel.errors import UsageError
from cluster.kernel.ids import ANSWER_STEP, PLAN_STEP
from cluster.kernel.roles import MANAGER
from cluster.kernel.vocabulary import Plan, Role, Step

WORKFLOW_STEPS_MAX = 200
WORKFLOW_INSTRUCTION_CHARS_MAX = 10_000
WORKFLOW_CHARS_MAX = 500_000
"""Of all instructions together: in UTF-8 they fit into one message whatever they are written in."""
_LISTED_MAX = 20
_NAME_CHARS_SHOWN = 60
_STEP_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_ROLE = re.compile(r"[a-z][a-z0-9_]{0,31}")
_MANAGERS_OWN = frozenset({PLAN_STEP, ANSWER_STEP})
_WHAT_IDS_ARE = (
    "allowed are up to 40 letters, digits, '_', '.' and '-', the first a letter or digit"
)
_WHAT_ROLES_ARE = "allowed are up to 32 lower-case letters, digits and '_', the first a letter"


def check_workflow(plan: Plan, origin: str = "the workflow") -> None:
    """Return if every step of a plan is sound by itself and can start one day.

    Args:
        plan: what was declared.
        origin: what the sentence begins with, as in the name of the file.

    Raises:
        UsageError: names the step, the key as a workflow file has it, and what is allowed.
    """
    for fault in _faults(plan.steps):
        raise UsageError(f"{origin}: {fault}")


def check_staffed(plan: Plan, roles: Sequence[Role]) -> None:
    """Return if there is a role for each step: its own, or one of its alternatives.

    Raises:
        UsageError: names the step, the roles it is for, and the roles there are.
    """
    there = {role.name for role in roles}
    for step in plan.steps:
        wanted = (step.agent, *step.alternatives)
        if there.isdisjoint(wanted):
            raise UsageError(
                f"the workflow's step {step.id} is for the agent {' or '.join(wanted)}, which this "
                f"cluster doesn't have; it has {_listed(sorted(there - {MANAGER}))}"
            )


def _faults(steps: Sequence[Step]) -> Iterator[str]:
    """Yield what is wrong; what comes later may build on what came before being right."""
    if not 0 < len(steps) <= WORKFLOW_STEPS_MAX:
        yield f"steps must be 1 to {WORKFLOW_STEPS_MAX}, not {len(steps)}"
    seen: set[str] = set()
    for number, step in enumerate(steps, 1):
        if not _STEP_ID.fullmatch(step.id):
            yield f"steps.{number}.id: {_shown(step.id)} is no id of a step; {_WHAT_IDS_ARE}"
        if step.id in _MANAGERS_OWN:
            yield f"steps.{number}.id: {step.id!r} is a step of the Manager's own: choose another"
        if step.id in seen:
            yield f"steps.{number}.id: {step.id!r} is the id of two steps: each has its own"
        seen.add(step.id)
        yield from (f"steps.{step.id}.{fault}" for fault in _faults_of_one(step))
    total = sum(len(step.instruction) for step in steps)
    if total > WORKFLOW_CHARS_MAX:
        yield f"the instructions have {total} characters together, {WORKFLOW_CHARS_MAX} are allowed"
    yield from _faults_between(steps)


def _faults_of_one(step: Step) -> Iterator[str]:
    for key, role in (("agent", step.agent), *(("alternatives", a) for a in step.alternatives)):
        if not _ROLE.fullmatch(role):
            yield f"{key}: {_shown(role)} is no name of a role; {_WHAT_ROLES_ARE}"
        if role == MANAGER:
            yield f"{key}: the {MANAGER} composes the answer by itself and takes no step"
    asked = (step.agent, *step.alternatives)
    if len(set(asked)) < len(asked):
        yield f"alternatives: each role is named once, and not the step's own {step.agent!r}"
    if not step.instruction.strip():
        yield "instruction is empty: say what the agent is to do"
    if len(step.instruction) > WORKFLOW_INSTRUCTION_CHARS_MAX:
        yield (
            f"instruction has {len(step.instruction)} characters, "
            f"{WORKFLOW_INSTRUCTION_CHARS_MAX} are allowed: put long texts into the knowledge"
        )
    yield from _faults_of_times(step)


def _faults_of_times(step: Step) -> Iterator[str]:
    for key, seconds in (("deadline_s", step.allowed_s), ("expected_s", step.expected_s)):
        if not 0.0 <= seconds < math.inf:
            yield f"{key}: {seconds!r} is no number of seconds above 0"
    if step.allowed_s and step.expected_s > step.allowed_s:
        yield f"expected_s: {step.expected_s:g} s is more than its deadline_s of {step.allowed_s:g}"


def _faults_between(steps: Sequence[Step]) -> Iterator[str]:
    needs = {step.id: step.needs for step in steps}
    for step in steps:
        for need in step.needs:
            if need not in needs:
                there = _listed([each for each in needs if each != step.id])
                yield f"steps.{step.id}.needs: {_shown(need)} is no step; there are {there}"
        if len(set(step.needs)) < len(step.needs):
            yield f"steps.{step.id}.needs: each step is named once"
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        # Each of the circle is needed by the one that stands after it.
        circle = [str(step_id) for step_id in error.args[1]]
        if len(circle) <= _LISTED_MAX:
            yield f"steps.{circle[0]}.needs go in a circle: {' needs '.join(reversed(circle))}"
        yield f"steps.{circle[0]}.needs go in a circle of {len(circle) - 1} steps"


def _shown(name: str) -> str:
    """Return a name that may be anything for a sentence."""
    return repr(name if len(name) <= _NAME_CHARS_SHOWN else f"{name[:_NAME_CHARS_SHOWN]}...")


def _listed(names: Sequence[str]) -> str:
    """Return names for a sentence; of many only the first."""
    if not names:
        return "none"
    more = f" and {len(names) - _LISTED_MAX} more" if len(names) > _LISTED_MAX else ""
    return ", ".join(names[:_LISTED_MAX]) + more
