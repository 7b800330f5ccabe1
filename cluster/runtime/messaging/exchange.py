"""An agent's post office: queues envelopes for its peers and matches answers with asks.

Reaching the peers is `cluster.runtime.messaging.links`' work; all decisions about sequence, credit
and dedupe are `cluster.kernel.delivery.peer`'s. What is known of calls between Ray's actors shaped
it:

- ray#52628: a `ray.cancel` can be lost: ours is an envelope that is kept until it has its receipt.
- ray#26772: a call may hang when its actor died: every ask ends by its deadline, and before that
  where its recipient stays out of reach.
- ray PR#41756: what a generator yields is spliced from two runs when Ray retries it: an ask that is
  sent again says so (`on_restart`), and whoever shows its progress begins anew.
"""

from __future__ import annotations

import random
from collections.abc import Coroutine
from typing import Any

from cluster.kernel.clock import Clock
from cluster.kernel.delivery.peer import Peer
from cluster.kernel.envelope import Envelope, Kind
from cluster.kernel.errors import ClusterError, Overloaded, PeerUnavailable
from cluster.kernel.ids import AgentId, IdSource
from cluster.memory.directory import Directory
from cluster.runtime.messaging.arrivals import Arrivals
from cluster.runtime.messaging.asks import Asks
from cluster.runtime.messaging.dead_letters import DeadLetterBox
from cluster.runtime.messaging.links import Links
from cluster.runtime.messaging.port import DeliveryObserver, ExchangeStatistics, Recipient
from cluster.runtime.messaging.sender import AskObserver
from cluster.runtime.messaging.wanted import Wanted
from cluster.transport.port import Transport
from cluster.wire.codec import check_body
from cluster.wire.messages import MessageCodec


class Exchange:
    """Sends, receives and matches the envelopes of one agent."""

    def __init__(
        self,
        agent: AgentId,
        *,
        transport: Transport,
        directory: Directory,
        clock: Clock,
        codec: MessageCodec,
        rng: random.Random | None = None,
        ids: IdSource | None = None,
        is_coalescing: bool = True,
        dead_letters: DeadLetterBox | None = None,
        observer: DeliveryObserver | None = None,
    ) -> None:
        self.agent = agent
        """Whose post office it is."""
        self.statistics = ExchangeStatistics()
        self._ids = ids or IdSource(clock.wall, rng or random.Random())
        self._dead_letters = dead_letters
        self._arrivals = Arrivals(
            agent, self.statistics, clock=clock, dead_letters=dead_letters, observer=observer
        )
        self._links = Links(
            agent,
            self._arrivals,
            transport=transport,
            directory=directory,
            clock=clock,
            rng=rng,
            is_coalescing=is_coalescing,
        )
        acknowledge = self._links.acknowledge
        self.asks = Asks(self, codec, clock, acknowledge)
        self._wanted = Wanted(acknowledge)
        self._arrivals.bind(self.asks, self._wanted, acknowledge)

    @property
    def epoch(self) -> int:
        """The agent's incarnation."""
        return self._links.peers.local_epoch

    @property
    def address(self) -> str:
        """Where others dial; empty where they can't."""
        return self._links.address

    @property
    def peers_known(self) -> int:
        """How many other agents are remembered."""
        return len(self._links.peers)

    def is_linked(self, agent: AgentId) -> bool:
        """Say whether there is a link to send to an agent on."""
        return self._links.is_linked(agent)

    async def start(self, epoch: int, recipient: Recipient, *, listens: bool = True) -> str:
        """Open for others under an incarnation number; return the address."""
        self._arrivals.recipient = recipient
        return await self._links.start(epoch, listens=listens)

    async def stop(self) -> None:
        """Send what is queued, fail what waits, close the links."""
        await self._links.stop()
        self.asks.close()
        self.asks.fail(None, PeerUnavailable("this host is stopping"))
        if self._dead_letters is not None:
            await self._dead_letters.close()

    async def abort(self) -> None:
        """End as a crash does: no goodbye, nothing answered."""
        await self._links.abort()
        self.asks.close()
        if self._dead_letters is not None:
            await self._dead_letters.close(0.0)

    # ---- sending ---------------------------------------------------------------------------

    def post(self, envelope: Envelope) -> Peer:
        """Queue an envelope for its recipient. Never waits.

        Raises:
            TooLarge: the body is over the limit.
            Overloaded: too much waits for this recipient already.
        """
        try:
            check_body(envelope.body)
            peer = self._links.peers.get(envelope.recipient)
            peer.offer(envelope)
        except ClusterError as error:
            if envelope.is_dispensable and isinstance(error, Overloaded):
                self.statistics.left_out += 1
            else:
                self.statistics.refused[error.kind] += 1
            raise
        self.statistics.sent += 1
        self._links.send(peer, is_progress=envelope.kind is Kind.PROGRESS)
        return peer

    def ask(
        self, envelope: Envelope, observer: AskObserver | None = None, *, grace_s: float = 0.0
    ) -> Coroutine[Any, Any, Envelope]:
        """Send an ask and return the envelope of its answer.

        With ``grace_s`` the answer may still come that long after the recipient's deadline. Where
        the asking task is cancelled the recipient is told to stop, unless the observer says that
        somebody else has asked for the same meanwhile.

        Raises:
            DeadlinePassed: no answer came by the envelope's deadline.
            PeerUnavailable: the recipient stayed out of reach.
            TooLarge, Overloaded: it could not be sent at all.
        """
        return self.asks.ask(envelope, observer, grace_s=grace_s)

    def request_cancel(self, asked: Envelope, reason: str) -> None:
        """Tell the recipient of an ask to stop working on it; its answer will say so."""
        notice = Envelope.about(
            asked,
            self._ids.envelope_id(),
            self.agent,
            recipient=asked.recipient,
            kind=Kind.CANCEL,
            message=("", reason.encode()),
        )
        try:
            self.post(notice)
        except ClusterError:
            return  # the recipient's own deadline ends the turn

    def answer(self, asked: Envelope, reply: Envelope) -> None:
        """Send the answer to an ask; the ask is done when the answer has its receipt.

        Where the asker was given up, or asked from another incarnation, nothing is sent.

        Raises:
            TooLarge: send a failure instead.
            Overloaded: nothing can be sent; the ask is done.
        """
        if asked not in self._wanted:
            return
        try:
            self.post(reply)
        except Overloaded:
            self.told(asked)
            raise

    def skip(self) -> None:
        """Count a message that only a newer version knows."""
        self.statistics.skipped += 1

    def taken(self, envelope: Envelope) -> None:
        """A turn has taken the envelope out of the mailbox: give its credit back."""
        self._wanted.taken(envelope)

    def told(self, envelope: Envelope) -> None:
        """The turn of a TELL has ended."""
        self._wanted.told(envelope)
