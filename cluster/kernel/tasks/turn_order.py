"""Which turn of an agent may run: one at a time for each key, up to `concurrency` keys at once.

The key is (task, step): messages of one step never interleave; steps that the plan declares
independent may overlap on one replica (docs/adr/0001). The queue is the agent's inbox: bounded,
first come first served among the keys that are free. The bound is the agent's, not each caller's
(ray PR#19936: `max_pending_calls` is per caller, so many callers still fill an actor), and nothing
that a turn waits for goes through it (mars#2170: calls that wait for a later call fill an actor).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cluster.kernel.errors import Overloaded

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class InboxStatistics:
    """What an inbox holds now, and the most it ever held."""

    queued: int
    running: int
    queued_peak: int


class Inbox(Generic[Item]):
    """An agent's bounded queue of work with the order of its turns."""

    def __init__(self, *, concurrency: int, queued_max: int) -> None:
        self._concurrency = concurrency
        self._queued_max = queued_max
        self._queued = 0
        self._queued_peak = 0
        self._free: deque[Hashable] = deque()
        """Keys with waiting items and no running turn, in order of arrival."""
        self._waiting: dict[Hashable, deque[Item]] = {}
        self._running: set[Hashable] = set()

    def admit(self, key: Hashable) -> bool:
        """Start a turn without queueing it, where none is before it; say whether it was started."""
        running = self._running
        is_next = not self._free and key not in running and len(running) < self._concurrency
        if is_next:
            running.add(key)
        return is_next

    def offer(self, key: Hashable, item: Item) -> None:
        """Queue an item behind those of its key.

        Raises:
            Overloaded: the inbox is full; nothing was queued.
        """
        if self._queued >= self._queued_max:
            raise Overloaded(f"the inbox is full ({self._queued_max} messages)")
        queue = self._waiting.get(key)
        if queue is None:
            queue = self._waiting[key] = deque()
            if key not in self._running:
                self._free.append(key)
        queue.append(item)
        self._queued += 1
        self._queued_peak = max(self._queued_peak, self._queued)

    @property
    def has_free(self) -> bool:
        """Say whether something waits whose key has no running turn."""
        return bool(self._free)

    def take(self) -> tuple[Hashable, Item] | None:
        """Start the next turn that may run, or return None."""
        if not self._free or len(self._running) >= self._concurrency:
            return None
        key = self._free.popleft()
        queue = self._waiting[key]
        item = queue.popleft()
        self._queued -= 1
        if not queue:
            del self._waiting[key]
        self._running.add(key)
        return key, item

    def finish(self, key: Hashable) -> None:
        """End the running turn of a key."""
        self._running.discard(key)
        if key in self._waiting:
            self._free.append(key)

    def drain(self) -> list[Item]:
        """Empty the queue and return what was in it; running turns stay."""
        items = [item for queue in self._waiting.values() for item in queue]
        self._waiting.clear()
        self._free.clear()
        self._queued = 0
        return items

    def statistics(self) -> InboxStatistics:
        """Return the counts of now."""
        return InboxStatistics(self._queued, len(self._running), self._queued_peak)
