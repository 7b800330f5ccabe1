"""When a link sends what is queued: at once, or with all else of the same pass of the event loop.

Pure: `cluster.runtime.messaging.link` tells of each wake and of the end of a pass, and flushes
where it is told to. A state machine that changes in place: it is asked for each envelope.
"""

from __future__ import annotations

AT_ONCE = 16
"""So many go at once and not at the end of the pass: else a whole window of asks and answers would
move to and fro, and either end would idle while the other one works on it."""
PROGRESS_GAP_S = 0.001
"""Between frames that are sent for progress alone: the words of a model, the facts of a task. A
frame costs its sender and its recipient more than what is in it; an answer takes along what waits,
and whoever acts on a fact of a task can do so a millisecond later."""


class Pace:
    """The pace of one link; without coalescing everything goes at once."""

    __slots__ = ("_is_calm", "_is_coalescing", "_woken", "_woken_in_pass", "is_end_awaited")

    def __init__(self, *, is_coalescing: bool = True) -> None:
        self._is_coalescing = is_coalescing
        self._woken = 0
        """How often since the last flush."""
        self._woken_in_pass = 0
        self._is_calm = True
        """The last pass of the event loop that had something to send had one thing."""
        self.is_end_awaited = False
        """The end of this pass is to be told."""

    def wake(self) -> bool:
        """Note that there may be something to send; say whether it is sent now.

        Where the last pass with something to send had no more than one, the first of this one goes
        at once.
        """
        self._woken += 1
        self._woken_in_pass += 1
        if not self._is_coalescing:
            return True
        if self.is_end_awaited:
            return self._woken >= AT_ONCE
        self.is_end_awaited = True
        return self._is_calm

    def end_pass(self) -> bool:
        """Note the end of the pass; say whether something is still to be sent."""
        self.is_end_awaited = False
        self._is_calm = self._woken_in_pass <= 1
        self._woken_in_pass = 0
        return self._woken > 0

    def flush(self) -> None:
        """Note that all there is is being sent."""
        self._woken = 0

    def progress_wait_s(self, since_flush_s: float) -> float:
        """Return how long progress waits for company; 0 where it is not to."""
        return max(0.0, PROGRESS_GAP_S - since_flush_s) if self._is_coalescing else 0.0
