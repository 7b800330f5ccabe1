"""How an agent's turns reach others: envelopes made, replicas chosen, answers decoded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from cluster.kernel.clock import Clock
from cluster.kernel.envelope import LANE_OF_KIND, Envelope, Kind
from cluster.kernel.errors import (
    Cancelled,
    PeerUnavailable,
    StoreUnavailable,
    UnknownRecipient,
)
from cluster.kernel.ids import AgentId, IdSource, TaskId, role_of
from cluster.kernel.registration import choose_replica
from cluster.kernel.tasks.failover import replacement
from cluster.kernel.vocabulary import Failure
from cluster.runtime.directory import Directory
from cluster.runtime.messaging.port import PostOffice
from cluster.wire.failure import error_from_failure
from cluster.wire.messages import MessageCodec, Opaque

WATCH_S = 1.0
"""How often the lease of whoever is asked is looked at."""
LOST_POLL_S = 0.1
"""How often another replica is looked for while the one that was asked can't be reached."""
WhyOver = Callable[[bool], str | None]
"""Given whether there is a link to whoever is asked, says why no answer can come any more, such as
that the cluster was stopped; None while one may."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Who wants to see an ask on its way: its progress, and that it was sent again."""

    on_progress: Callable[[AgentId, object], None] | None = None
    on_restart: Callable[[AgentId, int], None] | None = None
    is_abandoned: Callable[[], bool] | None = None
    """Where it says so, ending the wait does not end the work: somebody else asks for it."""
    on_link_lost: Callable[[], None] | None = None
    """The recipient does not answer the telephone; it may come back."""


NOT_OBSERVED = Observed()


class Sender:
    """Makes envelopes and sends them for one agent; shared by its turns."""

    def __init__(
        self,
        exchange: PostOffice,
        directory: Directory,
        codec: MessageCodec,
        clock: Clock,
        ids: IdSource,
        *,
        why_over: WhyOver | None = None,
    ) -> None:
        self.exchange = exchange
        self.directory = directory
        self.codec = codec
        self.clock = clock
        self.ids = ids
        self._why_over = why_over
        self._in_flight: dict[AgentId, int] = {}

    def why_over(self, *, is_linked: bool = False) -> str | None:
        """Say why no answer can come any more; None while one may."""
        return self._why_over(is_linked) if self._why_over is not None else None

    async def replica_of(self, recipient: str, avoid: frozenset[AgentId]) -> AgentId:
        """Return the agent of that name, or the least busy replica of that role.

        Raises:
            UnknownRecipient: neither is registered.
        """
        if role_of(recipient) != recipient:
            return AgentId(recipient)
        replicas = await self.directory.replicas(recipient)
        chosen = choose_replica(replicas, self._in_flight, avoid)
        if chosen is None:
            replicas = await self.directory.replicas(recipient, is_fresh=True)
            chosen = choose_replica(replicas, self._in_flight, avoid)
        if chosen is None:
            raise UnknownRecipient(f"no agent of the role {recipient!r} is registered")
        return chosen.agent

    async def ask(
        self, envelope: Envelope, observed: Observed = NOT_OBSERVED, *, grace_s: float = 0.0
    ) -> object:
        """Send an ask and return the decoded answer; raises the error that a Failure stands for."""
        recipient = envelope.recipient
        on_progress, on_restart = observed.on_progress, observed.on_restart

        progress = restart = None
        if on_progress is not None:

            def progress(news: Envelope) -> None:
                message = self.codec.decode(news.body_type, news.body)
                if isinstance(message, Opaque) and message.is_newer:
                    self.exchange.statistics.skipped += 1
                else:
                    on_progress(news.sender, message)

        if on_restart is not None:

            def restart(epoch: int) -> None:
                on_restart(recipient, epoch)

        self._in_flight[recipient] = self._in_flight.get(recipient, 0) + 1
        try:
            reply = await self.exchange.ask(
                envelope,
                on_progress=progress,
                on_restart=restart,
                grace_s=grace_s,
                is_abandoned=observed.is_abandoned,
                on_link_lost=observed.on_link_lost,
            )
        finally:
            self._in_flight[recipient] -= 1
            if not self._in_flight[recipient]:
                del self._in_flight[recipient]
        value = self.codec.decode(reply.body_type, reply.body)
        if isinstance(value, Failure):
            raise error_from_failure(value)
        return value

    async def ask_replaceable(
        self, envelope: Envelope, observed: Observed, *, is_left: bool = False, grace_s: float = 0.0
    ) -> object:
        """As `ask`, but not for longer than the recipient is the best one to ask.

        With ``is_left`` a recipient that is given up for another one is not told to stop.

        Raises:
            PeerUnavailable: it can't be reached or has lost its lease, and another replica has one.
            Cancelled: no answer can come any more.
        """
        link_lost = asyncio.Event()
        is_abandoned = observed.is_abandoned
        has_left = False

        def is_left_or_abandoned() -> bool:
            return has_left or (is_abandoned is not None and is_abandoned())

        def lose_link() -> None:
            link_lost.set()
            if observed.on_link_lost is not None:
                observed.on_link_lost()

        watched = replace(observed, is_abandoned=is_left_or_abandoned, on_link_lost=lose_link)
        asking = asyncio.ensure_future(self.ask(envelope, watched, grace_s=grace_s))
        losing = asyncio.ensure_future(self._replaced(envelope.recipient, link_lost))
        try:
            await asyncio.wait([asking, losing], return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
            has_left = is_left
            raise PeerUnavailable(losing.result())
        finally:
            for task in (asking, losing):
                task.cancel()
            await asyncio.gather(asking, losing, return_exceptions=True)

    async def _replaced(self, agent: AgentId, link_lost: asyncio.Event) -> str:
        """Return why an agent is no longer the one to ask, once that is so and another one is."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(WATCH_S):
                    await link_lost.wait()
            is_lost = link_lost.is_set() and not self.exchange.is_linked(agent)
            if not is_lost:
                link_lost.clear()
            if (reason := self.why_over(is_linked=not is_lost)) is not None:
                raise Cancelled(reason)
            try:
                replicas = await self.directory.replicas(role_of(agent), is_fresh=is_lost)
            except StoreUnavailable:
                replicas = []
            holders = [replica.agent for replica in replicas]
            why = replacement(agent, holders, is_out_of_reach=is_lost)
            if why is not None:
                return f"{agent} {why.value}"
            if is_lost:
                await asyncio.sleep(LOST_POLL_S)

    def envelope(self, recipient: AgentId, kind: Kind, message: object) -> Envelope:
        """Return an envelope with a message, yet without task, cause and deadline."""
        return self.sealed(recipient, kind, self.codec.encode(message))

    def sealed(self, recipient: AgentId, kind: Kind, message: tuple[str, bytes]) -> Envelope:
        """Return an envelope with a message that was encoded already."""
        body_type, body = message
        sender = self.exchange.agent
        envelope = Envelope(self.ids.envelope_id(), sender, recipient, kind, body_type, body)
        envelope.lane = LANE_OF_KIND[kind]
        return envelope

    def origin(self, task: TaskId, traceparent: str) -> Envelope:
        """Return an envelope from us to ourselves: what a turn works on that nobody asked for."""
        envelope = self.sealed(self.exchange.agent, Kind.TELL, ("", b""))
        envelope.task, envelope.traceparent = task, traceparent
        return envelope
