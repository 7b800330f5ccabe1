"""A plan as the text of a workflow file: `reading` makes the same plan of it.

Pure; called by `workflow`. Only what isn't the default is written: most steps are four lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from cluster.kernel.vocabulary import Coherence, Plan, Step
from cluster.workflows.placeholders import escaped


def to_toml(plan: Plan, goal: str) -> str:
    """Return the text of a file with a goal, unless it is empty, and the steps; no inputs."""
    lines = [f"goal = {_text(escaped(goal))}"] if goal else []
    for step in plan.steps:
        lines += ["", "[[steps]]", *_lines(step)]
    return "\n".join(lines).lstrip() + "\n"


def _lines(step: Step) -> Iterator[str]:
    yield f"id = {_text(step.id)}"
    yield f"agent = {_text(step.agent)}"
    yield f"instruction = {_text(escaped(step.instruction))}"
    if step.needs:
        yield f"needs = {_list(step.needs)}"
    if step.alternatives:
        yield f"alternatives = {_list(step.alternatives)}"
    if step.allowed_s:
        yield f"deadline_s = {float(step.allowed_s)!r}"
    if step.is_pure:
        yield "pure = true"
    if step.is_broadcast:
        yield f"coherence = {_text(Coherence.BROADCAST)}"
    if step.expected_s:
        yield f"expected_s = {float(step.expected_s)!r}"


def _list(names: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, names))}]"


def _text(text: str) -> str:
    """Return a TOML string; one of several lines is written as such, so that people can edit it."""
    if "\n" in text:
        return '"""\n' + "\n".join(map(_escapes, text.split("\n"))) + '"""'
    return f'"{_escapes(text)}"'


def _escapes(line: str) -> str:
    # JSON's escapes are TOML's, but for one character that JSON leaves as it is.
    return json.dumps(line, ensure_ascii=False)[1:-1].replace("\x7f", "\\u007f")
