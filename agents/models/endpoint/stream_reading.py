"""The reading of one stream: blocks of bytes in; deltas, then a finish, or trouble out. Pure.

Fed by `agents.models.endpoint.openai_compatible`, which minds connections and time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from agents.models.endpoint import chat
from agents.models.endpoint.event_stream import EventStream
from agents.models.endpoint.trouble import BODY_BYTES_MAX, EVENT_BYTES_MAX, Endpoint
from agents.models.port import Delta, Finish

_DONE = b"[DONE]"


class StreamReading:
    """What a stream has said so far."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._events = EventStream()
        self._used = (0, 0, 0)
        self._bytes = 0
        self.reason = ""
        """Why the model stopped, in the endpoint's words; empty while it goes on."""
        self.spoken = 0
        """Deltas so far."""
        self.chunks = 0
        """Chunks so far: an endpoint that only keeps its connection alive is silent."""
        self.is_done = False
        """The endpoint has said that nothing more will come."""

    def feed(self, block: bytes) -> Iterator[Delta]:
        """Yield what a block says; to be read to its end before the next one.

        Raises:
            Trouble: the endpoint reports an error, or sends more than any answer has.
            ValueError, RecursionError: it sends what is no JSON.
        """
        self._bytes += len(block)
        if self._bytes > BODY_BYTES_MAX:
            raise self._endpoint.too_talkative(BODY_BYTES_MAX, "answer")
        for data in self._events.feed(block):
            if self.is_done:
                return
            if data.startswith(_DONE):
                self.is_done = True
            else:
                yield from self._chunk(json.loads(data.decode()))
        if self._events.held > EVENT_BYTES_MAX:
            raise self._endpoint.too_talkative(EVENT_BYTES_MAX, "event")

    def _chunk(self, chunk: object) -> Iterator[Delta]:
        self.chunks += 1
        error = chat.error(chunk)
        if error is not None:
            raise self._endpoint.failed_midway(error)
        for delta in chat.deltas(chunk):
            self.spoken += 1
            yield delta
        self.reason = chat.finish_reason(chunk) or self.reason
        self._used = chat.usage(chunk) or self._used

    def finish(self, content_type: str) -> Finish:
        """Return how the stream has ended, once nothing more comes.

        Raises:
            Trouble: it is no whole answer.
        """
        if not self.reason:
            raise self._endpoint.cut_short(was_speaking=self.spoken > 0, content_type=content_type)
        if self.reason not in chat.REASONS:
            raise self._endpoint.stopped_for(self.reason)
        prompt, completion, cached = self._used
        # An endpoint that keeps its usage to itself: a delta is about a token.
        reason = chat.REASONS[self.reason]
        return Finish(reason, prompt, completion or self.spoken, cached_tokens=cached)
