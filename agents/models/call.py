"""One call of a model within a turn: streamed to the user, accounted for, ended in time.

Called by `Agent.think` only. The time comes from the turn, so that tests can hold it still.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol, runtime_checkable

from agents.models.policies.loops import LOOP_WINDOW, looping_period, without_loop
from agents.models.port import Deed, Delta, Finish, Model, Note, Request, Restarted
from agents.models.reasoning import InlineReasoning, ReplyPart
from cluster.kernel.errors import DeadlinePassed, ModelError
from cluster.kernel.events import FellBack, Hedged, Spent, Thought
from cluster.kernel.time_shares import CALL_GRACE_SHARE, CALL_LATE_SHARE
from cluster.kernel.turn import Turn

_TEXT_LENGTH_MAX = 200_000
_RUN_ON_MAX = 200
"""Characters read after there is enough, so that a well-behaved stream ends by itself."""
_TAIL_WAIT_S = 2.0
"""How long a stream may be silent once there is enough: its end tells only what the call cost."""
_CHARACTERS_PER_TOKEN = 4
_LOOP_CHECK_EVERY = 64
"""Characters between two looks at whether the model repeats itself."""
_SENTENCE_END = re.compile(r".*(?:[.!?:](?=\s)|\n)", re.DOTALL)
_BLOCK = re.compile(r"[{\[]|```|~~~")
_FENCE_LENGTH = 3
_PREFACE_LENGTH_MAX = 300
"""Of a reply, before what was asked for begins: who says more may be thinking aloud."""


@runtime_checkable
class TextEnd(Protocol):
    """What says when there is enough, and can forget what it was given."""

    def __call__(self, piece: str) -> bool:
        """Take the next piece of text; True once what was asked for is whole."""
        ...

    def reset(self) -> None:
        """Forget the text so far: it was reasoning."""
        ...


@runtime_checkable
class ActingEnd(TextEnd, Protocol):
    """A text end that acts on what it was given before the text has ended."""

    def settle(self) -> None:
        """Act: what was given so far is no reasoning. Called after each piece of which that holds.

        What begins as it was asked for is trusted at once (`_Reply`); only a stray closing tag can
        still show it to have been a thought.
        """
        ...


IsEnough = Callable[[str], bool] | TextEnd
"""Takes each piece of text as it comes; True once what was asked for is whole."""


class _Reply:
    """The text of a reply, without reasoning, and whether it is enough.

    A reply that begins in the middle of a thought looks like text until its closing tag comes. So
    where it begins with more prose than what was asked for needs, all of it is read: what is enough
    within a thought, or refused there, is void.
    """

    def __init__(self, is_enough: IsEnough | None, preface_length_max: int) -> None:
        self._is_enough = is_enough
        self._acting = is_enough if isinstance(is_enough, ActingEnd) else None
        self._preface_length_max = preface_length_max
        self._pieces: list[str] = []
        self._enough_at: int | None = None
        self._refusal: Exception | None = None
        """What ``is_enough`` raised where the text may still turn out to be reasoning."""
        self._may_be_thought = True
        self._start = ""
        """The first text, as far as it says how the reply begins."""
        self.length = 0

    def take(self, text: str) -> None:
        """Add a piece; raises what ``is_enough`` does, unless this may be a thought."""
        self._pieces.append(text)
        self.length += len(text)
        self._start = (self._start + text).lstrip()[: self._preface_length_max + _FENCE_LENGTH]
        if self._is_enough is None or self._enough_at is not None or self._refusal is not None:
            return
        try:
            if self._is_enough(text):
                self._enough_at = self.length
        except Exception as error:
            if not self._is_doubtful():
                raise
            self._refusal = error
        else:
            self._settle()

    def void(self) -> None:
        """Forget all text: it was reasoning."""
        self.forget()
        self.trust()

    def forget(self) -> None:
        """Forget all text: what follows begins anew."""
        self._pieces.clear()
        self.length, self._enough_at, self._refusal = 0, None, None
        self._start = ""
        if isinstance(self._is_enough, TextEnd):
            self._is_enough.reset()

    def trust(self) -> None:
        """Take the text for what it seems: the reasoning is known to be elsewhere."""
        if self._may_be_thought:
            self._may_be_thought = False
            self._settle()

    def _settle(self) -> None:
        may_act = self._pieces and self._refusal is None and not self._is_doubtful()
        if self._acting is not None and may_act:
            self._acting.settle()

    @property
    def is_whole(self) -> bool:
        """Whether what was asked for has come."""
        return self._enough_at is not None

    @property
    def is_whole_for_good(self) -> bool:
        """Whether it has come, and can't turn out to have been reasoning."""
        return self.is_whole and not self._is_doubtful()

    def has_run_on(self) -> bool:
        """Say whether more was said after there was enough than a reply needs to end."""
        is_longer = self._enough_at is not None and self.length - self._enough_at > _RUN_ON_MAX
        return is_longer and not self._is_doubtful()

    def text(self) -> str:
        """Return the whole text; raises what ``is_enough`` raised for good."""
        if self._refusal is not None:
            raise self._refusal
        return "".join(self._pieces)

    def _is_doubtful(self) -> bool:
        """Say whether this may be a thought: it does not begin as what was asked for does."""
        block = _BLOCK.search(self._start)
        is_prose = block is None or block.start() > self._preface_length_max
        return self._may_be_thought and is_prose


