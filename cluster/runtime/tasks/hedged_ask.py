"""One pure step, asked of a replica and, where that takes long, of a second one too.

Used by `cluster.runtime.tasks.step_run`; when the second is asked is decided by
`cluster.kernel.tasks.step_hedging`. Both do the step under one id: the record of the first to end
is what the other one answers with as well. What counts is one attempt's result, with what that one
has said of its work; what a second replica says is kept back until its result is the one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from cluster.kernel.delivery.peer import DISPENSABLE_MAX
from cluster.kernel.envelope import Envelope
from cluster.kernel.events import Hedged, Spent, Thought
from cluster.kernel.ids import AgentId, EnvelopeId, role_of
from cluster.kernel.reads import Saw
from cluster.kernel.tail.hedged_call import NEVER, HedgeMove
from cluster.kernel.tasks.step_hedging import RoleHedger
from cluster.runtime.messaging.sender import AskObserver, Sender, Unobserved

HELD_MAX = DISPENSABLE_MAX // 2
"""Thoughts of a second replica that are kept back; later ones are left out. They go out in one pass
of the event loop, and a link's queue takes no more than twice as many."""

FindOther = Callable[[], AgentId | None]
"""Returns another replica that may do the step too, None where there is none just now."""


class _AskedReplica(Unobserved):
    """One replica that does the step; what it says is passed on, or kept until it has won."""

    def __init__(self, number: int, ask: Envelope, observer: AskObserver) -> None:
        self.number = number
        self.agent = ask.recipient
        self.ask = ask
        self.saw: Saw | None = None
        self.asking: asyncio.Future[object]
        self._observer = observer
        self._held: list[object] | None = [] if number else None
        """None where all is passed on."""
        self.is_over = False
        """It has answered, or failed, or another one's result is the step's."""

    def on_progress(self, agent: AgentId, detail: object, /) -> None:
        if self.is_over:
            return
        if self._held is None or isinstance(detail, Spent):  # what is spent, the task has used
            self._observer.on_progress(agent, detail)
        elif len(self._held) < (HELD_MAX if isinstance(detail, Thought) else 2 * HELD_MAX):
            self._held.append(detail)

    def on_restart(self, agent: AgentId, epoch: int, /) -> None:
        if self._held is None:
            self._observer.on_restart(agent, epoch)
        else:
            self._held.clear()

    def on_saw(self, saw: Saw, /) -> None:
        self.saw = saw

    @property
    def is_abandoned(self) -> bool:
        return self._observer.is_abandoned

    @property
    def made_by(self) -> AgentId:
        """Who has made what it has answered with; older versions don't say."""
        return AgentId((self.saw.made_by if self.saw is not None else "") or self.agent)

    def release(self) -> None:
        """Pass on what was kept back: the step's result is this one's."""
        held, self._held = self._held, None
        for detail in held or ():
            self._observer.on_progress(self.agent, detail)


