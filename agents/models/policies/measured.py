"""A model whose speed is measured and nothing else, where its calls aren't hedged.

`agents.models.policies.hedged` measures by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from agents.models.port import Delta, Finish, Model, Request, StreamItem
from cluster.kernel.errors import ModelError
from cluster.kernel.tail.endpoint_speed import EndpointSpeed


class MeasuredModel:
    """Streams as the model does, and notes how fast it was."""

    def __init__(self, model: Model, speed: EndpointSpeed | None = None) -> None:
        self._model = model
        self.speed = speed or EndpointSpeed()
        """What is known of it; grows with every call."""

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Stream as the model does; raises as it does."""
        watch = _Stopwatch(self.speed)
        try:
            async with aclosing(self._model.stream(request)) as stream:
                async for item in stream:
                    if isinstance(item, Delta | Finish):
                        watch.hear(item)
                    yield item
        except ModelError as error:
            if not error.is_askers_fault:
                self.speed.failed()
            raise

    async def warm(self) -> None:
        """Get ready to be called."""
        await self._model.warm()

    async def close(self) -> None:
        """Give the model's connections back."""
        await self._model.close()


class _Stopwatch:
    """The times of one call."""

    def __init__(self, speed: EndpointSpeed) -> None:
        self._now = asyncio.get_running_loop().time
        self._speed = speed
        self._began_at = self._now()
        self._first_at: float | None = None
        self._last_at = 0.0
        self._deltas = 0

    def hear(self, item: Delta | Finish) -> None:
        """Take what the model has said."""
        now = self._now()
        if self._first_at is None:
            self._first_at = now
            self._speed.first_s.add(now - self._began_at)
        elif isinstance(item, Delta):
            self._speed.gaps_s.add(now - self._last_at)
        self._last_at = now
        if isinstance(item, Finish):
            self._speed.answered(item.completion_tokens or self._deltas, now - self._first_at)
        else:
            self._deltas += 1
