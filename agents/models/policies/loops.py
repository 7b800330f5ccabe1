"""Whether a model has begun to repeat itself, as weak ones do until their tokens run out. Pure."""

from __future__ import annotations

REPEATS_MIN = 4
REPEATED_LENGTH_MIN = 160
"""Shorter runs are normal: rules of dashes, rows of a table, padded literals."""
_PERIOD_MAX = 400
_PROBE_LENGTH = 24
LOOP_WINDOW = REPEATS_MIN * _PERIOD_MAX
"""Characters at the end of a text that are looked at."""
_CHECK_EVERY = 64
"""Characters between two looks."""


class LoopWatch:
    """Hears a text as it comes, and keeps its end."""

    def __init__(self) -> None:
        self._heard = ""
        self._checked_at = 0
        self.length = 0

    def hear(self, text: str) -> None:
        """Take the next piece."""
        self.length += len(text)
        self._heard = (self._heard + text)[-LOOP_WINDOW:]

    def is_looping(self) -> bool:
        """Say whether its end repeats itself; looks only every so often."""
        if self.length < self._checked_at + _CHECK_EVERY:
            return False
        self._checked_at = self.length
        return looping_period(self._heard) > 0


def looping_period(text: str) -> int:
    """Return the length of the piece that the end of a text repeats over and over; 0 for none.

    The end counts as looping where the same piece stands there at least `REPEATS_MIN` times in a
    row, over at least `REPEATED_LENGTH_MIN` characters. Takes time of the window, not of the text.
    """
    window = text[-LOOP_WINDOW:]
    if len(window) < REPEATED_LENGTH_MIN:
        return 0
    probe = window[-_PROBE_LENGTH:]
    before = window.rfind(probe, 0, len(window) - 1)
    if before < 0:
        return 0
    period = len(window) - _PROBE_LENGTH - before
    needed = max(REPEATED_LENGTH_MIN, REPEATS_MIN * period)
    if period > _PERIOD_MAX or needed > len(window):
        return 0
    tail = window[-needed:]
    return period if tail[period:] == tail[:-period] else 0


def without_loop(text: str) -> str:
    """Return the text up to the first of the pieces that its end repeats, that one included."""
    period = looping_period(text)
    if not period:
        return text
    start = len(text) - period
    while start >= period and text[start - period : start] == text[start : start + period]:
        start -= period
    return text[: start + period]
