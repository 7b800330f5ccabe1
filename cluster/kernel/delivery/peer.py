"""What one agent knows of another: its incarnation, and the six sequences between the two.

Pure: the exchange in `cluster.runtime.messaging.exchange` feeds it frames and asks it what to send.
That a peer is out of reach proves nothing (ray#29656: an actor counted as dead is only slow): what
an older incarnation sends is told by its epoch, and refused (autogen#3628: what a worker had
registered outlives it and gets in the way of its successor).
"""

from __future__ import annotations

from cluster.kernel.delivery.packing import PART_BYTES, Packer
from cluster.kernel.delivery.sequence import UNDONE_MAX, Arrival, Inbound, Outbound
from cluster.kernel.envelope import LANE_OF_KIND, Ack, Batch, Envelope, Kind, Lane
from cluster.kernel.errors import StaleEpoch, WireError
from cluster.kernel.ids import AgentId

ENVELOPES_PER_TAKE = 64
_SEND_ORDER = (Lane.CONTROL, Lane.REPLY, Lane.WORK)

PROGRESS_MAX = UNDONE_MAX * 3 // 4
"""Envelopes that wait on the reply lane until progress is refused; the rest is for answers."""

DISPENSABLE_MAX = UNDONE_MAX // 2
"""Envelopes that wait on the reply lane until progress is refused that can be left out."""


class Peer:
    """One remote agent as a local agent sees it."""

    __slots__ = (
        "_inbound",
        "_killers",
        "_outbound",
        "_ready",
        "agent",
        "epoch",
        "local",
        "local_epoch",
        "session",
        "their_session",
    )

    def __init__(self, agent: AgentId, local: AgentId, local_epoch: int, session: int = 0) -> None:
        self.agent = agent
        self.epoch = 0
        """The highest incarnation seen; 0 before the first hello."""
        self.their_session = 0
        """Which of its records of us that incarnation keeps; a higher one knows nothing of us."""
        self.session = session
        """Which of our records this is; of two records of one agent the later has the higher."""
        self.local = local
        self.local_epoch = local_epoch
        self._outbound = {lane: Outbound(has_implicit_done=lane is not Lane.WORK) for lane in Lane}
        self._inbound = _new_inbound()
        self._ready = set(_SEND_ORDER)
        """Lanes on which there may be something to send: `take` has not found the contrary since
        something last changed."""
        self._killers: list[Envelope] = []

    def meet(self, epoch: int, session: int = 0) -> bool:
        """Take note of the incarnation a hello names, and of its record of us.

        What isn't done will be sent again. The sequences go on where the peer remembers them, else
        they begin anew.

        Returns:
            True where the peer has lost what we had sent it: a new incarnation, or it forgot us.

        Raises:
            StaleEpoch: the incarnation, or the record, is older than one we have seen.
        """
        if (epoch, session) < (self.epoch, self.their_session):
            raise StaleEpoch(
                f"{self.agent} says it is incarnation {epoch} and knows us from session {session};"
                f" {self.epoch} and {self.their_session} are known already"
            )
        if self.is_known_as(epoch, session):
            self.reconnect()
            return False
        self._ready.update(_SEND_ORDER)
        was_known, has_died = self.epoch > 0, epoch > self.epoch
        self.epoch, self.their_session = epoch, session
        if was_known:
            self._inbound = _new_inbound()
            for outbound in self._outbound.values():
                self._killers += outbound.restart(has_died=has_died)
        return was_known

    def is_known_as(self, epoch: int, session: int) -> bool:
        """Say whether this incarnation, with this record of us, is the one we have met."""
        return (epoch, session) == (self.epoch, self.their_session)

    def reconnect(self) -> None:
        """Send what isn't done once more, and say what we have, to the same incarnation."""
        self._ready.update(_SEND_ORDER)
        for outbound in self._outbound.values():
            outbound.reconnect()
        for inbound in self._inbound.values():
            inbound.is_dirty = True

    def take_killers(self) -> list[Envelope]:
        """Return what killed `DEATHS_MAX` incarnations of the peer since the last call."""
        killers, self._killers = self._killers, []
        return killers

    def offer(self, envelope: Envelope) -> None:
        """Queue an envelope on its lane; progress leaves room for answers.

        Raises:
            Overloaded: too much waits for this peer already.
        """
        envelope.sender_epoch = self.local_epoch
        kept_max = UNDONE_MAX
        if envelope.kind is Kind.PROGRESS:
            kept_max = DISPENSABLE_MAX if envelope.is_dispensable else PROGRESS_MAX
        self._outbound[envelope.lane].offer(envelope, kept_max=kept_max)
        self._ready.add(envelope.lane)

    def take(self, count_max: int) -> list[Envelope]:
        """Return what may be sent now: control before replies before work, each in order."""
        taken: list[Envelope] = []
        ready = self._ready
        for lane in _SEND_ORDER:
            if lane in ready:
                taken += self._outbound[lane].take(count_max - len(taken))
        if len(taken) < count_max:
            ready.clear()
        return taken

    def take_acks(self) -> list[Ack]:
        """Return the acks there are news for."""
        acks: list[Ack] = []
        for lane, inbound in self._inbound.items():
            if inbound.is_dirty:
                receipt, limit, done = inbound.news()
                acks.append(
                    Ack(
                        self.agent,
                        self.epoch,
                        self.local,
                        self.local_epoch,
                        lane,
                        receipt,
                        limit,
                        done,
                    )
                )
        return acks

    def acknowledge(self, ack: Ack) -> list[Envelope]:
        """Apply an ack; return what is done by it. One for another incarnation is passed over.

        Raises:
            WireError: it acknowledges what was never sent; the link must be made anew.
        """
        if ack.sender_epoch != self.local_epoch or ack.recipient_epoch != self.epoch:
            return []
        self._ready.add(ack.lane)
        return self._outbound[ack.lane].acknowledge(ack)

    def arrive(self, envelope: Envelope) -> bool:
        """Record an arrival; say whether it is new and may have an effect.

        Raises:
            StaleEpoch: an older incarnation sent it.
            WireError: there is a gap before it; the link must be made anew.
        """
        if envelope.sender_epoch != self.epoch:
            raise StaleEpoch(f"{self.agent} sent from incarnation {envelope.sender_epoch}")
        if envelope.lane is not LANE_OF_KIND.get(envelope.kind, envelope.lane):
            raise WireError(f"{self.agent} sent {envelope.kind.name} on lane {envelope.lane.name}")
        arrival = self._inbound[envelope.lane].accept(envelope)
        if arrival is Arrival.NEW:
            return True
        if arrival is Arrival.GAP:
            raise WireError(f"{self.agent} left a gap before envelope {envelope.seq}")
        if arrival is Arrival.OVERDRAWN:
            raise WireError(f"{self.agent} sent envelope {envelope.seq} without credit")
        return False

    def taken(self, envelope: Envelope) -> None:
        """Give back the credit of an envelope of the work lane that has left the mailbox."""
        self._inbound[Lane.WORK].take(envelope)

    def done(self, envelope: Envelope) -> None:
        """Mark an envelope of the work lane as done."""
        self._inbound[Lane.WORK].finish(envelope)

    def answered(self, ask: Envelope) -> None:
        """Forget an ask of ours whose answer is here."""
        self._ready.add(Lane.WORK)
        self._outbound[Lane.WORK].finish(ask)

    def abandon(self, ask: Envelope) -> None:
        """Forget an ask of ours that nobody waits for any longer."""
        self._ready.add(Lane.WORK)
        self._outbound[Lane.WORK].abandon(ask)

    @property
    def undone_count(self) -> int:
        """How many of our envelopes this peer has not done yet."""
        return sum(len(outbound) for outbound in self._outbound.values())

    @property
    def receipts(self) -> int:
        """How much of what we have sent has its receipt; it only grows while a link stands."""
        return sum(outbound.receipt for outbound in self._outbound.values())

    @property
    def awaits_receipt(self) -> bool:
        """Say whether something that was sent has no receipt yet."""
        return any(outbound.awaits_receipt for outbound in self._outbound.values())

    @property
    def has_sendable(self) -> bool:
        """Say whether an envelope can be sent now, or an ack can't wait."""
        for lane in self._ready:
            if self._outbound[lane].has_sendable:
                return True
        return self.has_urgent_news

    @property
    def has_urgent_news(self) -> bool:
        """Say whether an ack can't wait."""
        control, reply, work = self._inbound.values()
        return control.is_urgent or reply.is_urgent or work.is_urgent

    @property
    def has_news(self) -> bool:
        """Say whether there is an ack that can wait for a while."""
        control, reply, work = self._inbound.values()
        return control.is_dirty or reply.is_dirty or work.is_dirty


