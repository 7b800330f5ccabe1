"""One call of a model within a turn: streamed to the user, accounted for, ended in time.

Called by `Agent.think` only. The time comes from the turn, so that tests can hold it still.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import aclosing

from agents.models.bill import Bill, Tail
from agents.models.policies.loops import LoopWatch, without_loop
from agents.models.port import Deed, Delta, Finish, Model, Note, Request, Restarted
from agents.models.reasoning import InlineReasoning, ReplyPart
from agents.models.reply import RUN_ON_MAX, Author, IsEnough, Reply
from agents.models.tails import TurnTails
from cluster.kernel.errors import DeadlinePassed, ModelError
from cluster.kernel.events import MODEL, FellBack, Hedged, Thought
from cluster.kernel.time_shares import CALL_GRACE_SHARE, CALL_LATE_SHARE
from cluster.kernel.turn import Turn

_TEXT_LENGTH_MAX = 200_000
"""Beyond it a text has no end. What is left of a plan is read all the same: it says itself what of
it is whole."""
_TAIL_WAIT_S = 2.0
"""How long a stream may go on once there is enough: its end tells only what the call cost."""
_SENTENCE_END = re.compile(r".*(?:[.!?:](?=\s)|[。！？]|\n)", re.DOTALL)  # noqa: RUF001
_PREFACE_LENGTH_MAX = 300
"""Of a reply, before what was asked for begins: who says more may be thinking aloud. So may whoever
says anything, until a whole reply of the model has shown that its thoughts are told apart."""


class Thinking:
    """A model call under way: what it has said, and what it has cost."""

    def __init__(
        self,
        turn: Turn,
        request: Request,
        is_enough: IsEnough | None = None,
        *,
        cuts_loops: bool = False,
        has_preface: bool = True,
        author: Author | None = None,
    ) -> None:
        self._turn = turn
        self._request = request
        self._author = author
        self._cuts_loops = cuts_loops
        self._inline = InlineReasoning()
        has_preface &= not request.wants_json
        self._reply = Reply(is_enough, _PREFACE_LENGTH_MAX if has_preface else 0)
        if cuts_loops:
            # The weak models that need this don't think, and run on after what they were asked for.
            self._reply.trust()
        self._loops = LoopWatch()
        """Hears all text, reasoning included: a model may repeat itself there too."""
        self._bill = Bill(request)
        self._whole: asyncio.Future[None] | None = None
        """Done once the text may be used; None where the stream is read to its end first."""
        self._is_accounted = False
        self.has_hidden_thought = False
        """Whether what came as text has turned out to be a thought."""
        self.has_plain_reply = False
        """Whether it was heard to its end, and has not."""

    async def run(self, model: Model, tails: TurnTails | None = None) -> str:
        """Return the text as soon as it is whole; `Spent` is emitted however it ends.

        What goes wrong after there was enough is no trouble: the text is returned.

        Args:
            model: the model.
            tails: who owns what is left of the stream then; without it, the stream is read to its
                end first.

        Raises:
            ModelError: the endpoint failed, or its stream broke.
            DeadlinePassed: the request's time was up.
        """
        if tails is None or not self._reply.may_be_whole_early:
            await self._read(model)
            return self._text()
        whole = self._whole = asyncio.get_running_loop().create_future()
        # A task of its own from the start: what a stream opens in one task it must close there.
        reading = asyncio.create_task(self._read(model), name="model stream")
        reading.add_done_callback(lambda _: self._go_on())
        try:
            await whole
        except asyncio.CancelledError:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            raise
        if reading.done():
            await reading
        else:
            tails.keep(reading, self)
        return self._text()

    @property
    def says_more(self) -> bool:
        """Whether more than blanks and a closing fence came after the text was whole."""
        return self._bill.tail is not None and self._bill.tail.says_more

    def settle(self) -> None:
        """Account for the call as far as is known, once."""
        self._account(is_used=True)

    async def _read(self, model: Model) -> None:
        """Read the stream to its end, or as far as it is needed."""
        request, left_s = self._request, self._turn.remaining_s()
        self._bill.began_left_s = left_s
        is_used = False
        try:
            async with asyncio.timeout(request.timeout_s + left_s * CALL_GRACE_SHARE) as limit:
                await self._stream(model, request, limit)
            is_used = True
        except TimeoutError as error:
            is_used = self._is_whole()
            if not is_used:
                raise _late(self._turn) from error
        except ModelError as error:
            is_used = self._is_whole() and not error.is_withdrawal
            if not is_used:
                spent_s = left_s - self._turn.remaining_s()
                raise _judged(error, spent_s, request) from error
        except asyncio.CancelledError:
            is_used = self._bill.tail is not None
            raise
        finally:
            self._account(is_used=is_used)

    def _is_whole(self) -> bool:
        """Say whether what was asked for had come when the stream broke."""
        if self._bill.tail is None and self._reply.is_whole:
            self._take(self._inline.close())  # a closing tag may be held, which voids the text
        return self._reply.is_whole

    async def _stream(self, model: Model, request: Request, limit: asyncio.Timeout) -> None:
        latest_at = limit.when()
        now = asyncio.get_running_loop().time
        async with aclosing(model.stream(request)) as stream:
            async for item in stream:
                if isinstance(item, Finish):
                    self._end(item)
                    return
                if (tail := self._bill.tail) is not None:
                    if self._is_long(tail, item):
                        return
                    continue
                self._check_length()  # of what came before it: nothing may have been behind that
                self._hear(item)
                if self._has_enough():
                    return
                if self._reply.is_whole_for_good and latest_at is not None:
                    limit.reschedule(min(latest_at, now() + _TAIL_WAIT_S))
                    self._let_go()
        raise ModelError("the model's stream ended without saying that it was complete")

    def _end(self, finish: Finish) -> None:
        self._bill.finish = finish
        if self._bill.tail is None:
            self._take(self._inline.close())
            is_cut = finish.reason == "length"
            self.has_plain_reply = not (is_cut or self.has_hidden_thought)

    def _let_go(self) -> None:
        """Let the turn go on with the text, where nothing of it is open."""
        if self._whole is not None and not self._whole.done() and not self._inline.is_undecided:
            self._bill.tail = Tail(self._turn.remaining_s())
            self._go_on()

    def _go_on(self) -> None:
        if self._whole is not None and not self._whole.done():
            self._whole.set_result(None)

    def _is_long(self, tail: Tail, item: Delta | Note | Restarted) -> bool:
        """Take what comes after the text, and say whether the stream isn't worth reading on."""
        match item:
            case Delta(text):
                self._bill.deltas += 1
                tail.take(text)
            case Note():
                self._bill.note(item)
        return isinstance(item, Restarted) or len(tail.text) > RUN_ON_MAX

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
        self._bill.note(note)
        if note.deed is Deed.HEDGED:
            self._turn.emit(Hedged(MODEL, note.after_s, note.reason))
        elif note.deed in {Deed.FELL_BACK, Deed.FITTED, Deed.WAITED}:
            self._turn.emit(FellBack(MODEL, note.reason))

    def _restart(self, restarted: Restarted) -> None:
        """Forget all that was said: nothing of two attempts is ever joined."""
        self._bill.void(is_counted=restarted.is_counted)
        self._reply.forget()
        self._inline = InlineReasoning()
        self._loops = LoopWatch()
        self._turn.emit(FellBack(MODEL, restarted.reason))

    def _read_delta(self, delta: Delta) -> None:
        self._bill.deltas += 1
        if self._author is not None:  # before the text is passed on, which may be judged at once
            self._author.is_embedded = delta.is_embedded
        if delta.is_reasoning:
            self._turn.emit(Thought(delta.text, is_reasoning=True))
            self._reply.trust()
            return
        self._loops.hear(delta.text)
        self._take(self._inline.feed(delta.text))

    def _take(self, parts: Sequence[ReplyPart]) -> None:
        for part in parts:
            self._turn.emit(Thought(part.text, is_reasoning=part.is_reasoning))
            if part.ends_unopened:
                self.has_hidden_thought = True
                self._reply.void()
            elif part.is_reasoning:
                self._reply.trust()
            else:
                self._reply.take(part.text)

    def _check_length(self) -> None:
        is_endless = self._loops.length > _TEXT_LENGTH_MAX and not self._reply.is_whole
        if is_endless and not self._request.wants_json:
            raise ModelError(
                f"the model had written {self._loops.length:,} characters and come to no end"
            )

    def _has_enough(self) -> bool:
        if self._request.wants_json and self._loops.length > _TEXT_LENGTH_MAX:
            return True
        if self._reply.is_whole:
            return self._reply.has_run_on() and not self._inline.is_undecided
        return self._cuts_loops and self._loops.is_looping()

    def _text(self) -> str:
        text = self._reply.text()
        if self._cuts_loops:
            text = without_loop(text)
        finish = self._bill.finish
        if finish is not None and finish.reason == "length" and not self._reply.is_whole:
            reason = _ran_out(finish)
            if not self._reply.run_out(reason):
                whole = _SENTENCE_END.match(text)
                text = whole.group() if whole else text
                self._turn.emit(FellBack(MODEL, reason))
        return text.strip()

    def _account(self, *, is_used: bool) -> None:
        """Emit what it cost, once."""
        if not self._is_accounted:
            self._is_accounted = True
            self._turn.emit(self._bill.spent(self._turn.remaining_s(), is_used=is_used))


def _judged(error: ModelError, spent_s: float, request: Request) -> ModelError | DeadlinePassed:
    """Return what an adapter's error means after so long."""
    is_late = spent_s >= request.timeout_s * CALL_LATE_SHARE
    return DeadlinePassed(str(error)) if is_late else error


def _ran_out(finish: Finish) -> str:
    tokens = f" ({finish.completion_tokens} tokens)" if finish.completion_tokens else ""
    return f"the model ran out of its length{tokens} before its text had ended"


def _late(turn: Turn) -> DeadlinePassed:
    return DeadlinePassed(f"the model had not finished when the time for step {turn.step!r} was up")
