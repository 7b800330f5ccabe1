"""A workflow file: read, checked, and its placeholders filled in.

Called by `workflow`. The only part of the workflows that imports pydantic, and only when called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cluster.kernel.errors import UsageError
from cluster.kernel.ids import StepId
from cluster.kernel.sections import Section
from cluster.kernel.submission import GOAL_CHARS_MAX
from cluster.kernel.tasks.workflow import check_workflow
from cluster.kernel.vocabulary import Coherence, Plan, Step
from cluster.settings.toml_table import (
    UNKNOWN_KEY,
    KeyPath,
    Table,
    nearest,
    read_table,
    unknown_key,
    wrong_value,
)
from cluster.workflows.placeholders import NAME, UnknownPlaceholder, filled

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

INPUTS_MAX = 50
INPUT_CHARS_MAX = 20_000
_NO_SECTION = frozenset({"dataclass_type", "list_type", "dict_type"})
"""What pydantic calls a value where a section, or several, should be."""
_SECTION_DEPTH = 2


@dataclass(frozen=True, slots=True)
class DeclaredInput(Section):
    """[inputs.NAME]: a value that the texts of the workflow name."""

    default: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class DeclaredStep(Section):
    """[[steps]]: the keys of one step."""

    id: str
    agent: str
    instruction: str
    needs: list[str] = field(default_factory=list)
    alternatives: list[str] = field(default_factory=list)
    deadline_s: float | None = None
    pure: bool = False
    coherence: Literal["chained", "broadcast"] = "chained"
    expected_s: float | None = None


@dataclass(frozen=True, slots=True)
class DeclaredWorkflow(Section):
    """The whole file."""

    steps: list[DeclaredStep]
    goal: str = ""
    inputs: dict[str, DeclaredInput] = field(default_factory=dict)


def read_workflow(path: Path, given: Mapping[str, str]) -> tuple[Plan, str]:
    """Return the plan of a file and its goal, which may be empty, with the inputs filled in.

    Args:
        path: the file.
        given: values of the inputs, which go before their defaults.

    Raises:
        UsageError: names the file, the key and what is allowed.
    """
    origin = str(path)
    declared = _validated(read_table(path, "workflow"), origin)
    values = _values(declared.inputs, given, origin)
    goal = _filled(declared.goal, values, f"{origin}: goal")
    if len(goal) > GOAL_CHARS_MAX:
        raise UsageError(
            f"{origin}: goal has {len(goal)} characters, {GOAL_CHARS_MAX} are allowed: put long"
            " texts into the knowledge"
        )
    plan = Plan(tuple(_step(step, values, origin) for step in declared.steps))
    check_workflow(plan, origin)
    return plan, goal


def _step(declared: DeclaredStep, values: Mapping[str, str], origin: str) -> Step:
    return Step(
        StepId(declared.id),
        declared.agent,
        _filled(declared.instruction, values, f"{origin}: steps.{declared.id}.instruction"),
        tuple(map(StepId, declared.needs)),
        tuple(declared.alternatives),
        is_pure=declared.pure,
        is_broadcast=Coherence(declared.coherence) is Coherence.BROADCAST,
        allowed_s=declared.deadline_s or 0.0,
        expected_s=declared.expected_s or 0.0,
    )


def _filled(text: str, values: Mapping[str, str], place: str) -> str:
    try:
        return filled(text.strip(), values)
    except UnknownPlaceholder as error:
        name = str(error)
        near = nearest(name, list(values))
        hint = f", did you mean {{{near}}}?" if near else ";"
        there = f"the inputs are {', '.join(values)}" if values else "there are no inputs"
        raise UsageError(
            f"{place}: {{{name}}} is no input{hint} {there}; {{{{{name}}}}} is the text itself"
        ) from error


# ---- inputs --------------------------------------------------------------------------------------


def _values(
    declared: Mapping[str, DeclaredInput], given: Mapping[str, str], origin: str
) -> dict[str, str]:
    """Return the value of each input: the given one, else its default."""
    if len(declared) > INPUTS_MAX:
        raise UsageError(f"{origin}: inputs are {len(declared)}, {INPUTS_MAX} are allowed")
    for name in declared:
        if not NAME.fullmatch(name):
            raise UsageError(
                f"{origin}: inputs.{name} is no name of an input; allowed are up to 32 lower-case "
                "letters, digits and '_', the first a letter"
            )
    for name in given:
        if name not in declared:
            place = f"{origin}: {name!r} is no input of it"
            near = nearest(name, list(declared))
            hint = f", did you mean {near}?" if near else ";"
            raise UsageError(f"{place}{hint} it has {', '.join(declared) or 'none'}")
    values = {name: _value(name, each, given, origin) for name, each in declared.items()}
    for name, value in values.items():
        if len(value) > INPUT_CHARS_MAX:
            raise UsageError(
                f"{origin}: the input {name} has {len(value)} characters, {INPUT_CHARS_MAX} are "
                "allowed: put long texts into the knowledge"
            )
    return values


def _value(name: str, declared: DeclaredInput, given: Mapping[str, str], origin: str) -> str:
    value = given.get(name, declared.default)
    if value is None:
        about = f" ({declared.description.strip()})" if declared.description.strip() else ""
        raise UsageError(
            f"{origin}: the input {name}{about} has no default and is not given; give it with "
            f"--input {name}=VALUE, from Python as Workflow.load(path, {name}=VALUE)"
        )
    return value


# ---- the types of what the file holds ------------------------------------------------------------


def _validated(table: Table, origin: str) -> DeclaredWorkflow:
    import pydantic

    adapter = pydantic.TypeAdapter(DeclaredWorkflow)
    try:
        return adapter.validate_json(json.dumps(table, default=str), strict=True)
    except pydantic.ValidationError as invalid:
        errors = invalid.errors()
    if not errors[0]["loc"]:
        # TOML may be nested deeper than JSON, through which it goes.
        raise UsageError(f"{origin} is no workflow: it is nested too deeply")
    unknown = [each for each in errors if each["type"] == UNKNOWN_KEY]
    raise UsageError(f"{origin}: {_complaint((*unknown, *errors)[0], table)}")


def _complaint(error: ErrorDetails, table: Table) -> str:
    place = _place(error["loc"], table)
    key = ".".join(place)
    if error["type"] == UNKNOWN_KEY:
        return f"unknown key {unknown_key(place, _keys(place))}"
    if error["type"] in _NO_SECTION and len(place) <= _SECTION_DEPTH:
        head = "[[steps]]" if place[0] == "steps" else "[inputs.NAME]"
        return f"{key} must be written in sections {head}"
    return wrong_value(key, error)


def _place(location: Sequence[str | int], table: Table) -> KeyPath:
    """Return where something is, a step by its id where it has one; else counted from 1."""
    parts = [each + 1 if isinstance(each, int) else each for each in location]
    if location[0] == "steps" and len(location) > 1 and isinstance(location[1], int):
        step = table["steps"][location[1]]
        step_id = step.get("id") if isinstance(step, dict) else None
        parts[1] = step_id if step_id and isinstance(step_id, str) else parts[1]
    return tuple(map(str, parts))


def _keys(place: KeyPath) -> list[str]:
    """Return the keys that are allowed beside one."""
    kinds = {"steps": DeclaredStep, "inputs": DeclaredInput}
    kind = kinds[place[0]] if len(place) > 1 else DeclaredWorkflow
    return [each.name for each in fields(kind)]
