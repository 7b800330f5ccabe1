"""What is asked of whoever decides a conflict of shared state, and what they answer.

They cross processes as the protobuf messages of the same names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rival:
    """One of the values of a conflict, and who wants it."""

    value: str = ""
    """As JSON; empty where the key is removed."""
    author: str = ""
    step: str = ""
    """The author's; each has a result that was made with it."""

    @property
    def is_removal(self) -> bool:
        """Whether its author has removed the key."""
        return not self.value

    @property
    def content(self) -> object:
        """The value as plain data: what `json.loads` makes of it; None for a removal."""
        return json.loads(self.value) if self.value else None


@dataclass(frozen=True, slots=True)
class ConflictRequest:
    """Asks whoever a field of shared state belongs to which value is to stand."""

    document: str
    state: str
    """The class of the document."""
    field: str
    has_key: bool = False
    """Whether the conflict is within one key of the field's dict."""
    key: str = ""
    rivals: tuple[Rival, ...] = ()
    """What the place shows meanwhile comes first."""
    goal: str = ""
    """Of the task."""


@dataclass(frozen=True, slots=True)
class ConflictDecision:
    """Answers a `ConflictRequest`."""

    value: str = ""
    """As JSON; empty where the key is to be removed."""
    is_left_open: bool = False
    """A person is to decide; the value says nothing then."""
