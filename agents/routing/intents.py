"""The intents that a goal is told apart by, from `intents.toml` and `frames.toml`.

Used by `agents.routing.default_router` and by whoever wires users' functions to intents.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import cycle
from typing import Any

from cluster.kernel.routing import Effort

FILLINGS = 4
_SLOT = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Intent:
    """What somebody wants who says something like the utterances."""

    name: str
    definition: str
    route: str
    """`TEAM`, or the name of a role or a registered function."""
    effort: Effort
    utterances: Sequence[str]
    confidence_min: float = 0.0
    """How sure it has to be beyond what all have to be."""


@cache
def default_intents() -> tuple[Intent, ...]:
    """Return the intents that ship, their frames filled."""
    framed = _table("frames.toml")
    slots = framed.pop("slots")
    return tuple(
        Intent(
            name,
            each["definition"],
            each["route"],
            Effort(each["effort"]),
            (*each["utterances"], *filled(framed[name]["frames"], slots)),
            each.get("confidence", 0.0),
        )
        for name, each in _table("intents.toml").items()
    )


def filled(frames: Sequence[str], slots: Mapping[str, Sequence[str]]) -> list[str]:
    """Return each frame with words in its slots, `FILLINGS` times where it has any.

    The words follow each other through all frames, so that each is said in many ways.
    """
    words = {name: cycle(each) for name, each in slots.items()}
    return [
        _SLOT.sub(lambda slot: next(words[slot[1]]), frame)
        for frame in frames
        for _ in range(FILLINGS if _SLOT.search(frame) else 1)
    ]


def _table(name: str) -> dict[str, Any]:
    text = files("agents.routing").joinpath(name).read_text(encoding="utf-8")
    return tomllib.loads(text)
