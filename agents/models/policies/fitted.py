"""A model that is asked no more than it can take in, and than it can read in time.

Directly around each endpoint's client, since each has its own window and its own speed. What goes
first is said by `agents.models.port.PromptPart`; how much has to go follows from what the endpoint
has shown: bytes per token, reading speed, and a refusal that names the window. Built by
`agents.models.build` where ``[model] fit`` is on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace

from agents.models.context import answer_tokens, fitted, least_size_of, shared_size, size_of
from agents.models.port import (
    Deed,
    Delta,
    Finish,
    Message,
    Model,
    Note,
    Request,
    StreamItem,
)
from cluster.kernel.errors import ModelError
from cluster.kernel.tail.endpoint_speed import KNOWN_MIN, EndpointSpeed
from cluster.kernel.time_shares import CALL_READ_SHARE

BYTES_PER_TOKEN = 2.7
"""Where an endpoint has not shown yet how many: of 68 prompts of four passages of our own documents
5 in 100 have fewer by SmolLM2's count, of source code none."""
_REFUSED_SHARE = 0.9
"""Of the room that a refusal leaves, what is used: what is left of a prompt may have more tokens
for its length than all of it had. Of 200 such prompts 7 are too long all the same."""
_DENSE_SHARE = 0.05
"""Of prompts, how many have fewer bytes per token than is reckoned with."""
_REMEMBERED_MAX = 4
"""Prompts of late: what a server caches of them need not be read again."""


class FittedModel:
    """Streams from a model that is shown what fits.

    Args:
        model: the endpoint's.
        speed: what is known of it; grows with every call.
        window: what it takes in at once, prompt and answer, in tokens; None where nobody says.
    """

    def __init__(
        self, model: Model, speed: EndpointSpeed | None = None, window: int | None = None
    ) -> None:
        self._model = model
        self._speed = speed or EndpointSpeed()
        self._window = window
        """As the settings say or, later and surer, the endpoint itself; of this process only, so
        that an endpoint that was started with a larger one is asked for it again."""
        self._has_cache = False
        """Whether it has said that it had read a part of a prompt before."""
        self._before: deque[tuple[Message, ...]] = deque(maxlen=_REMEMBERED_MAX)

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Stream as the model does; a note before its first words says what it was not shown.

        A prompt that is refused for its length is fitted to what the refusal says and sent once
        more, if the call may make another request.

        Raises:
            ModelError: as the model does.
        """
        now = asyncio.get_running_loop().time
        until = now() + request.timeout_s
        draft, has_spoken = self._fitted(request), False
        try:
            async with aclosing(self._asked(draft)) as items:
                async for item in items:
                    has_spoken |= isinstance(item, Delta)
                    yield item
            return
        except ModelError as error:
            left_s = until - now()
            again = self._fitted_again(draft, replace(request, timeout_s=left_s), error)
            if again is None or has_spoken or left_s <= 0.0:
                raise
        async with aclosing(self._asked(again)) as items:
            async for item in items:
                yield item

    async def warm(self) -> None:
        """Get ready to be called."""
        await self._model.warm()

    async def close(self) -> None:
        """Give the model's connections back."""
        await self._model.close()

    def _fitted(self, request: Request, bytes_per_token: float | None = None) -> _Draft:
        """Return the request as far as there is room for it, in the window and in the time.

        Args:
            request: what was asked for.
            bytes_per_token: of this very prompt, where that is known.
        """
        dense = bytes_per_token or self._bytes_per_token()
        by_window, by_time = self._window_room(request, dense), self._time_room(request)
        rooms = [room for room in (by_window, by_time) if room is not None]
        if not rooms:
            return _Draft(request)
        room = min(rooms, key=lambda each: each.bytes_max)
        fitting = fitted(request.messages, room.bytes_max)
        tokens_max = request.tokens_max
        if self._window is not None and tokens_max is not None:
            left = self._window - int(size_of(fitting.messages) / dense)
            # Where not even an answer of one token fits, the endpoint knows better, or refuses.
            tokens_max = min(tokens_max, left) if left > 0 else tokens_max
        told = f"left out of the prompt: {fitting.left_out}; {room.why}"
        sent = replace(request, messages=fitting.messages, tokens_max=tokens_max)
        if not fitting.left_out:
            return _Draft(sent)
        return _Draft(sent, told, request.characters - sent.characters)

    def _window_room(self, request: Request, bytes_per_token: float) -> _Room | None:
        window = self._window
        if window is None:
            return None
        tokens = window - answer_tokens(window, request.tokens_max)
        return _Room(int(tokens * bytes_per_token), f"the model takes in {window:,} tokens at once")

    def _time_room(self, request: Request) -> _Room | None:
        """Return what can be read in time; None where all can, or not even what has to stay."""
        read_s = request.timeout_s * CALL_READ_SHARE
        tokens = self._speed.reading.tokens_within(read_s)
        if tokens is None:
            return None
        known = (shared_size(request.messages, each) for each in self._before if self._has_cache)
        bytes_max = int(tokens * self._speed.bytes_per_token.quantile(0.5)) + max(known, default=0)
        if bytes_max <= least_size_of(request.messages):
            return None
        why = f"the model reads {tokens:,} tokens in the {read_s:.3g} s that there are for it"
        return _Room(bytes_max, why)

    def _fitted_again(self, draft: _Draft, request: Request, error: ModelError) -> _Draft | None:
        """Return what to ask after a refusal for the length; None where there is no point."""
        if not error.context_tokens:
            return None
        self._window = error.context_tokens
        bytes_per_token = None
        if error.prompt_tokens:
            # Some endpoints count no further than their window: it has at least so many.
            seen = size_of(draft.request.messages) / error.prompt_tokens
            bytes_per_token = min(seen * _REFUSED_SHARE, self._bytes_per_token())
        again = self._fitted(request, bytes_per_token)
        same = replace(again.request, timeout_s=draft.request.timeout_s) == draft.request
        return again if request.may_ask_more and not same else None

    async def _asked(self, draft: _Draft) -> AsyncGenerator[StreamItem, None]:
        """Yield what the model says, and learn from it how it reads."""
        request, has_told = draft.request, not draft.told
        async with aclosing(self._model.stream(request)) as items:
            async for item in items:
                if not has_told and isinstance(item, Delta | Finish):
                    has_told = True
                    yield Note(Deed.FITTED, draft.told, unsent_characters=draft.unsent)
                if isinstance(item, Finish):
                    self._learn(request, item)
                yield item

    def _learn(self, request: Request, finish: Finish) -> None:
        if not finish.prompt_tokens:
            return
        self._speed.bytes_per_token.add(size_of(request.messages) / finish.prompt_tokens)
        self._has_cache |= finish.cached_tokens > 0
        self._before.append(request.messages)
        if finish.first_s:
            self._speed.reading.read(finish.prompt_tokens - finish.cached_tokens, finish.first_s)

    def _bytes_per_token(self) -> float:
        known = self._speed.bytes_per_token
        if not known.count:
            return BYTES_PER_TOKEN
        dense = known.quantile(_DENSE_SHARE)
        return dense if known.count >= KNOWN_MIN else min(dense, BYTES_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class _Room:
    """How long a prompt may be, and what it is that limits it."""

    bytes_max: int
    why: str


@dataclass(frozen=True, slots=True)
class _Draft:
    """A request as the model is sent it."""

    request: Request
    told: str = ""
    """What was left out of it and why; empty where nothing was."""
    unsent: int = 0
    """How many characters that was."""
