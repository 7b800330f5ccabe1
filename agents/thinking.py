"""One call of a model within a turn: streamed to the user, accounted for, ended in time.

Called by `Agent.think` only. The time comes from the turn, so that tests can hold it still.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import aclosing

from agents.models.port import Delta, Finish, Model, Request
from agents.repetition import looping_period, without_loop
from cluster.kernel.errors import DeadlinePassed, ModelError
from cluster.kernel.events import Spent, Thought
from cluster.kernel.turn import Turn

TIME_SHARE = 0.9
"""Of the turn's time left, what one call may take: the rest is for doing without its answer."""
_GRACE_SHARE = 0.05
_LATE_SHARE = 0.98
"""Of the request's time: an adapter that fails after this has failed because of it."""
_TEXT_LENGTH_MAX = 200_000
_RUN_ON_MAX = 200
"""Characters read after there is enough, so that a well-behaved stream ends by itself."""
_CHARACTERS_PER_TOKEN = 4
_LOOP_CHECK_EVERY = 64
"""Characters between two looks at whether the model repeats itself."""
_INLINE_REASONING = re.compile(r"^\s*<think>.*?(</think>|\Z)", re.DOTALL)
_SENTENCE_END = re.compile(r".*(?:[.!?:](?=\s)|\n)", re.DOTALL)

IsEnough = Callable[[str], bool]
"""Takes each piece of text as it comes; True once what was asked for is whole."""


class Thinking:
    """A model call under way: what it has said, and what it has cost."""

    def __init__(
        self, turn: Turn, is_enough: IsEnough | None = None, *, cuts_loops: bool = False
    ) -> None:
        self._cuts_loops = cuts_loops
        self._turn = turn
        self._is_enough = is_enough
        self._pieces: list[str] = []
        self._length = 0
        self._checked_at = 0
        self._enough_at: int | None = None
        self._deltas = 0
        self._finish: Finish | None = None

    async def run(self, model: Model, request: Request) -> str:
        """Return the text; `Spent` is emitted however it ends.

        Raises:
            ModelError: the endpoint failed, or its stream broke.
            DeadlinePassed: the request's time was up.
        """
        left_s = self._turn.remaining_s()
        is_used = False
        try:
            async with asyncio.timeout(request.timeout_s + left_s * _GRACE_SHARE):
                await self._read(model, request)
            is_used = True
        except TimeoutError as error:
            raise self._late() from error
        except ModelError as error:
            if left_s - self._turn.remaining_s() >= request.timeout_s * _LATE_SHARE:
                raise DeadlinePassed(str(error)) from error
            raise
        finally:
            self._account(request, left_s - self._turn.remaining_s(), is_used=is_used)
        return self._text()

    async def _read(self, model: Model, request: Request) -> None:
        async with aclosing(model.stream(request)) as stream:
            async for item in stream:
                if isinstance(item, Finish):
                    self._finish = item
                    return
                self._take(item)
                if self._has_enough():
                    return
        raise ModelError("the model's stream ended without saying that it was complete")

    def _take(self, delta: Delta) -> None:
        self._deltas += 1
        self._turn.emit(Thought(delta.text, is_reasoning=delta.is_reasoning))
        if delta.is_reasoning:
            return
        self._pieces.append(delta.text)
        self._length += len(delta.text)
        if self._enough_at is None and self._is_enough is not None and self._is_enough(delta.text):
            self._enough_at = self._length

    def _has_enough(self) -> bool:
        if self._enough_at is not None:
            return self._length - self._enough_at > _RUN_ON_MAX
        return self._length > _TEXT_LENGTH_MAX or self._is_looping()

    def _is_looping(self) -> bool:
        if not self._cuts_loops or self._length < self._checked_at + _LOOP_CHECK_EVERY:
            return False
        self._checked_at = self._length
        return looping_period("".join(self._pieces)) > 0

    def _text(self) -> str:
        text = "".join(self._pieces)
        if self._cuts_loops:
            text = without_loop(text)
        if self._finish is not None and self._finish.reason == "length":
            whole = _SENTENCE_END.match(text)
            text = whole.group() if whole else text
        return _INLINE_REASONING.sub("", text).strip()

    def _account(self, request: Request, seconds: float, *, is_used: bool) -> None:
        """Emit what it cost; where the endpoint could not say, deltas are counted as tokens."""
        finish = self._finish
        if finish is None:
            characters = sum(len(message.text) for message in request.messages)
            finish = Finish("", characters // _CHARACTERS_PER_TOKEN, self._deltas)
        self._turn.emit(
            Spent(
                on="model",
                seconds=seconds,
                prompt_tokens=finish.prompt_tokens,
                completion_tokens=finish.completion_tokens,
                wasted_tokens=0 if is_used else finish.completion_tokens,
            )
        )

    def _late(self) -> DeadlinePassed:
        return DeadlinePassed(
            f"the model had not finished when the time for step {self._turn.step!r} was up"
        )
