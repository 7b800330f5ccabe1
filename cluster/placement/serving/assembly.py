"""Opens what one replica of the ingress asks and answers with: the real opener of its parts."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial

from fastapi import FastAPI

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import UsageError
from cluster.kernel.ids import IdSource
from cluster.kernel.loopback import is_loopback
from cluster.kernel.vocabulary import Coherence
from cluster.memory.directory import Directory, scope_of
from cluster.memory.feed.redis import RedisTaskFeed
from cluster.memory.journal.redis import RedisJournal
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.memory.store.redis import RedisStore
from cluster.memory.task_records.redis import RedisTaskRecords
from cluster.placement.serving.replica_spec import ReplicaSpec
from cluster.runtime.driver.driver import Driver
from cluster.serving.app import build_app
from cluster.serving.desk import ClusterDesk, DeskParts
from cluster.serving.gate import BookGate
from cluster.serving.ingress import Ingress, OrderDefaults
from cluster.serving.pinned_post import pinned_post
from cluster.serving.webhooks import Webhooks
from cluster.settings import Secrets, Settings
from cluster.settings.config_file import from_public_json
from cluster.settings.values import TaskSettings
from cluster.transport.nearest import nearest_transport


@dataclass(frozen=True, slots=True)
class ServedIngress:
    """The application, with all that it holds open."""

    app: FastAPI
    stack: AsyncExitStack

    async def close(self) -> None:
        """Close everything in the reverse order of its opening."""
        await self.stack.aclose()


async def open_ingress(spec: ReplicaSpec, host: str) -> ServedIngress:
    """Connect to the store, get ready to talk to the agents, and build the application.

    Args:
        spec: what the replica is given.
        host: where Ray Serve listens, whatever the settings say: who may ask depends on it.

    Raises:
        UsageError: the settings or the secrets can't be read, or others than this machine could ask
            and there is no token.
        StoreUnavailable: the store does not answer.
    """
    settings = from_public_json(spec.settings_json)
    own = replace(settings.serve, host=host)
    secrets = Secrets.read_secrets(spec.secrets_path)
    clock = SystemClock()
    async with AsyncExitStack() as opening:
        store = await RedisStore.connect(secrets.redis_url)
        opening.push_async_callback(store.close)
        parts = await _parts(store, secrets, settings, opening)
        gate = BookGate(store, parts.records, clock)
        desk = ClusterDesk(parts)
        if not (is_loopback(host) or await gate.has_tokens()):
            raise UsageError(f"there is no token yet, so nothing may be served at {host}")
        post = partial(pinned_post, listed=own.webhook_hosts)
        ingress = Ingress(
            desk,
            gate,
            own,
            order_defaults(settings.task),
            clock,
            webhooks=Webhooks(store, desk, clock, post),
        )
        app = build_app(ingress)
        opened = opening.pop_all()
    return ServedIngress(app, opened)


async def _parts(
    store: RedisStore, secrets: Secrets, settings: Settings, opening: AsyncExitStack
) -> DeskParts:
    clock, scope = SystemClock(), scope_of(secrets.token, secrets.scope)
    feed, records = RedisTaskFeed(store, scope), RedisTaskRecords(store, scope)
    transport = nearest_transport(secrets.token, settings.network.host, clock.now)
    driver = Driver(
        store,
        transport,
        clock,
        scope=scope,
        sampled_share=settings.sampled_share,
        feed=feed,
        records=records,
        journal=RedisJournal(store, scope),
    )
    await driver.open()
    opening.push_async_callback(driver.close)
    return DeskParts(
        store=store,
        directory=Directory(store, clock, scope=scope),
        driver=driver,
        namespaces=RedisNamespaces(store),
        feed=feed,
        records=records,
        ids=IdSource(clock.wall, random.Random()),
    )


def order_defaults(task: TaskSettings) -> OrderDefaults:
    """Return what holds of a task whose request says nothing, by the section [task]."""
    return OrderDefaults(
        deadline_s=task.deadline_s,
        tokens_max=task.tokens_max or 0,
        cost_max=task.cost_max or 0.0,
        coherence=Coherence(task.coherence),
    )
