"""A model that reasons for longer than its answer may be: it is asked again without that bound.

What an agent asks for bounds the answer; to an endpoint it bounds the reasoning before it as well.
Where nothing but reasoning came of a call, it is made once more without the bound, within its time,
and later calls of the model go without from the start: how long it reasons is not ours to guess.
Such a call has not failed: the request is one of the call's, and no tier's share of them. What the
user has bounded stays bounded. Built by `agents.models.build` around each endpoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from agents.models.port import Deed, Delta, Finish, Model, Note, Request, Restarted, StreamItem
from agents.models.reasoning import InlineReasoning
from cluster.kernel.time_shares import CALL_ANEW_SHARE


class UncappedModel:
    """Streams from a model whose answers end where they should.

    Args:
        model: the endpoint's.
        tokens_max: where a call is to end at the latest, by the user's own words.
    """

    def __init__(self, model: Model, tokens_max: int | None = None) -> None:
        self._model = model
        self._tokens_max = tokens_max
        self._reasons_long = False
        """Whether it has used up a bound by reasoning; of this process only."""

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Stream as the model does; where all of a bound went into reasoning, a second time.

        Raises:
            ModelError: as the model does.
        """
        now = asyncio.get_running_loop().time
        until = now() + request.timeout_s
        first = self._unbound(request) if self._reasons_long else request
        said = _SaidSoFar()
        wasted: Finish | None = None
        async with aclosing(self._model.stream(first)) as items:
            async for item in items:
                said.take(item)
                if isinstance(item, Finish) and said.is_spent_on_reasoning(item):
                    self._reasons_long = True
                    if self._may_ask_again(first, until - now()):
                        wasted = item
                        break
                yield item
        if wasted is None:
            return
        yield said.void(wasted)
        again = replace(self._unbound(first), timeout_s=until - now())
        async with aclosing(self._model.stream(again)) as items:
            async for item in items:
                if isinstance(item, Finish):
                    read = wasted.prompt_tokens + item.prompt_tokens
                    yield replace(item, prompt_tokens=read, void_tokens=wasted.completion_tokens)
                else:
                    yield item

    async def warm(self) -> None:
        """Get ready to be called."""
        await self._model.warm()

    async def close(self) -> None:
        """Give the model's connections back."""
        await self._model.close()

    def _unbound(self, request: Request) -> Request:
        return replace(request, tokens_max=self._tokens_max)

    def _may_ask_again(self, request: Request, left_s: float) -> bool:
        """Say whether a call that has come to nothing by its bound may be made without it."""
        return (
            request.tokens_max is not None
            and request.tokens_max != self._tokens_max
            and not request.commitment.is_made
            and request.may_ask_more
            and left_s >= request.timeout_s * CALL_ANEW_SHARE
        )


class _SaidSoFar:
    """What has come of a call."""

    def __init__(self) -> None:
        self._inline = InlineReasoning()
        self._characters = 0
        self._has_thought = False
        self._has_text = False
        """Whether there is any that is no reasoning, as far as can be told."""

    def take(self, item: StreamItem) -> None:
        """Hear an item."""
        if isinstance(item, Restarted):
            self._inline, self._has_thought, self._has_text = InlineReasoning(), False, False
            self._characters = 0
        elif isinstance(item, Delta):
            self._characters += len(item.text)
            if item.is_reasoning:
                self._has_thought = True
            elif not self._has_text:  # then the rest makes no difference, and is not looked at
                for part in self._inline.feed(item.text):
                    self._has_thought |= part.is_reasoning
                    self._has_text |= not part.is_reasoning and not part.text.isspace()

    def is_spent_on_reasoning(self, finish: Finish) -> bool:
        """Say whether a bound was used up by reasoning alone, seen or not.

        Blanks alone have a character for each of their tokens: what has fewer is not shown.
        """
        is_hidden = max(1, finish.completion_tokens) > self._characters
        is_cut = finish.reason == "length"
        return is_cut and not self._has_text and (self._has_thought or is_hidden)

    def void(self, finish: Finish) -> Restarted | Note:
        """Return what says that it was for nothing."""
        tokens = f"all of its {finish.completion_tokens} tokens"
        reason = f"the model spent {tokens} on reasoning, and was asked again without that bound"
        if self._characters:
            return Restarted(reason, is_counted=True)
        return Note(Deed.FELL_BACK, reason, wasted_tokens=finish.completion_tokens)
