"""How an agent's turns reach others: envelopes made, replicas chosen, answers decoded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Protocol

from cluster.kernel.clock import Clock
from cluster.kernel.delivery.peer import Peer
from cluster.kernel.envelope import LANE_OF_KIND, Envelope, Kind, Trust
from cluster.kernel.errors import (
    Cancelled,
    PeerUnavailable,
    StoreUnavailable,
    UnknownRecipient,
)
from cluster.kernel.ids import (
    NO_ENVELOPE,
    NO_STEP,
    NO_TASK,
    AgentId,
    EnvelopeId,
    IdSource,
    StepId,
    TaskId,
    role_of,
)
from cluster.kernel.reads import Saw
from cluster.kernel.registration import Registration
from cluster.kernel.tasks.replicas import choose_replica, replacement
from cluster.kernel.vocabulary import Failure
from cluster.memory.directory import Directory
from cluster.wire.failure import error_from_failure
from cluster.wire.messages import PACKAGE, MessageCodec

SAW = PACKAGE + Saw.__name__
WATCH_S = 1.0
"""How often the lease of whoever is asked is looked at."""
LOST_POLL_S = 0.1
"""How often another replica is looked for while the one that was asked can't be reached."""
WhyOver = Callable[[bool], str | None]
"""Given whether there is a link to whoever is asked, says why no answer can come any more, such as
that the cluster was stopped; None while one may."""


class AskObserver(Protocol):
    """Who wants to see an ask on its way: whoever asks hands one over, and all pass it on."""

    def on_progress(self, agent: AgentId, detail: object, /) -> None:
        """The recipient has said how far it is."""

    def on_restart(self, agent: AgentId, epoch: int, /) -> None:
        """A new incarnation of the recipient gets the ask: what it showed begins anew."""

    def on_link_lost(self) -> None:
        """The recipient can't be reached just now; the ask goes on waiting."""

    def on_saw(self, saw: Saw, /) -> None:
        """The answer is here, and this is what it was made from."""

    @property
    def is_abandoned(self) -> bool:
        """Where it says so, to end the wait does not end the work: somebody else asks for it."""


class Unobserved:
    """An observer that sees nothing; those that see something begin with it."""

    def on_progress(self, agent: AgentId, detail: object, /) -> None:
        """Pass over it."""

    def on_restart(self, agent: AgentId, epoch: int, /) -> None:
        """Pass over it."""

    def on_link_lost(self) -> None:
        """Pass over it."""

    def on_saw(self, saw: Saw, /) -> None:
        """Pass over it."""

    @property
    def is_abandoned(self) -> bool:
        """To end the wait ends the work."""
        return False


class PostOffice(Protocol):
    """What sends an agent's envelopes and matches answers with asks."""

    @property
    def agent(self) -> AgentId:
        """Whose post office it is."""

    @property
    def epoch(self) -> int:
        """The agent's incarnation."""

    def is_linked(self, agent: AgentId) -> bool:
        """Say whether there is a link to send to an agent on."""

    def post(self, envelope: Envelope) -> Peer:
        """Queue an envelope for its recipient. Never waits.

        Raises:
            TooLarge: the body is over the limit.
            Overloaded: too much waits for this recipient already.
        """

    async def ask(
        self, envelope: Envelope, observer: AskObserver | None = None, *, grace_s: float = 0.0
    ) -> Envelope:
        """Send an ask and return the envelope of its answer.

        Raises:
            DeadlinePassed: no answer came by the envelope's deadline.
            PeerUnavailable: the recipient stayed out of reach.
            TooLarge, Overloaded: it could not be sent at all.
        """

    def request_cancel(self, asked: Envelope, reason: str) -> None:
        """Tell the recipient of an ask to stop working on it; its answer will say so."""

    def answer(self, asked: Envelope, reply: Envelope) -> None:
        """Send the answer to an ask; the ask is done when the answer has its receipt.

        Raises:
            TooLarge: send a failure instead.
            Overloaded: nothing can be sent; the ask is done.
        """

    def skip(self) -> None:
        """Count a message that only a newer version knows."""
        ...

    def taken(self, envelope: Envelope) -> None:
        """A turn has taken the envelope out of the mailbox: give its credit back."""

    def told(self, envelope: Envelope) -> None:
        """The turn of a TELL has ended."""


