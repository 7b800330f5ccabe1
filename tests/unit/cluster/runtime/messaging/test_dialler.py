"""When a search for a peer ends, and what becomes of one that a link has overtaken."""

from __future__ import annotations

import asyncio
import random

from cluster.kernel.delivery.peer import Peer
from cluster.kernel.delivery.reach import LOST_AFTER_S
from cluster.kernel.ids import AgentId
from cluster.memory.directory import Directory
from cluster.memory.store.local import LocalStore
from cluster.runtime.messaging.dialler import Dialler
from cluster.transport.port import Connection
from tests.support.clock import ManualClock
from tests.support.hosts import until
from tests.support.puppet import PUPPET, US, PuppetTransport


class Searcher:
    """Searches of an agent whom nobody can be dialled by, and who hears what becomes of them."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.not_reached: list[Peer] = []
        self.given_up: list[Peer] = []
        self.wanted_then: Peer | None = None
        """Who is looked for by whoever hears that somebody was given up."""
        self.dialler = Dialler(
            self,
            self._on_given_up,
            transport=PuppetTransport(),
            directory=Directory(LocalStore(self.clock), self.clock),
            clock=self.clock,
            rng=random.Random(1),
        )

    def _on_given_up(self, peer: Peer, _: str) -> None:
        self.given_up.append(peer)
        if self.wanted_then is not None:
            self.dialler.look_for(self.wanted_then)

    def is_linked(self, _: AgentId) -> bool:
        return False

    async def open_link(self, connection: Connection, agent: AgentId) -> None:
        raise AssertionError("nobody is registered")

    def on_not_reached(self, peer: Peer) -> None:
        self.not_reached.append(peer)


async def test_a_search_gives_nobody_up_whom_a_link_has_reached_since_it_began() -> None:
    searcher, peer = Searcher(), Peer(PUPPET, US, 1)
    searcher.dialler.look_for(peer)
    await until(lambda: searcher.not_reached == [peer])

    searcher.dialler.reached(PUPPET)
    searcher.clock.advance(LOST_AFTER_S)
    await until(lambda: len(asyncio.all_tasks()) == 1)

    assert searcher.given_up == []
    assert not searcher.dialler.is_looking_for(PUPPET)


async def test_who_is_wanted_again_while_an_earlier_search_waits_is_looked_for_anew() -> None:
    searcher, before, now = Searcher(), Peer(PUPPET, US, 1, 1), Peer(PUPPET, US, 1, 2)
    searcher.dialler.look_for(before)
    await until(lambda: searcher.not_reached == [before])

    searcher.dialler.reached(PUPPET)
    searcher.clock.advance(LOST_AFTER_S)
    searcher.dialler.look_for(now)
    await until(lambda: len(searcher.not_reached) == 2)

    assert searcher.not_reached == [before, now]
    assert searcher.given_up == []
    await searcher.dialler.stop()


async def test_who_is_wanted_when_it_is_given_up_is_looked_for_anew() -> None:
    searcher, before, now = Searcher(), Peer(PUPPET, US, 1, 1), Peer(PUPPET, US, 1, 2)
    searcher.wanted_then = now
    searcher.dialler.look_for(before)
    await until(lambda: searcher.not_reached == [before])

    searcher.clock.advance(LOST_AFTER_S)
    await until(lambda: len(searcher.not_reached) == 2)

    assert searcher.given_up == [before]
    assert searcher.not_reached == [before, now]
    await searcher.dialler.stop()
