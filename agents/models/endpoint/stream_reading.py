"""The reading of one stream: blocks of bytes in; deltas, then a finish, or trouble out. Pure.

Fed by `agents.models.endpoint.openai_compatible`, which minds connections and time. Here alone is
decided what ends an answer:

* a finish reason ends it as `chunk.end_of` says, unless more text follows: some send one with
  every chunk, some with the last few;
* the mark ``[DONE]`` ends it where there is text, also without a reason;
* a whole completion in place of a stream is an answer as it stands;
* a stream that is over without any of these was cut off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum, auto

from agents.models.endpoint import chunk
from agents.models.endpoint.chunk import AnswerEnd
from agents.models.endpoint.event_stream import EventStream, StreamEvent
from agents.models.endpoint.foreign import Untold
from agents.models.endpoint.joining import Contradicted, Joining
from agents.models.endpoint.trouble import (
    BODY_BYTES_MAX,
    EVENT_BYTES_MAX,
    MALFORMED,
    Endpoint,
    Trouble,
)
from agents.models.endpoint.unreached import LOOK_AT_LOG
from agents.models.port import Deed, Delta, Finish, Note, Restarted, StreamItem

_BOM = b"\xef\xbb\xbf"
_BLANKS = re.compile(r"\s*")
_DONE = "[DONE]"
_FIELD = re.compile(rb"(?:data|event|id|retry|error)?:|(?:data|event|id|retry|error)$")
"""How a line of an event stream begins that says something, or keeps alive."""
_QUOTED_BYTES = 1_024
"""Of a body that is no answer, what its words are looked for in."""
_ASK_ELSEWHERE = "ask it by the way that speaks OpenAI's chat completions"
_JSON = json.JSONDecoder(strict=False)
"""Strings may have line feeds in them: those of an event stream were joined by some."""


class _Form(Enum):
    """What a body is made of; its first byte tells."""

    UNTOLD = auto()
    EVENTS = auto()
    JSON = auto()
    """One completion, or one a line."""


class _Reason(Enum):
    """Where in an answer its finish reason stands."""

    NOWHERE = auto()
    AT_END = auto()
    """No text has come after it."""
    AGAIN = auto()
    """Text has come after it, and it has come again with that, or after it."""
    BEFORE_TEXT = auto()
    """Text has come after it, so far without one."""
    EVERYWHERE = auto()
    """It came with the first text or before that: it tells no end."""

    def after(self, *, has_reason: bool, has_text: bool, is_first: bool) -> _Reason:
        """Return where it stands after one more chunk.

        Args:
            has_reason: whether the chunk has one.
            has_text: whether it has text or reasoning.
            is_first: whether none had any before it.
        """
        if self is _Reason.EVERYWHERE:
            return self
        if has_text and is_first:
            is_early = has_reason or self is not _Reason.NOWHERE
            return _Reason.EVERYWHERE if is_early else self
        if has_reason:
            is_at_end = self is _Reason.NOWHERE or (self is _Reason.AT_END and not has_text)
            return _Reason.AT_END if is_at_end else _Reason.AGAIN
        return _Reason.BEFORE_TEXT if has_text and self is not _Reason.NOWHERE else self


class StreamReading:
    """What a stream has said so far."""

    def __init__(self, endpoint: Endpoint, *, repeats: bool = False) -> None:
        """Begin with nothing.

        Args:
            endpoint: whose stream it is.
            repeats: whether each chunk of its earlier streams had all of the text so far.
        """
        self._endpoint = endpoint
        self._form = _Form.UNTOLD
        self._events = EventStream()
        self._body = bytearray()
        """Of a body that is no event stream; read when all of it is there. Of one without any chunk
        so far its beginning, which may have to be quoted; or be that of a byte order mark."""
        self._joinings = (Joining(repeats=repeats), Joining(repeats=repeats))
        """Of the text, and of the reasoning."""
        self._is_by_message = False
        """Whether they come as messages in place of deltas."""
        self._used = (0, 0, 0)
        self._bytes = 0
        self._untold = Untold(endpoint.quote)
        self._reason = ""
        """Why the model stopped, in the endpoint's words; empty while it goes on."""
        self._reason_place = _Reason.NOWHERE
        self._has_text = False
        self.spoken = 0
        """Deltas so far."""
        self.chunks = 0
        """Chunks so far: an endpoint that only keeps its connection alive sends none."""
        self.is_done = False
        """The endpoint has said that nothing more will come."""

    @property
    def is_ending(self) -> bool:
        """Whether only the usage may still come."""
        return self.spoken > 0 and self._reason_place is _Reason.AT_END

    @property
    def _is_over(self) -> bool:
        """Whether there is a whole answer, to which what goes wrong now makes no difference."""
        return self._has_text and self.is_ending

    @property
    def may_end(self) -> bool:
        """Whether an answer may be taken for whole after a long silence.

        It is none, or has one chunk, or a reason with the last of its text, as not with the first.
        """
        is_short = bool(self._reason) and self.spoken <= 1
        return self.is_ending or is_short or self._reason_place is _Reason.AGAIN

    @property
    def repeats(self) -> bool | None:
        """Whether each chunk has all of the text so far; None where nothing tells."""
        told = [joining.repeats for joining in self._joinings]
        return True if True in told else told[False]

    def feed(self, block: bytes) -> Iterator[Delta | Restarted]:
        """Yield what a block says; to be read to its end before the next one.

        It begins anew where it turns out that each chunk has all of the text so far.

        Raises:
            Trouble: the endpoint reports an error, or sends what is no answer, or more than any is.
        """
        self._bytes += len(block)
        if self._bytes > BODY_BYTES_MAX:
            raise self._endpoint.too_talkative(BODY_BYTES_MAX, "answer")
        if self._form is _Form.UNTOLD:
            block = self._begun(block)
        if self._form is _Form.JSON:
            self._body += block
        elif self._form is _Form.EVENTS:
            if not self.chunks:
                self._body += block[: max(0, _QUOTED_BYTES - len(self._body))]
            for event in self._events.feed(block):
                if self.is_done:
                    return
                yield from self._heard(event)
        if max(self._events.held, len(self._body)) > EVENT_BYTES_MAX:
            raise self._endpoint.too_talkative(EVENT_BYTES_MAX, "event")

    def finish(self, content_type: str) -> Iterator[StreamItem]:
        """Yield what was held back, and how the stream has ended, once nothing more comes.

        Raises:
            Trouble: it is no whole answer.
        """
        yield from self._rest()
        for is_reasoning, joining in enumerate(self._joinings):
            if text := joining.left():
                yield Delta(text, is_reasoning=bool(is_reasoning))
        end = chunk.end_of(self._reason) if self._reason else AnswerEnd.UNKNOWN
        is_answer = self._has_text and (self._reason or self.is_done)
        if end is AnswerEnd.FILTERED:
            raise self._endpoint.stopped_for(self._reason, is_filter=True)
        if end is AnswerEnd.BROKEN:
            raise self._endpoint.gave_up(self._reason)
        is_untold = not self.spoken and end is not AnswerEnd.LENGTH
        if is_untold and (story := self._untold.story()):
            raise Trouble(f"{self._endpoint} sent {story}", _ASK_ELSEWHERE)
        if end in {AnswerEnd.UNKNOWN, AnswerEnd.TOOLS} and not is_answer:
            raise self._unanswered(content_type)
        if end is AnswerEnd.UNKNOWN and self._reason:
            said = self._endpoint.quote(self._reason)
            what = f"{self._endpoint} ended its answer for an unknown reason ({said}); it is used"
            yield Note(Deed.FELL_BACK, what)
        prompt, completion, cached = self._used
        # An endpoint that keeps its usage to itself: a delta is about a token.
        reason = "length" if end is AnswerEnd.LENGTH else "stop"
        yield Finish(reason, prompt, completion or self.spoken, cached_tokens=cached)

    def _begun(self, block: bytes) -> bytes:
        """Return what is to be read of the first bytes; some endpoints keep alive by blank lines.

        No line of an event stream begins with a bracket.
        """
        if self._bytes == len(self._body) + len(block):  # the first ones
            block = bytes(self._body) + block
            self._body.clear()
            if len(block) < len(_BOM) and _BOM.startswith(block):
                self._body += block
                return b""
            block = block.removeprefix(_BOM)
        block = block.lstrip()
        if block:
            self._form = _Form.JSON if block.startswith((b"{", b"[")) else _Form.EVENTS
        return block

    def _heard(self, event: StreamEvent) -> Iterator[Delta | Restarted]:
        try:
            values = _values(event.data)
        except MALFORMED:
            if self._is_over:
                return
            said = event.data.decode(errors="replace")
            if event.is_error:
                raise self._endpoint.failed_midway(said) from None
            raise self._endpoint.unreadable(said, was_speaking=self.spoken > 0) from None
        for value in values:
            yield from self._chunk(value, is_named_error=event.is_error)

    def _rest(self) -> Iterator[Delta | Restarted]:
        """Yield what stands in an event without an end, or in a body that is no event stream."""
        if self._form is _Form.JSON:
            yield from self._completion()
            return
        event = self._events.close()
        if event is None or self.is_done:
            return
        try:
            values = _values(event.data)
        except MALFORMED:
            said = event.data.decode(errors="replace").strip()
            if event.is_error and not self._is_over:
                raise self._endpoint.failed_midway(said) from None
            if not said.startswith(("{", "[")):  # else it was cut off, with all that follows
                self._untold.remark = said
            return
        for value in values:
            yield from self._chunk(value, is_named_error=event.is_error)

    def _completion(self) -> Iterator[Delta | Restarted]:
        body = bytes(self._body)
        self._body.clear()
        try:
            values = _values(body)
        except MALFORMED:
            if not body.rstrip().endswith((b"}", b"]")):
                raise self._endpoint.cut_short(was_speaking=True) from None
            said = body.decode(errors="replace")
            raise self._endpoint.unreadable(said, was_speaking=False) from None
        for value in values:
            yield from self._chunk(value)
        self.is_done = True

    def _chunk(self, value: object, *, is_named_error: bool = False) -> Sequence[Delta | Restarted]:
        """Return what a chunk says; not as it is asked for, which would cost more than to look."""
        if value == _DONE:
            self.is_done = True
        if self.is_done:
            return ()
        if isinstance(value, list):  # Gemini puts an error in a list
            value = value[0] if value else None
        self.chunks += 1
        error = chunk.error(value, is_named=is_named_error)
        if error is not None:
            trouble = self._endpoint.failed_midway(error)
            if self._is_over and not trouble.is_withdrawal:
                return ()
            raise trouble
        is_first, reason = not self.spoken, chunk.finish_reason(value)
        said = self._said(value, has_reason=bool(reason))
        if not self.spoken:
            self._untold.take(value, chunk.remark(value))
        if reason or self._reason:  # most chunks come before any
            self._reason = reason or self._reason
            self._reason_place = self._reason_place.after(
                has_reason=bool(reason), has_text=bool(said), is_first=is_first
            )
        self._used = chunk.usage(value) or self._used
        return said

    def _said(self, value: object, *, has_reason: bool) -> Sequence[Delta | Restarted]:
        """Return what is new in a chunk's texts."""
        if not self.spoken:
            self._is_by_message = chunk.is_message(value)
        is_by_delta = not self._is_by_message
        found = chunk.deltas(
            value,
            has_spoken=is_by_delta and self.spoken > 0,
            has_text=is_by_delta and self._has_text,
        )
        is_whole = has_reason and bool(found) and chunk.is_message(value)
        said: list[Delta | Restarted] = []
        for delta in found:
            joining = self._joinings[delta.is_reasoning]
            try:
                text = joining.joined(delta.text, is_whole=is_whole)
            except Contradicted:
                if self._is_over:
                    return said
                raise contradicted(self._endpoint) from None
            if not text:
                continue
            self.spoken += 1
            self._has_text |= not (delta.is_reasoning or text.isspace())
            if joining.has_turned:
                said = self._anew()
            else:
                said.append(delta if text is delta.text else replace(delta, text=text))
        return said

    def _anew(self) -> list[Delta | Restarted]:
        """Return all that has been said: that each chunk has all of it was not known before."""
        text, reasoning = (joining.whole for joining in self._joinings)
        said = (Delta(reasoning, is_reasoning=True), Delta(text))
        return [began_anew(self._endpoint), *(delta for delta in said if delta.text)]

    def _unanswered(self, content_type: str) -> Exception:
        """Return the trouble of a stream that has ended without a whole answer."""
        if self._reason:
            return self._endpoint.stopped_for(self._reason)
        if self.spoken:
            return self._endpoint.cut_short(was_speaking=True)
        is_stream = self._form is not _Form.UNTOLD and bool(self.chunks)
        kind = "event-stream" if is_stream else content_type
        said = self._untold.remark or ("" if self.chunks else _words(bytes(self._body)))
        return self._endpoint.cut_short(was_speaking=False, content_type=kind, said=said)


