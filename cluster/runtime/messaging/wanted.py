"""What others want of an agent, until they have it. Part of the exchange beside it."""

from __future__ import annotations

from collections.abc import Callable

from cluster.kernel.delivery.peer import Peer
from cluster.kernel.envelope import Envelope
from cluster.kernel.ids import EnvelopeId


class Wanted:
    """An ask until our answer has its receipt, a tell until its turn has ended.

    Bounded by what the mailbox and the lanes of the answers hold. ``on_news`` is told of a peer for
    which there is an ack.
    """

    def __init__(self, on_news: Callable[[Peer], None]) -> None:
        self._on_news = on_news
        self._work: dict[EnvelopeId, tuple[Peer, Envelope]] = {}

    def __contains__(self, envelope: Envelope) -> bool:
        """Say whether what an envelope asks for is still wanted."""
        return envelope.id in self._work

    def add(self, peer: Peer, envelope: Envelope) -> None:
        """Note what a peer wants."""
        self._work[envelope.id] = (peer, envelope)

    def taken(self, envelope: Envelope) -> None:
        """Give the credit back of what has left the mailbox."""
        wanted = self._work.get(envelope.id)
        if wanted is not None:
            peer, _ = wanted
            peer.taken(envelope)
            self._on_news(peer)

    def told(self, envelope: Envelope) -> None:
        """Note that nothing more becomes of an envelope."""
        wanted = self._work.pop(envelope.id, None)
        if wanted is not None:
            peer, _ = wanted
            peer.done(envelope)
            self._on_news(peer)

    def answer_received(self, reply: Envelope) -> None:
        """Note that an answer of ours has its receipt."""
        wanted = self._work.pop(reply.cause, None)
        if wanted is not None:
            peer, asked = wanted
            peer.done(asked)

    def drop_of(self, peer: Peer) -> None:
        """Forget what a peer wanted that it knows nothing of any longer."""
        for asked, (asker, _) in list(self._work.items()):
            if asker is peer:
                del self._work[asked]
