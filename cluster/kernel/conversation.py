"""The conversation that a goal continues, as chat APIs have it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of the conversation that a goal continues, as chat APIs have them."""

    role: str
    """``system``, ``user`` or ``assistant``."""
    content: str
