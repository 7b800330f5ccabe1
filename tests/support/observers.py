"""Observers of asks for tests."""

from __future__ import annotations

from cluster.kernel.ids import AgentId
from cluster.runtime.messaging.sender import Unobserved


class Collected(Unobserved):
    """Writes the progress of an ask down."""

    def __init__(self, seen: list[object] | None = None) -> None:
        self.seen: list[object] = [] if seen is None else seen

    def on_progress(self, _: AgentId, detail: object, /) -> None:
        self.seen.append(detail)


class Abandoned(Unobserved):
    """Says that somebody else asks for the same."""

    @property
    def is_abandoned(self) -> bool:
        return True
