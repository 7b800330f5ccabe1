"""What goes over one link: the next frame, of all that is queued for the peers it leads to.

Pure: `cluster.runtime.messaging.link` writes what is made here.
"""

from __future__ import annotations

from cluster.kernel.delivery.packing import PART_BYTES, Packer
from cluster.kernel.delivery.peer import Peer
from cluster.kernel.envelope import Ack, Batch
from cluster.kernel.ids import AgentId

ENVELOPES_PER_TAKE = 64


class Outgoing:
    """Makes the frames of one link."""

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