class Thinking:
    """A model call under way: what it has said, and what it has cost."""

    def __init__(
        self,
        turn: Turn,
        request: Request,
        is_enough: IsEnough | None = None,
        *,
        cuts_loops: bool = False,
    ) -> None:
        self._turn = turn
        self._request = request
        self._cuts_loops = cuts_loops
        self._inline = InlineReasoning()
        self._reply = _Reply(is_enough, 0 if request.wants_json else _PREFACE_LENGTH_MAX)
        if cuts_loops:
            # The weak models that need this don't think, and run on after what they were asked for.
            self._reply.trust()
        self._heard = ""
        """The end of all text, reasoning included: a model may repeat itself there too."""
        self._length = 0
        self._checked_at = 0
        self._deltas = 0
        self._finish: Finish | None = None
        self._noted = Spent(on="model", seconds=0.0)
        """What policies say of the call."""

    async def run(self, model: Model) -> str:
        """Return the text; `Spent` is emitted however it ends.

        What goes wrong after there was enough is no trouble: the text is returned.

        Raises:
            ModelError: the endpoint failed, or its stream broke.
            DeadlinePassed: the request's time was up.
        """
        request = self._request
        left_s = self._turn.remaining_s()
        is_used = False
        try:
            async with asyncio.timeout(request.timeout_s + left_s * CALL_GRACE_SHARE) as limit:
                await self._read(model, request, limit)
            is_used = True
        except TimeoutError as error:
            is_used = self._is_whole()
            if not is_used:
                raise self._late() from error
        except ModelError as error:
            is_used = self._is_whole() and not error.is_withdrawal
            if not is_used:
                raise self._judged(error, left_s) from error
        finally:
            self._account(request, left_s - self._turn.remaining_s(), is_used=is_used)
        return self._text()

    def _is_whole(self) -> bool:
        """Say whether what was asked for had come when the stream broke."""
        if self._reply.is_whole:
            self._take(self._inline.close())  # a closing tag may be held, which voids the text
        return self._reply.is_whole

    def _judged(self, error: ModelError, left_s: float) -> ModelError | DeadlinePassed:
        """Return what an adapter's error means, ``left_s`` being the time there was before."""
        if left_s - self._turn.remaining_s() >= self._request.timeout_s * CALL_LATE_SHARE:
            return DeadlinePassed(str(error))
        return error

    async def _read(self, model: Model, request: Request, limit: asyncio.Timeout) -> None:
        latest_at = limit.when()
        now = asyncio.get_running_loop().time
        async with aclosing(model.stream(request)) as stream:
            async for item in stream:
                if isinstance(item, Finish):
                    self._finish = item
                    self._take(self._inline.close())
                    return
                self._hear(item)
                if self._has_enough():
                    return
                if self._reply.is_whole_for_good and latest_at is not None:
                    limit.reschedule(min(latest_at, now() + _TAIL_WAIT_S))
        raise ModelError("the model's stream ended without saying that it was complete")

    def _hear(self, item: Delta | Note | Restarted) -> None:
        match item:
            case Delta():
                self._read_delta(item)
            case Note():
                self._note(item)
            case Restarted():
                self._restart(item)

    def _note(self, note: Note) -> None:
        """Tell what a policy has done, and count what it has cost and saved."""
        self._noted = replace(
            self._noted,
            wasted_tokens=self._noted.wasted_tokens + note.wasted_tokens,
            saved_tokens=self._noted.saved_tokens + note.saved_tokens,
            saved_s=self._noted.saved_s + note.saved_s,
            hedges=self._noted.hedges + (note.deed is Deed.HEDGED),
        )
        if note.deed is Deed.HEDGED:
            self._turn.emit(Hedged("model", note.after_s, note.reason))
        elif note.deed is Deed.FELL_BACK:
            self._turn.emit(FellBack("model", note.reason))

    def _restart(self, restarted: Restarted) -> None:
        """Forget all that was said: nothing of two attempts is ever joined."""
        self._reply.forget()
        self._inline = InlineReasoning()
        self._heard, self._length, self._checked_at = "", 0, 0
        self._turn.emit(FellBack("model", restarted.reason))

    def _read_delta(self, delta: Delta) -> None:
        self._deltas += 1
        if delta.is_reasoning:
            self._turn.emit(Thought(delta.text, is_reasoning=True))
            self._reply.trust()
            return
        self._length += len(delta.text)
        self._heard = (self._heard + delta.text)[-LOOP_WINDOW:]
        self._take(self._inline.feed(delta.text))

    def _take(self, parts: Sequence[ReplyPart]) -> None:
        for part in parts:
            self._turn.emit(Thought(part.text, is_reasoning=part.is_reasoning))
            if part.ends_unopened:
                self._reply.void()
            elif part.is_reasoning:
                self._reply.trust()
            else:
                self._reply.take(part.text)

    def _has_enough(self) -> bool:
        if self._length > _TEXT_LENGTH_MAX:
            return True
        if self._reply.is_whole:
            return self._reply.has_run_on() and not self._inline.is_undecided
        return self._is_looping()

    def _is_looping(self) -> bool:
        if not self._cuts_loops or self._length < self._checked_at + _LOOP_CHECK_EVERY:
            return False
        self._checked_at = self._length
        return looping_period(self._heard) > 0

    def _text(self) -> str:
        text = self._reply.text()
        if self._cuts_loops:
            text = without_loop(text)
        if self._finish is not None and self._finish.reason == "length":
            whole = _SENTENCE_END.match(text)
            text = whole.group() if whole else text
        return text.strip()

    def _account(self, request: Request, seconds: float, *, is_used: bool) -> None:
        """Emit what it cost; where the endpoint could not say, deltas are counted as tokens."""
        finish = self._finish
        if finish is None:
            characters = sum(len(message.text) for message in request.messages)
            finish = Finish("", characters // _CHARACTERS_PER_TOKEN, self._deltas)
        unused = 0 if is_used else finish.completion_tokens
        self._turn.emit(
            replace(
                self._noted,
                seconds=seconds,
                prompt_tokens=finish.prompt_tokens,
                completion_tokens=finish.completion_tokens,
                wasted_tokens=self._noted.wasted_tokens + unused,
            )
        )

    def _late(self) -> DeadlinePassed:
        return DeadlinePassed(
            f"the model had not finished when the time for step {self._turn.step!r} was up"
        )
