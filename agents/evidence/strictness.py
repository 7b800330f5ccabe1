"""What a sentence needs to be shown, by the settings and by the model that wrote it. Pure.

Used by `agents.agent`, `agents.factory` and `agents.answers.draft`.
"""

from __future__ import annotations

from enum import StrEnum


class SupportMode(StrEnum):
    """What a sentence needs to be shown; the values of ``[answer] support``."""

    AUTO = "auto"
    """Strict for the embedded model. Marked for any other, and strict for a task in which that
    cites what isn't there."""
    STRICT = "strict"
    """It has to be quoted or extracted."""
    MARKED = "marked"
    """No source contradicts it; where nothing backs it, it has a mark."""

    def is_strict(self, *, is_embedded: bool) -> bool:
        """Say whether a sentence of such a model has to stand in a source to be shown."""
        return self is SupportMode.STRICT or (self is SupportMode.AUTO and is_embedded)

    def may_turn_strict(self, *, is_embedded: bool) -> bool:
        """Say whether it has to in a text whose citations show that it can't be trusted."""
        return self is SupportMode.AUTO and not is_embedded
