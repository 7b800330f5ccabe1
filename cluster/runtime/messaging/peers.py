"""What an agent knows of others, for as long as it may be needed. Part of the links beside it."""

from __future__ import annotations

from collections.abc import Callable

from cluster.kernel.clock import Clock
from cluster.kernel.delivery.peer import Peer
from cluster.kernel.errors import Overloaded
from cluster.kernel.ids import AgentId
from cluster.runtime.messaging.alarm import Alarm

PEERS_MAX = 4096


class Peers:
    """The peers of one agent, by their names.

    ``is_used`` says whether a link leads to a peer or is looked for; ``on_forgotten`` is told of
    each one that is forgotten, and why.
    """

    def __init__(
        self,
        local: AgentId,
        is_used: Callable[[AgentId], bool],
        on_forgotten: Callable[[Peer, str], None],
        clock: Clock,
    ) -> None:
        self.local = local
        self.local_epoch = 0
        self._is_used = is_used
        self._on_forgotten = on_forgotten
        self._peers: dict[AgentId, Peer] = {}
        self._clock = clock
        self._lost: Alarm[AgentId] = Alarm(clock, self._forget_lost)
        """When those are forgotten whose link broke while nothing waited for them."""
        self._sessions = 0
        """How many records of peers were ever begun."""

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._peers)

    def find(self, agent: AgentId) -> Peer | None:
        """Return what we know of an agent, None of a stranger."""
        return self._peers.get(agent)

    def get(self, agent: AgentId) -> Peer:
        """Return what we know of an agent; a new one is made where it is a stranger.

        Raises:
            Overloaded: `PEERS_MAX` are known, and none can be forgotten.
        """
        peer = self._peers.get(agent)
        if peer is None:
            if len(self._peers) >= PEERS_MAX:
                self._make_room()
            self._sessions += 1
            peer = self._peers[agent] = Peer(agent, self.local, self.local_epoch, self._sessions)
        return peer

    def _make_room(self) -> None:
        """Forget the oldest peer that nothing waits for and no link leads to."""
        for peer in self._peers.values():
            if not self._is_used(peer.agent) and not peer.undone_count:
                self.forget(peer, "others needed its place")
                return
        raise Overloaded(f"{self.local} knows {PEERS_MAX} other agents, and all are in use")

    def keep(self, agent: AgentId) -> None:
        """Remember a peer that was to be forgotten: a link to it stands."""
        self._lost.drop(agent)

    def forget(self, peer: Peer, reason: str) -> None:
        """Drop all that is known of a peer that is gone; nobody waits for it or it for us."""
        if self._peers.get(peer.agent) is peer:
            del self._peers[peer.agent]
        self.keep(peer.agent)
        self._on_forgotten(peer, reason)

    def forget_later(self, agent: AgentId, after_s: float) -> None:
        """Forget a peer that died without a goodbye, though nothing waits for it."""
        self._lost.set(agent, self._clock.now() + after_s)

    def _forget_lost(self, agent: AgentId) -> None:
        peer = self._peers.get(agent)
        if peer is not None and not self._is_used(agent):
            self.forget(peer, "its link broke, and it did not come back")

    def close(self) -> None:
        """Forget no more."""
        self._lost.close()
