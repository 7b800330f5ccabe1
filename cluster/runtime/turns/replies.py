"""What askers are told: replies, failures, refusals."""

from __future__ import annotations

import logging

from cluster.kernel.envelope import Envelope, Kind, Trust
from cluster.kernel.errors import ClusterError, Overloaded, PeerUnavailable, Stopped, WireError
from cluster.kernel.reads import Saw
from cluster.kernel.vocabulary import Failure
from cluster.runtime.messaging.sender import SAW, Sender
from cluster.runtime.turns.work import Work
from cluster.wire.failure import failure_from_error

_log = logging.getLogger(__name__)

Result = tuple[str, bytes, bytes]
"""Type name and body, and what it was made from, as in an envelope."""


class Replies:
    """Encodes and sends what the turns of one agent come to."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def encoded(self, reply: object, saw: Saw | None = None) -> Result:
        """Return what a handler has answered, ready to be sent, and what it made that from."""
        if reply is None:
            reply = Failure("agent_failed", "no answer")
        codec = self._sender.codec
        seen = codec.encode(saw)[1] if saw is not None else b""
        return (*codec.encode(reply), seen)

    def last_word(self, work: Work, error: ClusterError) -> Result:
        """Return what the askers of a turn that was ended are told."""
        if work.last_word is None:
            return self.failure(error, work)
        return self.encoded(work.last_word)

    def failure(self, error: BaseException, work: Work) -> Result:
        """Return what the askers of a turn that failed are told."""
        if work.asked.kind is not Kind.ASK:
            _log.warning("a message to %s had no effect: %s", work.asked.recipient, error)
        return self.encoded(failure_from_error(error))

    def refuse(self, envelope: Envelope, error: BaseException) -> None:
        """Answer an ask that has no turn, or drop a message that nobody waits for."""
        if envelope.kind is not Kind.TELL:
            self.send(envelope, self.encoded(failure_from_error(error)))
        else:
            _log.warning("a message to %s had no effect: %s", envelope.recipient, error)
            self._sender.exchange.told(envelope)

    def refuse_stopping(self, envelope: Envelope) -> None:
        """Answer an ask; what was only told is left undone, for the next incarnation."""
        if envelope.kind is Kind.ASK:
            self.refuse(envelope, Stopped(f"{envelope.recipient} is shutting down"))

    def send(self, asked: Envelope, result: Result) -> None:
        """Send an answer, or, where it can't be sent, why."""
        try:
            self._send(asked, result)
        except (Overloaded, PeerUnavailable, WireError) as error:
            _log.warning("the answer to %s could not be sent: %s", asked.sender, error)
        except ClusterError as error:
            self._send(asked, self.encoded(failure_from_error(error)))

    def _send(self, asked: Envelope, result: Result) -> None:
        body_type, body, saw = result
        reply = self._sender.about(asked, asked.sender, Kind.REPLY, (body_type, body))
        if saw:
            reply.saw = saw
            if self._is_retrieved(saw):
                reply.trust = Trust.RETRIEVED
        self._sender.exchange.answer(asked, reply)

    def _is_retrieved(self, saw: bytes) -> bool:
        """Say whether an answer may have text from documents, which nobody here has written."""
        seen = self._sender.codec.decode(SAW, saw)
        return isinstance(seen, Saw) and bool(seen.namespaces)
