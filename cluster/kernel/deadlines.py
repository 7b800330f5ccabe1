"""What has to have ended when: many deadlines of which few pass, kept for next to nothing.

A timer of the event loop costs 2 us to set and to cancel, which is a tenth of a message; a push
onto a heap costs a tenth of that, and what is over is left there until it is most of the heap.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

STALE_MIN = 256
"""Entries that are over are cleared away once there are more of them than this, and than others."""


class Deadlines(Generic[Key]):
    """A queue of keys, soonest deadline first; each is in it once at most."""

    __slots__ = ("_at", "_heap", "_number")

    def __init__(self) -> None:
        self._at: dict[Key, tuple[float, int, Key]] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._number = 0

    def __len__(self) -> int:
        """Return how many have neither passed nor been dropped."""
        return len(self._at)

    def add(self, key: Key, at: float) -> None:
        """Set the deadline of a key, in place of any it had."""
        self._number += 1  # of two with the same deadline the older is first; keys have no order
        self._at[key] = entry = (at, self._number, key)
        heapq.heappush(self._heap, entry)
        if len(self._heap) > 2 * len(self._at) + STALE_MIN:
            self._heap = list(self._at.values())
            heapq.heapify(self._heap)

    def drop(self, key: Key) -> None:
        """Forget a key; one that isn't there is passed over."""
        self._at.pop(key, None)

    def pass_until(self, now: float) -> list[Key]:
        """Remove and return those whose deadline has passed, in the order of their deadlines."""
        passed: list[Key] = []
        heap = self._heap
        while heap and heap[0][0] <= now:
            entry = heapq.heappop(heap)
            if self._at.get(entry[2]) is entry:
                del self._at[entry[2]]
                passed.append(entry[2])
        return passed

    def next_at(self) -> float | None:
        """Return the soonest deadline, None where there is none."""
        heap = self._heap
        while heap and self._at.get(heap[0][2]) is not heap[0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None