class _Replaceable(Unobserved):
    """Passes on what is seen of an ask, and notes that its recipient can't be reached."""

    def __init__(self, observer: AskObserver) -> None:
        self._observer = observer
        self.link_lost = asyncio.Event()
        self.lost_once: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the link was lost for the first time."""
        self.has_left = False
        """The recipient was given up for another one, and is not to be told."""

    def on_progress(self, agent: AgentId, detail: object, /) -> None:
        self._observer.on_progress(agent, detail)

    def on_restart(self, agent: AgentId, epoch: int, /) -> None:
        self._observer.on_restart(agent, epoch)

    def on_link_lost(self) -> None:
        self.link_lost.set()
        if not self.lost_once.done():
            self.lost_once.set_result(None)
        self._observer.on_link_lost()

    def on_saw(self, saw: Saw, /) -> None:
        self._observer.on_saw(saw)

    @property
    def is_abandoned(self) -> bool:
        return self.has_left or self._observer.is_abandoned


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

    async def replica_of(
        self, recipient: str, avoid: frozenset[AgentId], ready: AgentId | None = None
    ) -> AgentId:
        """Return the agent of that name, or the least busy replica of that role.

        Of equally busy ones it is the one that is ``ready``, if one is.

        Raises:
            UnknownRecipient: neither is registered.
        """
        if role_of(recipient) != recipient:
            return AgentId(recipient)
        replicas = await self.directory.replicas(recipient)
        chosen = choose_replica(replicas, self._in_flight, avoid, ready)
        if chosen is None:
            replicas = await self.directory.replicas(recipient, is_fresh=True)
            chosen = choose_replica(replicas, self._in_flight, avoid, ready)
        if chosen is None:
            raise UnknownRecipient(f"no agent of the role {recipient!r} is registered")
        return chosen.agent

    def least_busy(self, replicas: Iterable[Registration]) -> AgentId | None:
        """Return which of some replicas has the least work; None where there are none."""
        chosen = choose_replica(replicas, self._in_flight)
        return None if chosen is None else chosen.agent

    async def ask(
        self, envelope: Envelope, observer: AskObserver | None = None, *, grace_s: float = 0.0
    ) -> object:
        """Send an ask and return the decoded answer; raises the error that a Failure stands for."""
        recipient = envelope.recipient
        self._in_flight[recipient] = self._in_flight.get(recipient, 0) + 1
        try:
            reply = await self.exchange.ask(envelope, observer, grace_s=grace_s)
        finally:
            self._in_flight[recipient] -= 1
            if not self._in_flight[recipient]:
                del self._in_flight[recipient]
        if reply.saw and observer is not None:
            saw = self.codec.decode(SAW, reply.saw)
            assert isinstance(saw, Saw)
            observer.on_saw(saw)
        value = self.codec.decode(reply.body_type, reply.body)
        if isinstance(value, Failure):
            raise error_from_failure(value)
        return value

    async def ask_replaceable(
        self,
        envelope: Envelope,
        observer: AskObserver,
        *,
        is_left: bool = False,
        grace_s: float = 0.0,
    ) -> object:
        """As `ask`, but not for longer than the recipient is the best one to ask.

        With ``is_left`` a recipient that is given up for another one is not told to stop.

        Raises:
            PeerUnavailable: it can't be reached or has lost its lease, and another replica has one.
            Cancelled: no answer can come any more.
        """
        watched = _Replaceable(observer)
        asking = asyncio.ensure_future(self.ask(envelope, watched, grace_s=grace_s))
        try:
            doubts = (asking, watched.lost_once)
            await asyncio.wait(doubts, timeout=WATCH_S, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():  # most are answered by now, and nobody need look out for others
                await self._while_best(asking, envelope.recipient, watched, is_left=is_left)
            return asking.result()
        finally:
            await _over(asking)

    async def _while_best(
        self,
        asking: asyncio.Task[object],
        agent: AgentId,
        watched: _Replaceable,
        *,
        is_left: bool,
    ) -> None:
        """Wait for an answer, as long as there is nobody better to ask."""
        losing = asyncio.ensure_future(self._replaced(agent, watched.link_lost))
        try:
            await asyncio.wait([asking, losing], return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                watched.has_left = is_left
                raise PeerUnavailable(losing.result())
        finally:
            await _over(losing)

    async def _replaced(self, agent: AgentId, link_lost: asyncio.Event) -> str:
        """Return why an agent is no longer the one to ask, once that is so and another one is."""
        while True:
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
            with suppress(TimeoutError):
                async with asyncio.timeout(WATCH_S):
                    await link_lost.wait()

    def envelope(
        self,
        recipient: AgentId,
        kind: Kind,
        message: object,
        *,
        task: TaskId = NO_TASK,
        step: StepId = NO_STEP,
        cause: EnvelopeId = NO_ENVELOPE,
        deadline_at: float | None = None,
        trust: Trust = Trust.AGENT,
        traceparent: str = "",
        outlives_recipient: bool = False,
    ) -> Envelope:
        """Return an envelope with a message that nothing that came in asks for."""
        return Envelope(
            self.ids.envelope_id(),
            self.exchange.agent,
            recipient,
            kind,
            *self.codec.encode(message),
            task=task,
            step=step,
            cause=cause,
            lane=LANE_OF_KIND[kind],
            deadline_at=deadline_at,
            trust=trust,
            traceparent=traceparent,
            outlives_recipient=outlives_recipient,
        )

    def about(
        self,
        asked: Envelope,
        recipient: AgentId,
        kind: Kind,
        message: tuple[str, bytes],
        *,
        deadline_at: float | None = None,
        is_dispensable: bool = False,
    ) -> Envelope:
        """Return an envelope of the turn that works on one, with an encoded message."""
        return Envelope.about(
            asked,
            self.ids.envelope_id(),
            self.exchange.agent,
            recipient=recipient,
            kind=kind,
            message=message,
            deadline_at=deadline_at,
            is_dispensable=is_dispensable,
        )


async def _over(work: asyncio.Task[Any]) -> None:
    """Return when something has ended, in whatever way; what has not is cancelled."""
    if not work.done():
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    elif not work.cancelled():
        work.exception()  # or asyncio says that nobody has looked at it
