"""Time as something passed in, and the two ways to say when: deadline and timeout."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> float:
        """Return monotonic seconds; only differences mean anything."""
        ...

    def wall(self) -> float:
        """Return seconds since the Unix epoch, for people and for ids."""
        ...


class SystemClock:
    """The machine's own clocks."""

    __slots__ = ()

    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)


@dataclass(slots=True)
class Deadline:
    """An instant on the monotonic clock by which something must have ended.

    Nobody changes one; frozen it would take three times as long to make. Between processes only the
    remaining time travels: their monotonic clocks differ.
    """

    at: float

    @classmethod
    def after(cls, timeout_s: float, now: float) -> Deadline:
        """Return the deadline that lies ``timeout_s`` seconds after ``now``."""
        return cls(now + timeout_s)

    def remaining_s(self, now: float) -> float:
        """Return the seconds left, never below zero."""
        return max(0.0, self.at - now)

    def is_passed(self, now: float) -> bool:
        """Say whether no time is left."""
        return now >= self.at

    def sooner(self, timeout_s: float, now: float) -> Deadline:
        """Return the earlier of this deadline and ``timeout_s`` from now."""
        return Deadline(min(self.at, now + timeout_s))
