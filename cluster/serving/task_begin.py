"""Handing in a task that belongs to the cluster: once, however often it is asked for.

Called by `cluster.serving.tasks`.
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress

from cluster.kernel.conversation import ChatMessage
from cluster.kernel.errors import ClusterError, Overloaded, UnknownRecipient, UsageError
from cluster.kernel.ids import TaskId
from cluster.kernel.vocabulary import Coherence
from cluster.memory.task_records.port import KeyUse
from cluster.serving.ingress import Ingress, namespace_for
from cluster.serving.orders import stricter
from cluster.serving.pinned_post import check_url
from cluster.serving.ports import Caller, TaskOrder
from cluster.serving.problems import Problem
from cluster.serving.task_models import TaskRequest, WebhookRequest
from cluster.serving.webhooks import key_of_secret
from cluster.serving.wire import Webhook

_NOT_BEGUN = (Overloaded, UnknownRecipient, UsageError)
"""What says that no Manager has the task."""


async def order_of_request(ingress: Ingress, caller: Caller, request: TaskRequest) -> TaskOrder:
    """Return what a request asks of the cluster, with what holds where it says nothing.

    Raises:
        Problem: it asks for what this caller, or nobody, can have.
    """
    defaults = ingress.defaults
    deadline_s = request.deadline_s or min(defaults.deadline_s, defaults.deadline_s_max)
    if deadline_s > defaults.deadline_s_max:
        reason = f"deadline_s: a task may take {defaults.deadline_s_max:g} s here"
        raise Problem(400, reason, param="deadline_s", code="invalid_value")
    role = request.agent or ""
    if role and role not in await ingress.desk.roles():
        raise Problem(400, f"agent: no agent is called {role!r}", param="agent")
    return TaskOrder(
        request.goal,
        deadline_s,
        tuple(ChatMessage(each.role, each.content) for each in request.conversation),
        owner=caller.name,
        namespace=namespace_for(caller, request.namespace or "", "namespace"),
        role=role,
        tokens_max=int(stricter(request.tokens_max or 0, defaults.tokens_max)),
        cost_max=stricter(request.cost_max or 0.0, defaults.cost_max),
        coherence=Coherence(request.coherence or defaults.coherence),
    )


async def begin(ingress: Ingress, caller: Caller, request: TaskRequest, key: str | None) -> TaskId:
    """Hand in a task and return its id when it is durable; of a key that was used, the same.

    Raises:
        Problem: it is refused, or the key was used for something else.
        ClusterError: it can't be handed in; where it is unknown whether it was, the caller's key
            finds out.
    """
    order = await order_of_request(ingress, caller, request)
    _check_webhook(ingress, request.webhook)
    task = ingress.desk.new_task()
    if key is not None:
        task = await _task_of_key(ingress, caller, request, key, task)
        if await ingress.desk.record(task) is not None:
            return task
    # Done to its end even if whoever asked goes: what is half begun is counted, and nobody's.
    starting = asyncio.create_task(_start(ingress, caller, request, order, task))
    try:
        await ingress.endings.finish(_done(starting))
    except asyncio.CancelledError:
        if request.on_disconnect == "cancel":
            await ingress.endings.finish(end_of_begun(ingress, task, starting))
        raise
    return task


async def end_of_begun(
    ingress: Ingress, task: TaskId, starting: asyncio.Task[None] | None = None
) -> None:
    """End a task whose caller has gone, once it is begun; what fails is left to its deadline."""
    if starting is not None:
        await asyncio.wait({starting})
    with suppress(ClusterError):
        await ingress.desk.cancel(task, "whoever waited for it has gone")


async def _done(starting: asyncio.Task[None]) -> None:
    await starting


async def _start(
    ingress: Ingress, caller: Caller, request: TaskRequest, order: TaskOrder, task: TaskId
) -> None:
    await ingress.admit(caller, task, order.timeout_s)
    try:
        if request.webhook is not None and ingress.webhooks is not None:
            secret = key_of_secret(request.webhook.secret)
            await ingress.webhooks.keep(Webhook(task, request.webhook.url, secret))
        await ingress.desk.start(order, task)
    except _NOT_BEGUN:  # after another error it may have been: its count ends with its deadline
        await _take_back(ingress, caller, task)
        raise
    if request.webhook is not None and ingress.webhooks is not None:
        ingress.webhooks.follow(task)


async def _task_of_key(
    ingress: Ingress, caller: Caller, request: TaskRequest, key: str, new: TaskId
) -> TaskId:
    digest = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
    use = await ingress.desk.use_key(caller.name, key, KeyUse(new, digest))
    if use.digest != digest:
        raise Problem(
            409,
            "this Idempotency-Key came with another body before: use a new one",
            param="Idempotency-Key",
            code="idempotency_key_reused",
            headers={"X-Should-Retry": "false"},
        )
    return use.task


async def _take_back(ingress: Ingress, caller: Caller, task: TaskId) -> None:
    """Undo what was counted and wished for, where the task was not begun: here, or elsewhere."""
    with suppress(ClusterError):
        if await ingress.desk.record(task) is None:
            await ingress.gate.release(caller, task)
            if ingress.webhooks is not None:
                await ingress.webhooks.drop(task)


def _check_webhook(ingress: Ingress, asked: WebhookRequest | None) -> None:
    if asked is None:
        return
    try:
        if ingress.webhooks is None:
            raise UsageError("no webhooks are sent from here")
        check_url(asked.url, ingress.settings.webhook_hosts)
    except UsageError as error:
        message = f"webhook.url: {error}"
        raise Problem(400, message, param="webhook.url", code="invalid_value") from None
