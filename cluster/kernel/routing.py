"""Who works on a goal: what a router decides before anything is planned.

Filled by `agents.routing`, asked where a task begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

TEAM = "team"
"""The route of a goal that is planned and worked on by all roles; also of every doubt."""


class Effort(StrEnum):
    """How deep and how long a goal is worked on."""

    INSTANT = "instant"
    """Computed; no model is asked."""
    QUICK = "quick"
    """One short call of a small model, or one look-up."""
    NORMAL = "normal"
    """One agent, or a short plan."""
    DEEP = "deep"
    """A whole plan, and the strongest model that there is."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a goal goes."""

    intent: str
    """The likeliest one, also where the confidence doesn't suffice; empty if nothing was asked."""
    route: str
    """`TEAM`, or the name of what answers instead."""
    confidence: float = 0.0
    """Calibrated: how probable it is that the intent is right."""
    effort: Effort = Effort.DEEP
    seconds: float = 0.0
    """How long the decision took."""


class Router(Protocol):
    """Anything that decides by the text of a goal alone."""

    def decide(self, text: str) -> Decision:
        """Return where a goal goes, within a millisecond and without waiting for anything."""
        ...