class HedgedAsk:
    """Has a step done by the replica that an envelope asks, and perhaps by another one.

    Args:
        asker: sends the asks.
        hedger: of the role.
        ask: to the first replica.
        observer: told what is said by who counts, and what the result was made from.
        other: finds whom else to ask.
    """

    def __init__(
        self,
        asker: Sender,
        hedger: RoleHedger,
        ask: Envelope,
        observer: AskObserver,
        other: FindOther,
    ) -> None:
        self._asker = asker
        self._hedger = hedger
        self._ask = ask
        self._observer = observer
        self._other = other
        self._replicas: list[_AskedReplica] = []
        self._second_hand: _AskedReplica | None = None
        """Has answered with the record of the other one, whose own answer is still to come."""
        self._stands = hedger.begin(asker.clock.now())
        """Where the step stands."""
        self.agent = ask.recipient
        """Whose result it is, once there is one."""

    @property
    def asked(self) -> frozenset[AgentId]:
        """Who was asked."""
        return frozenset(each.agent for each in self._replicas)

    async def answer(self) -> object:
        """Return the result of the first replica that has one, whole; the other one is cancelled.

        Raises:
            ClusterError: all who were asked have failed; it is what the first of them said.
        """
        answered = None
        try:
            self._begin(self._ask)
            while answered is None and not all(each.is_over for each in self._replicas):
                answered = self._first_answer(await self._ended())
            if answered is None and self._second_hand is not None:
                answered = self._decide(self._second_hand)
            return (answered or self._replicas[0]).asking.result()
        finally:
            self._hedger.ended(self._stands, self._asker.clock.now())
            await self._drop_all()

    async def _ended(self) -> list[_AskedReplica]:
        """Wait until a replica has answered; ask another one where that is late."""
        while True:
            under_way = [each for each in self._replicas if not each.is_over]
            due_at, now = self._stands.due_at, self._asker.clock.now()
            ended, _ = await asyncio.wait(
                [each.asking for each in under_way],
                timeout=None if due_at == NEVER else max(0.0, due_at - now),
                return_when=asyncio.FIRST_COMPLETED,
            )
            if ended:
                return [each for each in under_way if each.asking in ended]
            self._overdue()

    def _overdue(self) -> None:
        first, stands = self._ask, self._stands
        now, other = self._asker.clock.now(), self._other()
        assert first.deadline_at is not None
        left_s = first.deadline_at - now
        step = self._hedger.overdue(stands, now, has_other=other is not None, left_s=left_s)
        self._stands = step.call
        if step.move is HedgeMove.START and other is not None:
            after_s, why = now - stands.began_at, f"{first.recipient} has no result yet"
            self._observer.on_progress(other, Hedged(role_of(other), after_s, why))
            self._begin(_to(other, first, self._asker.ids.envelope_id()))

    def _begin(self, ask: Envelope) -> None:
        asked = _AskedReplica(len(self._replicas), ask, self._observer)
        asking = self._asker.ask_replaceable(ask, asked)
        asked.asking = asyncio.ensure_future(asking)
        self._replicas.append(asked)

    def _first_answer(self, ended: list[_AskedReplica]) -> _AskedReplica | None:
        """Return whose answer counts, None where none of these does yet.

        An answer with the record of another replica waits for that one's own, which comes after all
        that it has said and used; it counts where that one fails.
        """
        now = self._asker.clock.now()
        for each in ended:
            each.is_over = True
            if each.asking.exception() is not None:
                self._stands = self._hedger.failed(self._stands, each.number, now).call
            elif self._maker(each).is_over:
                return self._decide(each)
            else:
                self._second_hand = each
        return None

    def _maker(self, answered: _AskedReplica) -> _AskedReplica:
        """Return whose result a replica has answered with."""
        made_by = answered.made_by
        return next((each for each in self._replicas if each.agent == made_by), answered)

    def _decide(self, answered: _AskedReplica) -> _AskedReplica:
        """Let an answer be the step's, with what its maker has said, and nothing of the other."""
        now, maker = self._asker.clock.now(), self._maker(answered)
        self.agent = answered.made_by
        self._stands = self._hedger.answered(self._stands, answered.number, now).call
        if maker.agent == self.agent:
            maker.release()
        if answered.saw is not None:
            self._observer.on_saw(answered.saw)
        return answered

    async def _drop_all(self) -> None:
        """Tell whoever still works on the step to stop, and wait for no answer."""
        for each in self._replicas:
            each.is_over = True
            each.asking.cancel()
        asking = [each.asking for each in self._replicas]
        await asyncio.gather(*asking, return_exceptions=True)


def _to(other: AgentId, ask: Envelope, own_id: EnvelopeId) -> Envelope:
    """Return the same ask to another replica, as one that was never sent."""
    return replace(ask, id=own_id, recipient=other, seq=0, sender_epoch=0, attempt=0)
