"""The second look at an answer: what its driver asks for, and what the Manager's host makes of it.

An ask of its own, which follows the reply with the terminal event: the journal is final by then, so
the look can be late, lost, cancelled or asked of another Manager, and the answer stands.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from cluster.kernel.envelope import Envelope, Kind, Trust
from cluster.kernel.errors import AgentFailed, ClusterError
from cluster.kernel.events import Answered, Corrected, Event, Spent
from cluster.kernel.ids import VERIFY_STEP, AgentId
from cluster.kernel.second_look import Corrections, SecondLook
from cluster.kernel.tasks.budget import Budget
from cluster.kernel.tasks.history import Compose, TaskHistory, compose_request
from cluster.kernel.tasks.spending import journaled
from cluster.kernel.vocabulary import Support, VerifyRequest
from cluster.runtime.messaging.sender import Sender, Unobserved

_log = logging.getLogger(__name__)

VERIFY_S = 20.0
"""What a look may take, where the task has that much time left."""


def is_doubtful(ended: object) -> bool:
    """Say whether a task has ended with an answer in which nothing backs some sentence."""
    answered = ended.detail if isinstance(ended, Event) else None
    return isinstance(answered, Answered) and any(
        claim.support is Support.UNVERIFIED for claim in answered.answer.claims
    )


class _Spending(Unobserved):
    """Sees what a look costs, and nothing else of it: the answer is out."""

    def __init__(self, on_spent: Callable[[AgentId, Spent], None]) -> None:
        self._on_spent = on_spent

    def on_progress(self, agent: AgentId, detail: object, /) -> None:
        if isinstance(detail, Spent):
            self._on_spent(agent, detail)


async def look_again(
    sender: Sender, submitted: Envelope, on_spent: Callable[[AgentId, Spent], None]
) -> tuple[Corrected, ...]:
    """Return how the Manager that has answered a submission corrects its answer; nothing if late.

    Thoughts are not passed on: the answer is out.
    """
    now = sender.clock.now()
    deadline_at = min(now + VERIFY_S, submitted.deadline_at or now)
    if now >= deadline_at:
        return ()
    ask = sender.envelope(
        submitted.recipient,
        Kind.ASK,
        SecondLook(submitted.task),
        task=submitted.task,
        step=VERIFY_STEP,
        deadline_at=deadline_at,
        trust=Trust.USER,
        traceparent=submitted.traceparent,
    )

    try:
        said = await sender.ask(ask, _Spending(on_spent))
    except ClusterError as error:
        _log.info("the answer of task %s was not looked at again: %s", submitted.task, error)
        return ()
    return said.found if isinstance(said, Corrections) else ()


def verify_request(journal: Sequence[Event]) -> VerifyRequest:
    """Return what the Manager is to look at, from the whole journal of a task.

    Its ``lacks`` says what the task has used up, its answer included: then nobody is to be asked.

    Raises:
        AgentFailed: it was not answered.
    """
    *before, last = journal
    if not isinstance(last.detail, Answered):
        raise AgentFailed(f"task {last.task} has no answer to look at again")
    history = TaskHistory()
    for event in before:
        history.apply(event)
    [order] = history.orders()
    submitted = history.submitted
    assert submitted is not None
    assert isinstance(order, Compose)
    spent = [last.detail.spent] if last.detail.spent is not None else journaled(before)
    lacks = Budget(submitted.tokens_max, submitted.cost_max).lacks(spent, for_answer=True)
    return VerifyRequest(compose_request(history, order, lacks), last.detail.answer)
