"""Tells whoever asked for it that a task has ended: at least once, from whichever replica is there.

A wish is in the central store before its task begins, and leaves it when somebody has been told.
Every replica follows the tasks that are wished for: its own at once, those of others from its next
look at the store. Who tries to tell holds a claim, so that two rarely do at the same time. Notices
are signed as Standard Webhooks has it; the secret is kept as it is, since a hash signs nothing.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from cluster.kernel.clock import Clock
from cluster.kernel.errors import ClusterError
from cluster.kernel.feed import TaskSummary
from cluster.kernel.ids import TaskId
from cluster.memory.store.port import Store
from cluster.serving.endings import ended_record
from cluster.serving.ports import Desk
from cluster.serving.wire import Webhook, webhook_from_bytes, webhook_to_bytes

_log = logging.getLogger(__name__)

_KEY_MARK: Final = "whsec_"
KEY_BYTES_MIN, KEY_BYTES_MAX = 24, 64
LOOK_EVERY_S = 300.0
"""How often a replica looks for wishes of others: it walks over every key of the store."""
BEGIN_AGAIN_S = 5.0
"""After a crash, before the next look: it may crash again."""
FOLLOWED_MAX = 1_000
"""Tasks that one replica follows at a time; the others wait until it looks again."""
FOLLOWED_S = 25 * 3600.0
KEPT_S = 3 * 24 * 3600.0
"""Of a wish: longer than any task and all attempts."""
CLAIM_S = 60.0
"""Longer than an attempt takes; a replica that dies in one leaves the next to another after it."""
ATTEMPTS_MAX = 8
_WAIT_BASE_S, _WAIT_MAX_S = 5.0, 900.0
"""Before the second attempt it is 1 s, then five times as long each time, to a quarter of an hour:
some three quarters of an hour altogether."""
_PREFIX, _CLAIMS = "webhook/", "webhook-claim/"
_TOLD = range(200, 300)

Post = Callable[[str, Mapping[str, str], bytes], Awaitable[int]]
"""Sends a body to a URL and returns the status; raises ClusterError where there is no answer."""
Sleep = Callable[[float], Awaitable[None]]


class Webhooks:
    """The wishes of one cluster, as one replica keeps and fulfils them.

    Args:
        store: has the wishes and the claims.
        desk: knows when a task has ended.
        clock: for the instants of attempts.
        post: reaches the receiver.
        sleep: waits; handed in so that tests need not.
    """

    def __init__(
        self,
        store: Store,
        desk: Desk,
        clock: Clock,
        post: Post,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._store = store
        self._desk = desk
        self._clock = clock
        self._post = post
        self._sleep = sleep
        self._new: set[TaskId] = set()
        """Wished for here, and not followed yet."""
        self._followed: set[TaskId] = set()
        self._has_new = asyncio.Event()

    async def keep(self, webhook: Webhook) -> None:
        """Keep a wish, before its task begins; raises StoreUnavailable."""
        await self._store.put_many({_PREFIX + webhook.task: webhook_to_bytes(webhook)}, KEPT_S)

    def follow(self, task: TaskId) -> None:
        """See a task of here end that has begun: before that, there is nothing to be followed."""
        if len(self._new) < FOLLOWED_MAX:
            self._new.add(task)
            self._has_new.set()

    async def drop(self, task: TaskId) -> None:
        """Forget the wish of a task, if there is one; raises StoreUnavailable."""
        self._new.discard(task)
        await self._store.delete([_PREFIX + task])

    async def run(self) -> None:
        """Tell of every end, until it is cancelled; where it crashes, it begins again.

        No wish is lost with that: all of them are in the store.
        """
        while True:
            try:
                await self._run()
            except Exception:  # noqa: BLE001 - nobody waits for it before the replica's end
                _log.exception("the webhooks begin again in %g s", BEGIN_AGAIN_S)
            await self._sleep(BEGIN_AGAIN_S)

    async def _run(self) -> None:
        look_at = self._clock.now()
        async with asyncio.TaskGroup() as followers:
            while True:
                if self._clock.now() >= look_at:
                    look_at = self._clock.now() + LOOK_EVERY_S
                    self._new |= await self._wished_for()
                self._has_new.clear()
                for task in self._new - self._followed:
                    if len(self._followed) < FOLLOWED_MAX:
                        self._followed.add(task)
                        followers.create_task(self._follow(task))
                self._new.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, look_at - self._clock.now())):
                        await self._has_new.wait()

    async def _wished_for(self) -> set[TaskId]:
        try:
            return {TaskId(key.removeprefix(_PREFIX)) for key in await self._store.items(_PREFIX)}
        except ClusterError as error:
            _log.warning("nobody knows which webhooks are wished for: %s", error)
            return set()

    async def _follow(self, task: TaskId) -> None:
        """See a task end and tell of it; what goes wrong is tried again at the next look."""
        try:
            record = await ended_record(self._desk, task, FOLLOWED_S, self._sleep)
            if record is None:
                return  # not begun yet, or forgotten
            while (webhook := await self._wish(task)) is not None:
                await self._tell(webhook, record.summary)
        except ClusterError as error:
            _log.warning("the webhook of task %s waits: %s", task, error)
        except Exception:  # noqa: BLE001 - one wish of many, whose failure is nobody else's
            _log.exception("the webhook of task %s waits", task)
        finally:
            self._followed.discard(task)

    async def _tell(self, webhook: Webhook, summary: TaskSummary) -> None:
        """Make the next attempt when it is due, unless another replica makes it."""
        wait_s = webhook.not_before_wall_s - self._clock.wall()
        if wait_s > 0:
            await self._sleep(wait_s)
        # All use one epoch, so that it is only the free key that counts.
        claim = _CLAIMS + webhook.task
        if not await self._store.put_once(_CLAIMS, claim, 1, b"1", CLAIM_S):
            await self._sleep(CLAIM_S)
            return
        try:
            # Read again: whoever had the claim before may have told, or tried.
            if await self._wish(webhook.task) == webhook:
                await self._attempt(webhook, summary)
        finally:
            await self._store.delete([claim])

    async def _attempt(self, webhook: Webhook, summary: TaskSummary) -> None:
        body = notice(summary)
        headers = signed(webhook, body, int(self._clock.wall()))
        try:
            status = await self._post(webhook.url, headers, body)
            why = "" if status in _TOLD else f"the answer was {status}"
        except ClusterError as error:
            why = str(error)
        if why:
            number = webhook.attempts + 1
            _log.warning("attempt %d at the webhook of %s: %s", number, webhook.task, why)
        following = next_attempt(webhook, self._clock.wall()) if why else None
        if following is None:
            await self.drop(webhook.task)
        else:
            kept = {_PREFIX + webhook.task: webhook_to_bytes(following)}
            await self._store.put_many(kept, KEPT_S)

    async def _wish(self, task: TaskId) -> Webhook | None:
        [value] = await self._store.get_many([_PREFIX + task])
        return None if value is None else webhook_from_bytes(value)


@asynccontextmanager
async def sending(webhooks: Webhooks | None) -> AsyncIterator[None]:
    """Tell of ends for as long as the context lasts: that of a replica."""
    running = None if webhooks is None else asyncio.create_task(webhooks.run())
    try:
        yield
    finally:
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def next_attempt(webhook: Webhook, now_wall_s: float) -> Webhook | None:
    """Return a wish after an attempt in vain; None where it was the last."""
    attempts = webhook.attempts + 1
    if attempts >= ATTEMPTS_MAX:
        return None
    wait_s = min(_WAIT_BASE_S**webhook.attempts, _WAIT_MAX_S)
    return replace(webhook, attempts=attempts, not_before_wall_s=now_wall_s + wait_s)


def notice(summary: TaskSummary) -> bytes:
    """Return the body that tells of a task's end; the same each time."""
    told = {
        "type": f"task.{summary.status}",
        "timestamp": datetime.fromtimestamp(summary.ended_wall_s, UTC).isoformat(),
        "data": {
            "id": summary.task,
            "status": summary.status,
            "created_at": summary.submitted_wall_s,
            "ended_at": summary.ended_wall_s,
            "result_url": f"/v1/tasks/{summary.task}/result",
        },
    }
    return json.dumps(told, separators=(",", ":")).encode()


def signed(webhook: Webhook, body: bytes, now_wall_s: int) -> dict[str, str]:
    """Return the headers of an attempt: Standard Webhooks' signature of id, time and body."""
    content = f"{webhook.task}.{now_wall_s}.".encode() + body
    digest = hmac.new(webhook.secret, content, hashlib.sha256).digest()
    return {
        "content-type": "application/json",
        "user-agent": "fleetmind",
        "webhook-id": webhook.task,
        "webhook-timestamp": str(now_wall_s),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def key_of_secret(secret: str) -> bytes:
    """Return the key that a secret of Standard Webhooks stands for.

    Raises:
        ValueError: it is none.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_KEY_MARK), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if secret.startswith(_KEY_MARK) and KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        return key
    raise ValueError(
        f"it is '{_KEY_MARK}' and {KEY_BYTES_MIN} to {KEY_BYTES_MAX} random bytes in base64"
    )