def began_anew(endpoint: Endpoint) -> Restarted:
    """Return what is said where each chunk of a stream turns out to have all of the text."""
    return Restarted(f"{endpoint} repeats all of its text in each chunk: it is read as that")


def contradicted(endpoint: Endpoint) -> Trouble:
    """Return the trouble of chunks with all of the text so far, that can't be read as that."""
    what = f"{endpoint} repeats all of its text in each chunk, and part of it was read otherwise"
    return Trouble(what, LOOK_AT_LOG, is_retryable=True)


def _words(body: bytes) -> str:
    """Return the words of what should be an event stream; empty where it has a field of one."""
    lines = [line.strip() for line in body.splitlines()]
    if any(_FIELD.match(line) for line in lines if line):
        return ""
    return body.decode(errors="replace")


def _values(data: bytes) -> list[object]:
    """Return what stands in an event or a body: JSON values, mostly one; and the mark of the end.

    Raises:
        ValueError, RecursionError: something else stands there.
    """
    text = data.decode(errors="replace").strip()
    if text.startswith(_DONE):
        return [_DONE]
    try:
        return [_JSON.decode(text)]
    except ValueError:
        return _sequence(text)


def _sequence(text: str) -> list[object]:
    """Return several values: of events without blank lines between them, or one a line."""
    values: list[object] = []
    at = 0
    while at < len(text):
        if text.startswith(_DONE, at):
            return [*values, _DONE]
        value, end = _JSON.raw_decode(text, at)
        values.append(value)
        blanks = _BLANKS.match(text, end)
        at = blanks.end() if blanks else end
    return values
