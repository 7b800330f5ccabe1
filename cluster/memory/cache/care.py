"""What is to be done about what is searched of a namespace: when a segment is built, when tidied.

Decisions only; `cluster.memory.cache.shelf` carries them out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto

SEGMENT_PASSAGES_MIN = 4_000
"""Up to here everything is searched exactly from memory, in 2 ms."""
DELTA_SHARE_MAX = 0.05
REST_S = 60.0
"""Between two builds for what has come; what has died is not to wait for it."""
FORGOTTEN_S = 5.0
"""So long what has died may stay in a segment before it is built anew."""
WASTE_MIN = 1_000
"""So many dead passages in memory are in nobody's way."""


class Care(Enum):
    """What is to be done about what is searched."""

    NOTHING = auto()
    TAKE = auto()
    """The newest segment, which is another than that which is searched."""
    BUILD = auto()
    TIDY = auto()
    """Leave out what is dead."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What is known of what is searched of a namespace."""

    segment_passages: int = 0
    """0 where there is no segment."""
    delta_passages: int = 0
    """Those in memory that are alive."""
    dead_passages: int = 0
    """Those in memory that are dead."""
    has_newer: bool = False
    """Whether there is another segment than that which is searched."""
    died_at: float = math.inf
    """When the first put of the segment died; inf where none has."""
    built_at: float = -math.inf
    """When the last build ended, by the clock that ``now`` is of; -inf for never."""
    is_failing: bool = False
    """Whether the last build failed."""
    can_build: bool = True
    """Whether there is a folder for segments."""

    def care(self, now: float) -> Care:
        """Say what is to be done."""
        if self.has_newer:
            return Care.TAKE
        if self.can_build and self._is_due(now):
            return Care.BUILD
        is_wasteful = self.dead_passages > max(WASTE_MIN, self.delta_passages)
        return Care.TIDY if is_wasteful else Care.NOTHING

    def _is_due(self, now: float) -> bool:
        has_rested = now - self.built_at >= REST_S
        if now - self.died_at >= FORGOTTEN_S:
            return has_rested or not self.is_failing
        least = max(SEGMENT_PASSAGES_MIN, DELTA_SHARE_MAX * self.segment_passages)
        return self.delta_passages >= least and has_rested
