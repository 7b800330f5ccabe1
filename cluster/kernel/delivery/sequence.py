"""Delivery of one lane of one pair of agents: sequence, receipt, credit, done, resend, dedupe.

At least once on the wire, in order, once in effect per pair of incarnations. `Outbound` is the
sender's half, `Inbound` the recipient's; both are plain state machines that the runtime's
exchange drives. Every counter an `Inbound` reports is cumulative or a set that the sender may see
twice, so an ack that is lost, late or repeated does no harm (credit works as MAX_STREAM_DATA does
in QUIC, RFC 9000 section 4.1). There is no buffer for gaps: a stream has none, so one ends the
link, and what isn't done comes again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import Enum

from cluster.kernel.delivery.quarantine import Quarantine
from cluster.kernel.envelope import Ack, Envelope
from cluster.kernel.errors import Overloaded, WireError

CREDIT_WINDOW = 256
"""Envelopes a sender may have at a recipient that no turn or waiting ask has taken yet."""

UNDONE_MAX = 4096
"""Envelopes a sender keeps for one recipient and lane, sent or not, until they are done."""

_UNSENT, _GONE = 0, -1
"""In place of a ``seq``: it has none yet, or nobody wants it and it never had one."""


class Outbound:
    """The sender's half: numbers envelopes as it sends them, within credit; keeps them until done.

    An envelope's ``seq`` means something only while it is sent and not done.
    """

    __slots__ = (
        "_abandoned",
        "_again",
        "_gone",
        "_next_seq",
        "_quarantine",
        "_sent",
        "_unsent",
        "has_implicit_done",
        "limit",
        "receipt",
    )

    def __init__(self, *, has_implicit_done: bool) -> None:
        self.has_implicit_done = has_implicit_done
        """A receipt is a done: true on every lane but work."""
        self._next_seq = 1
        self._sent: dict[int, Envelope] = {}
        """By seq, in order: what was sent to this incarnation and isn't done."""
        self._again: deque[Envelope] = deque()
        """Those of them that are to be sent once more."""
        self._unsent: deque[Envelope] = deque()
        self._gone = 0
        """How many of the unsent nobody wants any longer; never most of them."""
        self._abandoned: set[int] = set()
        """Those of the sent that nobody wants any longer, and that have no receipt, by seq."""
        self._quarantine: Quarantine | None = None
        """What is suspected of having killed the recipient; None while none has died."""
        self.receipt = 0
        self.limit = CREDIT_WINDOW

    def __len__(self) -> int:
        """Return how many envelopes are kept, sent or not."""
        kept = len(self._sent) + len(self._unsent) - self._gone
        return kept if self._quarantine is None else kept + len(self._quarantine)

    def undone(self) -> Iterator[Envelope]:
        """Yield what somebody still wants and isn't done, in the order it is to be sent."""
        yield from [e for seq, e in self._sent.items() if seq not in self._abandoned]
        yield from [e for e in self._unsent if e.seq != _GONE]
        yield from self._quarantine or ()

    def offer(self, envelope: Envelope, *, kept_max: int = UNDONE_MAX) -> None:
        """Take an envelope for sending.

        Raises:
            Overloaded: ``kept_max`` envelopes wait already; nothing was taken.
        """
        may_be_full = self._quarantine is not None or (
            len(self._sent) + len(self._unsent) >= kept_max  # counts those that are gone too
        )
        if may_be_full and len(self) >= kept_max:
            raise Overloaded(f"{envelope.recipient} is not keeping up: its queue is full")
        envelope.seq = _UNSENT
        if self._quarantine is None or not self._quarantine.hold_back(envelope):
            self._unsent.append(envelope)

    def take(self, count_max: int) -> list[Envelope]:
        """Return what may be sent now, in order, and count the attempt."""
        taken: list[Envelope] = []
        again = self._again
        while again and len(taken) < count_max:
            envelope = again.popleft()
            if self._sent.get(envelope.seq) is envelope:
                envelope.attempt += 1
                taken.append(envelope)
        unsent, sent, seq = self._unsent, self._sent, self._next_seq
        seq_end = min(self.limit + 1, seq + count_max - len(taken))
        while unsent and seq < seq_end:
            envelope = unsent.popleft()
            if envelope.seq == _GONE:
                self._gone -= 1
                continue
            envelope.seq = seq
            envelope.attempt += 1
            sent[seq] = envelope
            seq += 1
            taken.append(envelope)
        self._next_seq = seq
        return taken

    @property
    def has_sendable(self) -> bool:
        """Say whether `take` would return something."""
        return bool(self._again) or (bool(self._unsent) and self._next_seq <= self.limit)

    @property
    def awaits_receipt(self) -> bool:
        """Say whether something that was sent has no receipt yet."""
        return self._next_seq - 1 > self.receipt

    def acknowledge(self, ack: Ack) -> list[Envelope]:
        """Apply the recipient's state; return the envelopes that are done by it.

        Raises:
            WireError: it acknowledges what was never sent, or gives more credit than there is;
                nothing was applied.
        """
        if ack.receipt >= self._next_seq or ack.limit > ack.receipt + CREDIT_WINDOW:
            raise WireError(f"{ack.recipient} acknowledged what was never sent to it")
        if ack.done and max(ack.done) > ack.receipt:
            raise WireError(f"{ack.recipient} says that it has done what it did not receive")
        finished: list[Envelope] = []
        self.limit = max(self.limit, ack.limit)
        if self.has_implicit_done:
            for seq in range(self.receipt + 1, ack.receipt + 1):
                self._drop(seq, finished)
        self.receipt = max(self.receipt, ack.receipt)
        for seq in ack.done:
            self._drop(seq, finished)
        if self._abandoned:
            for seq in sorted(seq for seq in self._abandoned if seq <= self.receipt):
                self._drop(seq, finished)
        return finished

    def _drop(self, seq: int, finished: list[Envelope]) -> None:
        envelope = self._sent.pop(seq, None)
        if envelope is not None:
            self._abandoned.discard(seq)
            if self._quarantine is not None:
                self._unsent.extend(self._quarantine.let_go(envelope))
            finished.append(envelope)

    def finish(self, envelope: Envelope) -> None:
        """Forget an envelope whose answer is here: its recipient has it."""
        if self._sent.get(envelope.seq) is envelope:
            self._drop(envelope.seq, [])

    def abandon(self, envelope: Envelope) -> None:
        """Nobody waits for an envelope any longer: forget it once that leaves no gap."""
        if self._sent.get(envelope.seq) is envelope:
            if envelope.seq <= self.receipt:
                self._drop(envelope.seq, [])
            else:
                self._abandoned.add(envelope.seq)
                envelope.deadline_at = 0.0  # where it has to be sent again, nobody starts on it
        elif envelope.seq == _UNSENT:
            envelope.seq = _GONE
            if self._quarantine is None or envelope not in self._quarantine:
                self._remove_gone()
            if self._quarantine is not None:
                self._unsent.extend(self._quarantine.let_go(envelope))

    def _remove_gone(self) -> None:
        """Count one more that is gone; look for them once they are half of the queue."""
        self._gone += 1
        if self._gone * 2 >= len(self._unsent):
            self._unsent = deque(e for e in self._unsent if e.seq != _GONE)
            self._gone = 0

    def reconnect(self) -> None:
        """Send all that was sent and isn't done once more, to the same incarnation."""
        self._again = deque(self._sent.values())

    def restart(self, *, has_died: bool = True) -> list[Envelope]:
        """Begin a new sequence, with all that isn't done, towards who knows nothing of the old.

        With ``has_died`` that is a new incarnation of the recipient, and what the last one held
        when it died is suspected of having killed it.

        Returns:
            What has killed too many incarnations, in order; it is not kept.
        """
        waiting = list(self.undone())
        held = [
            envelope
            for seq, envelope in self._sent.items()
            if seq not in self._abandoned and not envelope.outlives_recipient
        ]
        self._next_seq = 1
        self._sent = {}
        self._again.clear()
        self._gone = 0
        self._abandoned.clear()
        self.receipt = 0
        self.limit = CREDIT_WINDOW
        if self._quarantine is None:
            self._quarantine = Quarantine()
        killers, free = self._quarantine.begin(held if has_died else [], waiting)
        for envelope in waiting:
            envelope.seq = _UNSENT
        self._unsent = deque(free)
        return killers


