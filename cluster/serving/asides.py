"""Chat clients' own requests: titles, tags, follow-up questions, queries. Nobody has typed them."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.kernel.conversation import ChatMessage


def is_aside(goal: str, conversation: Sequence[ChatMessage]) -> bool:
    """Say whether a request was made by a chat client for itself."""
    return goal.startswith("### Task:\n") and not conversation
