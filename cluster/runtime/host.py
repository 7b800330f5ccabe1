"""One process of the cluster: an agent, its exchange, its turns, its lease in the directory."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass

from cluster.kernel.cache_statistics import CacheStatistics
from cluster.kernel.clock import Clock
from cluster.kernel.errors import ClusterError
from cluster.kernel.ids import AgentId, IdSource
from cluster.kernel.registration import LEASE_S, Registration
from cluster.memory.directory import Directory
from cluster.memory.state.host.documents import Documents
from cluster.memory.store.port import Store
from cluster.runtime.messaging.dead_letters import DeadLetterBox
from cluster.runtime.messaging.exchange import Exchange
from cluster.runtime.messaging.port import DeliveryObserver
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.observers.spans import Spans
from cluster.runtime.turns.handler import Handler, Service, TaskOwner
from cluster.runtime.turns.runner import TurnRunner
from cluster.runtime.turns.step_records import StepRecords
from cluster.transport.port import Transport
from cluster.wire.messages import MessageCodec

_log = logging.getLogger(__name__)

TURNS_STOP_S = 2.0


@dataclass(frozen=True, slots=True)
class AgentProfile:
    """What the directory says of an agent, and how many turns it runs at once."""

    agent: AgentId
    purpose: str = ""
    handles: tuple[str, ...] = ()
    concurrency: int = 16
    pid: int = 0
    """The process it lives in; 0 where it shares one with others."""
    decides: tuple[str, ...] = ()
    """Fields of shared state whose conflicts it decides, as ``Board.verdict``."""
    subscribes: tuple[str, ...] = ()
    """Topics that wake it."""
    pure: tuple[str, ...] = ()
    """Of the types that it handles, those that it does so without changing anything elsewhere."""


class Host:
    """Runs one agent for others to reach; `make_handler` gets the sender its asks go through.

    The ``documents`` of shared state are its own from then on, and closed with it.
    """

    def __init__(
        self,
        profile: AgentProfile,
        make_handler: Callable[[Sender], Handler],
        *,
        store: Store,
        transport: Transport,
        clock: Clock,
        codec: MessageCodec,
        scope: str = "",
        lease_s: float = LEASE_S,
        rng: random.Random | None = None,
        is_coalescing: bool = True,
        spans: Spans | None = None,
        observer: DeliveryObserver | None = None,
        knowledge: Callable[[], CacheStatistics] | None = None,
        documents: Documents | None = None,
    ) -> None:
        rng = rng or random.Random()
        ids = IdSource(clock.wall, rng)
        self.profile = profile
        self.directory = Directory(store, clock, scope=scope, lease_s=lease_s)
        self.exchange = Exchange(
            profile.agent,
            transport=transport,
            directory=self.directory,
            clock=clock,
            codec=codec,
            rng=rng,
            ids=ids,
            is_coalescing=is_coalescing,
            dead_letters=DeadLetterBox(store, scope),
            observer=observer,
        )
        sender = Sender(self.exchange, self.directory, codec, clock, ids)
        self.records = StepRecords(store, profile.agent, scope, clock=clock, lease_s=lease_s)
        self._handler = make_handler(sender)
        self.turns = TurnRunner(
            self._handler,
            sender,
            concurrency=profile.concurrency,
            records=self.records,
            documents=documents,
            may_start=self.is_leased,
            spans=spans,
        )
        self._clock = clock
        self._knowledge = knowledge
        self._documents = documents
        self._leased_until = 0.0
        self.is_fenced = asyncio.Event()
        """Set when a higher incarnation has taken over: this host must end."""
        self._lease: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Take an epoch, listen, register; return the address.

        Raises:
            StoreUnavailable: the store can't be reached.
        """
        epoch = await self.directory.next_epoch(self.profile.agent)
        self.records.epoch = epoch
        address = await self.exchange.start(epoch, self.turns)
        await self._take_lease()
        self._lease = asyncio.ensure_future(self._renew())
        if isinstance(self._handler, Service):
            await self._handler.start(epoch)
        return address

    def _registration(self) -> Registration:
        return Registration(
            self.profile.agent,
            self.exchange.address,
            self.exchange.epoch,
            self.turns.load,
            self.profile.purpose,
            self.profile.handles,
            self.profile.pid,
            None if self._knowledge is None else self._knowledge(),
            self.profile.decides,
            subscribes=self.profile.subscribes,
            pure=self.profile.pure,
        )

    def is_leased(self) -> bool:
        """Say whether nobody can have taken over: a process that was frozen must ask first."""
        return self._clock.now() < self._leased_until

    async def _take_lease(self) -> bool:
        asked_at = self._clock.now()
        is_ours = await self.directory.put(self._registration())
        if is_ours:
            self._leased_until = asked_at + self.directory.lease_s
        return is_ours

    async def _renew(self) -> None:
        """Renew the lease three times in its length, until somebody newer holds it."""
        while True:
            await asyncio.sleep(self.directory.lease_s / 3)
            try:
                if not await self._take_lease():
                    _log.warning("%s was replaced by a newer incarnation", self.profile.agent)
                    self.is_fenced.set()
                    return
                self.turns.start_turns()
            except ClusterError as error:
                _log.warning("%s could not renew its lease: %s", self.profile.agent, error)
            except Exception:  # noqa: BLE001 - without a lease the host would be lost for good
                _log.exception("%s could not renew its lease", self.profile.agent)

    async def abort(self) -> None:
        """End as a crash does; also what a host does that was fenced off."""
        if self._lease is not None:
            self._lease.cancel()
        await self.exchange.abort()
        await self.turns.abort(TURNS_STOP_S)
        if isinstance(self._handler, Service):
            await self._handler.stop()
        if self._documents is not None:
            await self._documents.close()

    async def end_tasks(self, reason: str) -> None:
        """End the tasks it owns, before the whole cluster stops; their drivers are told why."""
        if isinstance(self._handler, TaskOwner):
            await self._handler.end_tasks(reason)

    async def stop(self) -> None:
        """Leave the directory, answer what is open, close the links."""
        if self._lease is not None:
            self._lease.cancel()
            await asyncio.gather(self._lease, return_exceptions=True)
        try:
            await self.directory.drop(self._registration())
        except ClusterError as error:
            _log.warning("%s could not give its lease back: %s", self.profile.agent, error)
        if isinstance(self._handler, Service):
            await self._handler.stop()
        await self.turns.stop(TURNS_STOP_S)
        await self.exchange.stop()
        if self._documents is not None:
            await self._documents.close()
