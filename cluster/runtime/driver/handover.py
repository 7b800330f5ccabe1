"""A submission on its way to a Manager: who is asked next where one is lost, or has no room.

`cluster.kernel.tasks.failover` decides, this carries it out: for `cluster.runtime.driver.submitted`
until the task ends, for `cluster.runtime.driver.detached` until it is accepted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from cluster.kernel.envelope import Envelope, Kind, Trust
from cluster.kernel.errors import ClusterError, StoreUnavailable, UnknownRecipient
from cluster.kernel.ids import AgentId
from cluster.kernel.roles import MANAGER
from cluster.kernel.submission import Submission
from cluster.kernel.tasks.failover import Failover, GiveUp, ask_failed, manager_chosen
from cluster.runtime.messaging.sender import Sender


class Handover:
    """Asks of one Manager after another to take the same task."""

    def __init__(self, submission: Submission, ask: Envelope, sender: Sender) -> None:
        self.ask = ask
        """The one that counts; another after each that failed."""
        self._submission = submission
        self._sender = sender
        self._failover = Failover(sender.clock.now(), ask.deadline_at or 0.0, ask.recipient)

    @property
    def began_at(self) -> float:
        """When the first Manager was asked, on the monotonic clock."""
        return self._failover.began_at

    async def go_on_after(
        self, error: ClusterError, on_lost: Callable[[], object] = lambda: None
    ) -> None:
        """Address the ask anew after one that failed; raises what the user is told where not.

        Args:
            error: why it failed.
            on_lost: called before a wait, where nothing is heard of the Manager.
        """
        attempts, now = self.ask.attempt, self._sender.clock.now()
        self._failover, order = ask_failed(self._failover, error, attempts, now)
        if isinstance(order, GiveUp):
            raise order.error from error
        if order.is_lost:
            on_lost()
            await asyncio.sleep(order.after_s)
        manager = await self._choose()
        self._failover, gives_up = manager_chosen(self._failover, manager)
        if gives_up is not None:
            raise gives_up.error
        self._readdress(manager)

    async def _choose(self) -> AgentId:
        """Return another Manager; one that is being restarted may be the only one there is."""
        try:
            return await self._sender.replica_of(MANAGER, self._failover.avoid)
        except (StoreUnavailable, UnknownRecipient):
            return self._failover.manager

    def _readdress(self, manager: AgentId) -> None:
        submission = replace(self._submission, is_again=True)
        # Not the deadline of the ask before: one that nobody waits for any more has lost it.
        deadline_at, traceparent = self._failover.deadline_at, self.ask.traceparent
        self.ask = addressed(self._sender, submission, manager, deadline_at, traceparent)


def addressed(
    sender: Sender, submission: Submission, manager: AgentId, deadline_at: float, traceparent: str
) -> Envelope:
    """Return the ask that hands a submission to a Manager."""
    return sender.envelope(
        manager,
        Kind.ASK,
        submission,
        task=submission.task,
        deadline_at=deadline_at,
        trust=Trust.USER,
        traceparent=traceparent,
        outlives_recipient=True,
    )
