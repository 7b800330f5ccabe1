"""A model whose calls cost money: each finish says how much.

Built by `agents.models.build` where prices are configured. What a call that broke off has cost
nobody says; its tokens are counted as far as they came.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from agents.models.port import Finish, Model, Request, StreamItem

_PER = 1_000_000


class PricedModel:
    """Streams from a model; its prices are those of a million tokens."""

    def __init__(self, model: Model, price_prompt: float, price_completion: float) -> None:
        self._model = model
        self._price_prompt = price_prompt
        self._price_completion = price_completion

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Yield what the model says; the finish with its cost. Raises what the model raises."""
        async with aclosing(self._model.stream(request)) as items:
            async for item in items:
                yield self._priced(item) if isinstance(item, Finish) else item

    def _priced(self, finish: Finish) -> Finish:
        read = finish.prompt_tokens * self._price_prompt
        written = (finish.completion_tokens + finish.void_tokens) * self._price_completion
        return replace(finish, cost=finish.cost + (read + written) / _PER)

    async def warm(self) -> None:
        """Get ready to be called."""
        await self._model.warm()

    async def close(self) -> None:
        """Give the model's connections back."""
        await self._model.close()
