"""One timer of the event loop for all deadlines of a kind. Decides nothing but when to look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cluster.kernel.clock import Clock
from cluster.kernel.deadlines import Deadlines

Key = TypeVar("Key", bound=Hashable)


class Alarm(Generic[Key]):
    """Calls ``on_passed`` with each key whose deadline has passed.

    The timer stands for the soonest deadline there was when it was set: where that one is dropped
    it rings for nothing, once.
    """

    def __init__(self, clock: Clock, on_passed: Callable[[Key], None]) -> None:
        self._clock = clock
        self._on_passed = on_passed
        self._deadlines: Deadlines[Key] = Deadlines()
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = 0.0
        self._is_closed = False

    def set(self, key: Key, at: float) -> None:
        """Set the deadline of a key, on the clock's monotonic time."""
        self._deadlines.add(key, at)
        if self._timer is None or at < self._rings_at:
            self._set_timer()

    def drop(self, key: Key) -> None:
        """Forget a key whose wait is over."""
        self._deadlines.drop(key)

    def close(self) -> None:
        """Ring no more."""
        self._is_closed = True
        self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self) -> None:
        self._stop_timer()
        at = self._deadlines.next_at()
        if at is None or self._is_closed:
            return
        self._rings_at = at
        left_s = max(0.0, at - self._clock.now())
        self._timer = asyncio.get_running_loop().call_later(left_s, self._ring)

    def _ring(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        for key in self._deadlines.pass_until(self._clock.now()):
            loop.call_soon(self._on_passed, key)
        self._set_timer()