def _new_inbound() -> dict[Lane, Inbound]:
    return {lane: Inbound(has_implicit_done=lane is not Lane.WORK) for lane in Lane}


class Outgoing:
    """What goes over one link: the next frame, of all that is queued for the peers it leads to."""

    __slots__ = ("_packer", "are_acks_due", "has_more", "is_ending", "peers")

    def __init__(self) -> None:
        self.peers: dict[AgentId, Peer] = {}
        """Agents for whom this is the link we send on."""
        self.are_acks_due = True
        """Acks that can wait go with the next frame."""
        self.is_ending = False
        """So do all acks, for no other frame may follow."""
        self.has_more = False
        """One frame did not take all there is."""
        self._packer = Packer()

    def next_frame(self) -> Batch | None:
        """Return what is queued, in one frame within its limits; None where there is nothing."""
        packer = self._packer
        acks: list[Ack] = []
        for peer in self.peers.values():
            while packer.size < PART_BYTES:
                taken = peer.take(ENVELOPES_PER_TAKE)
                if taken:
                    packer.add(taken)
                if len(taken) < ENVELOPES_PER_TAKE:
                    break
            if self.are_acks_due or self.is_ending or peer.has_urgent_news:
                acks += peer.take_acks()
        self.are_acks_due = False
        may_have_left_some = packer.size >= PART_BYTES
        batch = packer.pack(acks)
        self.has_more = may_have_left_some or packer.size > 0
        return batch