class Arrival(Enum):
    """What an envelope is to its recipient."""

    NEW = "new"
    DUPLICATE = "duplicate"
    GAP = "gap"
    OVERDRAWN = "overdrawn"
    """It was sent without credit."""


class Inbound:
    """The recipient's half: drops what it has seen, says what it holds and what is done.

    Where a receipt is a done nothing waits in a mailbox, and an arrival gives its credit back.
    """

    __slots__ = (
        "_done",
        "_limit_told",
        "_taken",
        "_waiting",
        "has_implicit_done",
        "is_dirty",
        "is_urgent",
        "receipt",
        "running",
    )

    def __init__(self, *, has_implicit_done: bool) -> None:
        self.has_implicit_done = has_implicit_done
        self.receipt = 0
        self._taken = 0
        self.running: dict[int, Envelope] = {}
        """Received and not done; what is in the mailbox or a turn's, so bounded by those."""
        self._waiting: set[int] = set()
        """Those of them that hold credit."""
        self._done: dict[int, None] = {}
        """What is to be told as done, in the order it became so."""
        self._limit_told = CREDIT_WINDOW
        self.is_dirty = False
        """There is news for the sender, which can wait for a frame that goes there anyway."""
        self.is_urgent = False
        """The news can't wait: the sender is about to run out of credit, or sends things again."""

    def accept(self, envelope: Envelope) -> Arrival:
        """Record an arrival. Only a NEW one may have an effect."""
        seq = envelope.seq
        if seq == self.receipt + 1:
            if seq > self._limit_told:
                return Arrival.OVERDRAWN
            self.is_dirty = True
            self.receipt = seq
            if self.has_implicit_done:
                self._give_back()
            else:
                self.running[seq] = envelope
                self._waiting.add(seq)
            return Arrival.NEW
        if seq > self.receipt:
            return Arrival.GAP
        self.is_dirty = self.is_urgent = True
        if not self.has_implicit_done and seq not in self.running and len(self._done) < UNDONE_MAX:
            self._done[seq] = None
        return Arrival.DUPLICATE

    def take(self, envelope: Envelope) -> None:
        """Give back the credit of an envelope that has left the mailbox; once, as often as told."""
        if self.running.get(envelope.seq) is envelope and envelope.seq in self._waiting:
            self._waiting.discard(envelope.seq)
            self._give_back()

    def _give_back(self) -> None:
        self._taken += 1
        if self._taken + CREDIT_WINDOW - self._limit_told >= CREDIT_WINDOW // 4:
            self.is_dirty = self.is_urgent = True

    def finish(self, envelope: Envelope) -> None:
        """Mark an envelope as done, taken or not; one of an earlier sequence is passed over."""
        seq = envelope.seq
        if self.running.get(seq) is envelope:
            if seq in self._waiting:
                self.take(envelope)
            del self.running[seq]
            self._done[seq] = None
            self.is_dirty = True

    def news(self) -> tuple[int, int, tuple[int, ...]]:
        """Return receipt, limit and what became done since the last call, and be clean."""
        self.is_dirty = self.is_urgent = False
        done = tuple(self._done)
        self._done.clear()
        self._limit_told = self._taken + CREDIT_WINDOW
        return self.receipt, self._limit_told, done
