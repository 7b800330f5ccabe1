"""A step as a model wrote it, in our own spelling: what it is called, who does it, what it needs.

Pure. Called by `agents.planning.plan_text` with values of JSON; nothing is judged here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

_ID_KEYS = ("id", "stepid", "name", "step", "number", "key", "title")
_AGENT_KEYS = ("agent", "role", "assignedto", "assignee", "agentname", "worker")
_INSTRUCTION_KEYS = (
    *("instruction", "instructions", "task", "description", "prompt"),
    *("action", "query", "question", "goal", "input", "content", "step", "title"),
)
_NEEDS_KEYS = ("needs", "dependson", "dependencies", "depends", "requires", "after", "inputs")
_STEPS_KEYS = ("steps", "plan", "tasks", "workflow", "subtasks", "result", "response")
_ID_LENGTH_MAX = 32
_NEEDS_MAX = 24
_LEVELS_MAX = 3
_NOT_OF_A_KEY = re.compile(r"[\W_]+")
_NOT_OF_AN_ID = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Draft:
    """One step as a model wrote it; what it left out is empty."""

    id: str
    agent: str
    instruction: str
    needs: tuple[str, ...] = ()
    """Each as it was written: an id, or several in one text."""

    @property
    def is_usable(self) -> bool:
        """Whether it says something to do; the dots of the prompt's form say nothing."""
        return any(character.isalnum() for character in self.instruction)


def drafts_in(value: object, levels: int = _LEVELS_MAX) -> tuple[Draft, ...]:
    """Return the steps of a value: a plan, a list of steps, or something around one of them.

    They are empty unless at least one of them is usable.
    """
    if isinstance(value, list):
        found = tuple(draft(each) for each in value if isinstance(each, Mapping))
        return found if any(each.is_usable for each in found) else ()
    if not isinstance(value, Mapping) or not levels:
        return ()
    members = _by_key(value)
    for key in _STEPS_KEYS:
        inner = members.get(key)
        if isinstance(inner, Mapping) and (named := _named_steps(inner)):
            inner = named
        if found := drafts_in(inner, levels - 1):
            return found
    return ()


def lone_draft(value: object) -> Draft | None:
    """Return the step that a value is by itself, without a list around it."""
    if not isinstance(value, Mapping) or not _by_key(value).keys() & set(_AGENT_KEYS):
        return None
    found = draft(value)
    return found if found.is_usable else None


def draft(value: Mapping[object, object]) -> Draft:
    """Return the step that an object is meant to be."""
    members = _by_key(value)
    ids = (_text(members.get(key)) for key in _ID_KEYS)
    step_id = next((made for each in ids if (made := slug(each))), "")
    agent = _first_text(members, _AGENT_KEYS)
    instruction = _first_text(members, _INSTRUCTION_KEYS)
    needs = next((members[key] for key in _NEEDS_KEYS if members.get(key) is not None), None)
    return Draft(step_id, agent, instruction, tuple(dict.fromkeys(_needs(needs)))[:_NEEDS_MAX])


def _named_steps(value: Mapping[object, object]) -> list[object]:
    """Return the steps of an object that has a step under each id; empty where it is none."""
    if not all(isinstance(each, Mapping) for each in value.values()):
        return []
    return [{"id": key, **each} for key, each in value.items() if isinstance(each, Mapping)]


def _by_key(value: Mapping[object, object]) -> dict[str, object]:
    return {_spelled(str(key)): each for key, each in value.items()}


@lru_cache(maxsize=256)
def _spelled(key: str) -> str:
    """Return a key in our spelling: the steps of a plan have the same ones over and over."""
    return _NOT_OF_A_KEY.sub("", key).lower()


def _first_text(members: Mapping[str, object], keys: Sequence[str]) -> str:
    return next((text for key in keys if (text := _text(members.get(key)))), "")


def _text(value: object) -> str:
    """Return a value as text; a list line by line, anything else is none."""
    if isinstance(value, str):
        # Halves of a character can't be sent on.
        return value.encode(errors="replace").decode().strip()
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list):
        return "\n".join(
            text for each in value if not isinstance(each, list) and (text := _text(each))
        )
    return ""


def slug(text: str) -> str:
    """Return a text as a step's id; empty where no letter or digit is in it."""
    return _NOT_OF_AN_ID.sub("-", text)[:_ID_LENGTH_MAX].strip("-._")


def _needs(value: object) -> Iterator[str]:
    """Yield the needs of a list, a text, a number or an object with an id."""
    if isinstance(value, list):
        for each in value:
            if not isinstance(each, list):
                yield from _needs(each)
    elif isinstance(value, Mapping):
        yield from _needs(_first_text(_by_key(value), _ID_KEYS))
    elif text := _text(value):
        yield text
