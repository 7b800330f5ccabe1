"""Delivery of one lane of one pair of agents: sequence, receipt, credit, done, resend, dedupe.

At least once on the wire, in order, once in effect per pair of incarnations. `Outbound` is the
sender's half, `Inbound` the recipient's; both are plain state machines that the runtime's
exchange drives. Every counter an `Inbound` reports is cumulative or a set that the sender may see
twice, so an ack that is lost, late or repeated does no harm (credit works as MAX_STREAM_DATA does
in QUIC, RFC 9000 section 4.1).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from enum import Enum

from cluster.kernel.envelope import Ack, Envelope
from cluster.kernel.errors import Overloaded

CREDIT_WINDOW = 256
"""Envelopes a sender may have at a recipient that no turn or waiting ask has taken yet."""

UNDONE_MAX = 4096
"""Envelopes a sender keeps for one recipient and lane, sent or not, until they are done."""


class Outbound:
    """The sender's half: numbers envelopes, sends within credit, keeps them until done."""

    __slots__ = (
        "_abandoned",
        "_next_seq",
        "_unsent",
        "has_implicit_done",
        "limit",
        "receipt",
        "undone",
    )

    def __init__(self, *, has_implicit_done: bool) -> None:
        self.has_implicit_done = has_implicit_done
        """A receipt is a done: true on every lane but work."""
        self._next_seq = 1
        self._unsent: deque[Envelope] = deque()
        self._abandoned: set[int] = set()
        self.undone: dict[int, Envelope] = {}
        """By seq, in order: what was sent, or is to be sent, and isn't done."""
        self.receipt = 0
        self.limit = CREDIT_WINDOW

    def offer(self, envelope: Envelope) -> None:
        """Take an envelope for sending and give it its place in the sequence.

        Raises:
            Overloaded: `UNDONE_MAX` envelopes wait already; nothing was taken.
        """
        if len(self.undone) >= UNDONE_MAX:
            raise Overloaded(f"{envelope.recipient} is not keeping up: its queue is full")
        envelope.seq = self._next_seq
        self._next_seq += 1
        self.undone[envelope.seq] = envelope
        self._unsent.append(envelope)

    def take(self, count_max: int) -> list[Envelope]:
        """Return what may be sent now, in order, and count the attempt."""
        taken: list[Envelope] = []
        unsent = self._unsent
        while unsent and len(taken) < count_max and unsent[0].seq <= self.limit:
            envelope = unsent.popleft()
            if envelope.seq in self.undone:
                envelope.attempt += 1
                taken.append(envelope)
        return taken

    @property
    def has_sendable(self) -> bool:
        """Say whether `take` would return something."""
        return bool(self._unsent) and self._unsent[0].seq <= self.limit

    def acknowledge(self, ack: Ack) -> list[Envelope]:
        """Apply the recipient's state; return the envelopes that are done by it."""
        finished: list[Envelope] = []
        self.limit = max(self.limit, ack.limit)
        if self.has_implicit_done:
            for seq in range(self.receipt + 1, min(ack.receipt, self._next_seq - 1) + 1):
                self._drop(seq, finished)
        self.receipt = max(self.receipt, ack.receipt)
        for seq in ack.done:
            self._drop(seq, finished)
        for seq in [seq for seq in self._abandoned if seq <= self.receipt]:
            self._abandoned.discard(seq)
            self._drop(seq, finished)
        return finished

    def _drop(self, seq: int, finished: list[Envelope]) -> None:
        envelope = self.undone.pop(seq, None)
        if envelope is not None:
            finished.append(envelope)

    def finish(self, seq: int) -> None:
        """Forget an envelope whose answer is here: its recipient has it."""
        self.undone.pop(seq, None)

    def abandon(self, seq: int) -> None:
        """Nobody waits for an envelope any longer: forget it once that leaves no gap."""
        if seq <= self.receipt:
            self.undone.pop(seq, None)
        elif seq in self.undone:
            self._abandoned.add(seq)
            self.undone[seq].deadline_at = 0.0  # where it still has to be sent, nobody starts on it

    def reconnect(self) -> None:
        """Send all that isn't done once more, to the same incarnation of the recipient."""
        self._unsent = deque(self.undone.values())

    def restart(self) -> None:
        """Begin a new sequence towards a new incarnation, with all that isn't done."""
        waiting = [e for seq, e in self.undone.items() if seq not in self._abandoned]
        self._abandoned.clear()
        self._next_seq = 1
        self.receipt = 0
        self.limit = CREDIT_WINDOW
        self.undone = {}
        self._unsent = deque()
        for envelope in waiting:
            self.offer(envelope)


class Arrival(Enum):
    """What an envelope is to its recipient."""

    NEW = "new"
    DUPLICATE = "duplicate"
    GAP = "gap"


class Inbound:
    """The recipient's half: drops what it has seen, says what it holds and what is done."""

    __slots__ = (
        "_done",
        "_limit_told",
        "_taken",
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
        self.running: set[int] = set()
        """Received and not done; bounded by the sender's window."""
        self._done: list[int] = []
        self._limit_told = CREDIT_WINDOW
        self.is_dirty = False
        """There is news for the sender, which can wait for a frame that goes there anyway."""
        self.is_urgent = False
        """The news can't wait: the sender is about to run out of credit, or sends things again."""

    def accept(self, seq: int) -> Arrival:
        """Record an arrival. Only a NEW one may have an effect."""
        self.is_dirty = True
        if seq == self.receipt + 1:
            self.receipt = seq
            if not self.has_implicit_done:
                self.running.add(seq)
            return Arrival.NEW
        if seq > self.receipt:
            return Arrival.GAP
        self.is_urgent = True
        if not self.has_implicit_done and seq not in self.running:
            self._done.append(seq)
        return Arrival.DUPLICATE

    def take(self) -> None:
        """Give back the credit of one envelope: it has left the mailbox."""
        self._taken += 1
        if self._taken + CREDIT_WINDOW - self._limit_told >= CREDIT_WINDOW // 4:
            self.is_dirty = self.is_urgent = True

    def finish(self, seqs: Iterable[int]) -> None:
        """Mark envelopes as done."""
        for seq in seqs:
            if seq in self.running:
                self.running.discard(seq)
                self._done.append(seq)
                self.is_dirty = True

    def news(self) -> tuple[int, int, tuple[int, ...]]:
        """Return receipt, limit and what became done since the last call, and be clean."""
        self.is_dirty = self.is_urgent = False
        done = tuple(self._done)
        self._done.clear()
        self._limit_told = self._taken + CREDIT_WINDOW
        return self.receipt, self._limit_told, done
