"""Lines that a script file puts into an agent's mouth, step by step.

Read when a model is built; `agents.models.simulated.parts` says what no line is written for.
"""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cluster.kernel.errors import UsageError

ANY_STEP = "*"
_WORD = re.compile(r"\s*\S+|\s+\Z")


@dataclass(frozen=True, slots=True)
class Line:
    """A reply, and the exact number of pieces it is streamed in; 0 streams it word by word."""

    text: str
    tokens: int = 0

    def pieces(self) -> list[str]:
        """Return the pieces; joined they are the text."""
        if not self.tokens:
            return _WORD.findall(self.text)
        size = len(self.text)
        bounds = [size * number // self.tokens for number in range(self.tokens + 1)]
        return [self.text[start:end] for start, end in itertools.pairwise(bounds)]


Lines = Mapping[str, Mapping[str, Line]]
"""Agent -> step -> line; the step ``*`` stands for every step that isn't named."""

NO_LINES: Lines = {}


def load_lines(path: Path) -> Lines:
    """Read a script: a TOML or JSON table of agents, each a table of steps.

    A step is a text, or a table of ``text`` and ``tokens``.

    Raises:
        UsageError: the file can't be read, or something in it is not of this form.
    """
    try:
        text = path.read_text(encoding="utf-8")
        table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise UsageError(f"the simulated model's script {path} can't be read: {error}") from error
    if not isinstance(table, dict):
        raise UsageError(f"the simulated model's script {path} must be a table of agents")
    return {agent: _steps(path, agent, steps) for agent, steps in table.items()}


def _steps(path: Path, agent: str, steps: object) -> dict[str, Line]:
    if not isinstance(steps, dict):
        raise UsageError(f"{path}: {agent} must be a table of steps, each with its text")
    return {step: _line(f"{path}: {agent}.{step}", value) for step, value in steps.items()}


def _line(place: str, value: object) -> Line:
    if isinstance(value, str):
        return Line(value)
    if not isinstance(value, dict) or not value.keys() <= {"text", "tokens"}:
        raise UsageError(f"{place} must be a text, or a table of `text` and `tokens`")
    text, tokens = value.get("text"), value.get("tokens", 0)
    if not isinstance(text, str) or not isinstance(tokens, int):
        raise UsageError(f"{place}: `text` must be a text and `tokens` a whole number")
    if not 0 <= tokens <= len(text):
        raise UsageError(f"{place}: `tokens` must lie between 0 and the {len(text)} characters")
    return Line(text, tokens)
