"""A model that takes only so many calls at once, the most urgent of those that wait first.

For endpoints that serve a few calls at a time: beyond that they answer 429, or share one GPU among
all, so that the call that everything waits for is as slow as the others. Built by `agents.factory`
where ``[model] calls_max`` is set.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from agents.models.port import Model, Request, StreamItem
from cluster.kernel.errors import ModelError

WAITING_MAX = 1_000
"""Calls that may wait; the next one is refused."""


class LimitedModel:
    """Streams from a model while no more than a number of calls are under way."""

    def __init__(self, model: Model, calls_max: int, waiting_max: int = WAITING_MAX) -> None:
        self._model = model
        self._slots = _Slots(calls_max, waiting_max)

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Wait for a slot within the request's time, and stream within what is left of it.

        Raises:
            ModelError: as the model does; too many calls wait, or no slot came free in time.
        """
        now = asyncio.get_running_loop().time
        began_at = now()
        await self._slots.take(request.priority, request.timeout_s)
        try:
            left_s = request.timeout_s - (now() - began_at)
            async with aclosing(self._model.stream(replace(request, timeout_s=left_s))) as stream:
                async for item in stream:
                    yield item
        finally:
            self._slots.give_back()

    @property
    def waiting(self) -> int:
        """How many calls wait for a slot."""
        return self._slots.waiting

    async def warm(self) -> None:
        """Get ready to be called."""
        await self._model.warm()

    async def close(self) -> None:
        """Give the model's connections back."""
        await self._model.close()


class _Slots:
    """A semaphore whose waiters are served by priority, those of the same one in their order."""

    def __init__(self, count: int, waiting_max: int) -> None:
        self._free = count
        self._count = count
        self._waiting_max = waiting_max
        self._heap: list[tuple[float, int, asyncio.Future[None]]] = []
        self._number = 0

    @property
    def waiting(self) -> int:
        return len(self._heap)

    async def take(self, priority: float, timeout_s: float) -> None:
        """Take a slot, or wait until one is handed over.

        Raises:
            ModelError: too many wait, or the time is up.
        """
        if self._free:
            self._free -= 1
            return
        if len(self._heap) >= self._waiting_max:
            raise ModelError(
                f"{len(self._heap)} calls wait for the model already, with {self._count} at once"
            )
        handed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._number += 1
        entry = (-priority, self._number, handed)
        heapq.heappush(self._heap, entry)
        try:
            async with asyncio.timeout(timeout_s):
                await handed
        except BaseException as error:
            self._leave(entry)
            if not isinstance(error, TimeoutError):
                raise
            raise ModelError(
                f"no call to the model ended within {timeout_s:.1f} s, with {self._count} at once"
            ) from error

    def _leave(self, entry: tuple[float, int, asyncio.Future[None]]) -> None:
        """Stop waiting; a slot that was handed over just before goes to the next one."""
        if not entry[2].cancelled():
            self.give_back()
        elif entry in self._heap:
            self._heap.remove(entry)
            heapq.heapify(self._heap)

    def give_back(self) -> None:
        """Hand a slot to the most urgent waiter; without one it is free."""
        while self._heap:
            _, _, handed = heapq.heappop(self._heap)
            if not handed.cancelled():  # its waiter may not have run since
                handed.set_result(None)
                return
        self._free += 1
