"""What one turn publishes, on its way to the topics' documents.

Publishing never waits: the value is written in the background, in the order in which the turn has
published, and is durable before the turn's result is recorded. Made by
`cluster.runtime.sharing.shared_documents`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from cluster.kernel.errors import Overloaded, StoreUnavailable
from cluster.kernel.state.values import Value

WAITING_MAX = 1_000
"""Values of a turn that are not written yet."""

WriteValue = Callable[[str, Value], Awaitable[None]]


class Publisher:
    """Writes one value after another; the first error ends it, and is the turn's.

    Args:
        write: adds a value to a topic.
    """

    def __init__(self, write: WriteValue) -> None:
        self._write = write
        self._waiting: deque[tuple[str, Value]] = deque()
        self._work: asyncio.Task[None] | None = None

    def publish(self, topic: str, value: Value) -> None:
        """Have a value written soon.

        Raises:
            Overloaded: too many are waiting.
            ClusterError: why an earlier one could not be written.
        """
        if len(self._waiting) >= WAITING_MAX:
            raise Overloaded(f"{WAITING_MAX} published values wait for the store")
        if self._work is not None and self._work.done():
            self._work.result()
            self._work = None
        self._waiting.append((topic, value))
        if self._work is None:
            self._work = asyncio.create_task(self._write_all(), name="publish")
            self._work.add_done_callback(_look_at)

    async def _write_all(self) -> None:
        while self._waiting:
            await self._write(*self._waiting.popleft())

    async def finished(self, timeout_s: float) -> None:
        """Wait until all that was published is an edit.

        Raises:
            StoreUnavailable: it isn't after ``timeout_s`` seconds.
            ClusterError: why it won't be.
        """
        if self._work is None:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._work
        except TimeoutError as error:
            raise StoreUnavailable(
                f"what was published could not be written within {timeout_s:.1f} s"
            ) from error

    def close(self) -> None:
        """Write nothing more."""
        if self._work is not None:
            self._work.cancel()


def _look_at(work: asyncio.Task[None]) -> None:
    """Retrieve an error that nobody waits for any more."""
    if not work.cancelled():
        work.exception()
