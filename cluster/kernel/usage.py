"""What model and tool calls have used: of a step, for the journal, and of a task, for its budget.

It crosses processes as the protobuf message of the same name.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Sums over calls."""

    model_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    wasted_tokens: int = 0
    """Completion tokens that nothing was made of."""
    saved_tokens: int = 0
    """Those that a policy has kept from being generated."""
    seconds: float = 0.0
    """Of model calls."""
    tool_s: float = 0.0
    saved_s: float = 0.0
    cost: float = 0.0
    """In the currency of the models' prices; 0 where they have none."""
    hedges: int = 0
    """Requests that were sent beside one that was slow, and steps that were given to a second
    replica."""
