"""Builds one host from settings: store, knowledge, agent, transport, and for Managers the engine.

Called inside each actor by `cluster.placement.actor.actors`. Agents and their parts are named in
the settings (`module:attribute`), so that this package never imports `agents`.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, Protocol

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import UsageError
from cluster.kernel.ids import AgentId, agent_id, role_of
from cluster.kernel.roles import MANAGER
from cluster.kernel.sections import (
    AnswerSettings,
    ModelEntry,
    ModelSettings,
    RouterSettings,
    SandboxSettings,
)
from cluster.kernel.state.own_policies import Policies
from cluster.kernel.tail.endpoint_speed import EndpointSpeed
from cluster.kernel.turn import Turn
from cluster.memory.cache.knowledge_cache import KnowledgeCache
from cluster.memory.cache.segments import segments_folder
from cluster.memory.directory import scope_of
from cluster.memory.endpoint_speeds import StoredSpeeds
from cluster.memory.feed.redis import RedisTaskFeed
from cluster.memory.journal.redis import RedisJournal
from cluster.memory.kept_answers import StoredAnswers
from cluster.memory.knowledge.names import LEARNED
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.redis import RedisStateLog
from cluster.memory.store.redis import RedisStore
from cluster.memory.task_records.redis import RedisTaskRecords
from cluster.placement.actor.host_spec import HostSpec
from cluster.placement.actor.own_functions import OwnFunctions
from cluster.placement.actor.own_modules import OwnModules
from cluster.runtime.host import AgentProfile, Host
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.observers.spans import Spans, open_spans
from cluster.runtime.tasks.answers_of_before import AnswersOfBefore
from cluster.runtime.tasks.context import Techniques
from cluster.runtime.tasks.engine import TaskEngine
from cluster.runtime.tasks.feed_writer import FeedStores
from cluster.runtime.tasks.freshness import StoreFreshness
from cluster.runtime.turns.handler import Handler
from cluster.settings import Secrets, Settings, with_header_values
from cluster.settings.config_file import from_public_json
from cluster.transport.nearest import nearest_transport
from cluster.wire.messages import MessageCodec

_log = logging.getLogger(__name__)

SPEEDS_KEPT_EVERY_S = 60.0
REFUSALS = 256
"""Turns a Manager may have beyond its tasks: those that refuse, replay or acknowledge one."""


class BuiltAgent(Protocol):
    """What the agent factory returns, as far as a host needs to know it."""

    purpose: str

    async def handle(self, message: object, turn: Turn) -> object:
        """Answer a message."""
        ...

    def decides(self) -> tuple[str, ...]:
        """Return the fields of shared state whose conflicts it decides."""
        ...

    def handlers(self) -> Mapping[type, object]:
        """Return the handled message types."""
        ...

    def pure(self) -> tuple[str, ...]:
        """Return the names of the handled types whose methods change nothing elsewhere."""
        ...

    def subscribes(self) -> tuple[str, ...]:
        """Return the topics that wake it."""
        ...

    def speeds(self) -> Mapping[str, EndpointSpeed]:
        """Return what it knows of model endpoints."""
        ...

    async def warm(self) -> None:
        """Do what its first turn would have to wait for."""
        ...

    async def close(self) -> None:
        """Give model connections and sandboxes back."""
        ...


class AgentHost:
    """A host with everything it owns, closed in the reverse order of its making."""

    def __init__(
        self,
        host: Host,
        agent: BuiltAgent,
        knowledge: KnowledgeCache,
        store: RedisStore,
        *,
        spans: Spans | None,
        speeds: StoredSpeeds,
    ) -> None:
        self.host = host
        self._speeds = speeds
        self._spans = spans
        self._agent = agent
        self._knowledge = knowledge
        self._store = store
        self._warming: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Register and listen; return the address. What turns need is loaded from then on."""
        address = await self.host.start()
        self._warming = asyncio.ensure_future(self._warm())
        self._keeping = asyncio.ensure_future(self._keep_speeds())
        return address

    async def _warm(self) -> None:
        """Do what the first turns would have to wait for; they may come in the midst of it."""
        warmed = [self._agent.warm(), self._speeds.load(self._agent.speeds())]
        if role_of(self.host.profile.agent) != MANAGER:
            warmed.append(self._knowledge.warm(LEARNED))
        for error in await asyncio.gather(*warmed, return_exceptions=True):
            if isinstance(error, Exception):
                _log.info("%s is not all warm: %s", self.host.profile.agent, error)

    async def _keep_speeds(self) -> None:
        """Keep what is known of model endpoints, now and then: a process may be killed."""
        while True:
            await asyncio.sleep(SPEEDS_KEPT_EVERY_S)
            await self._speeds.save(self._agent.speeds())

    async def end_tasks(self, reason: str) -> None:
        """Cancel the tasks it owns."""
        await self.host.end_tasks(reason)

    async def fenced(self) -> None:
        """Return once a newer incarnation of the agent has taken over."""
        await self.host.is_fenced.wait()

    async def stop(self) -> None:
        """Drain and close."""
        aside = [work for work in (self._warming, self._keeping) if work is not None]
        for work in aside:
            work.cancel()
        await asyncio.gather(*aside, return_exceptions=True)
        if self.host.is_fenced.is_set():
            await self.host.abort()  # what it has not done is the newer incarnation's to do
        else:
            await self.host.stop()
        if self._spans is not None:
            await self._spans.close()
        await self._agent.close()
        await self._knowledge.close()
        await self._speeds.save(self._agent.speeds())
        await self._store.close()


class BuildAgent(Protocol):
    """The agents' factory, which the settings name; `agents.factory` has the usual one."""

    def __call__(
        self,
        class_path: str,
        *,
        model: ModelSettings,
        api_key: str,
        knowledge: KnowledgeCache,
        sandbox: SandboxSettings,
        answer: AnswerSettings,
        models: Mapping[str, ModelEntry],
        model_keys: Mapping[str, str],
        router: RouterSettings,
    ) -> BuiltAgent:
        """Return a new agent of the class that ``module:Class`` names."""
        ...


async def open_host(spec: HostSpec) -> AgentHost:
    """Build the host of one agent; it still has to be started.

    Raises:
        UsageError: a class, model or path in the settings is wrong, or others may read the secrets.
        StoreUnavailable: the store can't be reached.
    """
    # In a thread, both: pydantic takes a sixth of a second to import, a file of secrets may block.
    settings = await asyncio.to_thread(from_public_json, spec.settings_json)
    secrets = await asyncio.to_thread(Secrets.read_secrets, spec.secrets_path)
    role = settings.agents[role_of(spec.agent)]
    own = (role.class_path, settings.parts.factory, *settings.router.functions)
    OwnModules(own, settings.python_path).install()
    store = await RedisStore.connect(secrets.redis_url)
    try:
        namespaces = RedisNamespaces(store)
        knowledge = KnowledgeCache(
            namespaces,
            folder=segments_folder(settings.knowledge.cache, await namespaces.store_id()),
            bytes_max=settings.knowledge.memory_bytes_max,
        )
        build: BuildAgent = load(settings.parts.factory)
        asked = with_header_values(settings, secrets)
        agent = build(
            role.class_path,
            model=asked.model,
            api_key=secrets.api_key or os.environ.get("OPENAI_API_KEY", "").strip(),
            knowledge=knowledge,
            sandbox=settings.sandbox,
            answer=settings.answer,
            models=asked.models,
            model_keys=secrets.model_keys,
            router=settings.router,
        )
    except BaseException:
        await store.close()
        raise
    spans = open_spans(spec.agent, settings.telemetry)
    host = _build_host(
        spec.agent, settings, secrets, agent, store, spans=spans, knowledge=knowledge
    )
    names = [
        agent_id(name, number)
        for name, each in settings.agents.items()
        for number in range(each.replicas)
    ]
    speeds = StoredSpeeds(store, spec.agent, names)
    return AgentHost(host, agent, knowledge, store, spans=spans, speeds=speeds)


def _build_host(
    name: AgentId,
    settings: Settings,
    secrets: Secrets,
    agent: BuiltAgent,
    store: RedisStore,
    *,
    spans: Spans | None,
    knowledge: KnowledgeCache,
) -> Host:
    role = settings.agents[role_of(name)]
    clock = SystemClock()
    codec = MessageCodec()
    for handled in agent.handlers():
        if not is_dataclass(handled):  # the kernel's own are known, or never leave the host
            codec.register(handled)
    concurrency, scope = role.concurrency, scope_of(secrets.token, secrets.scope)
    is_manager = role_of(name) == MANAGER
    profile = AgentProfile(
        name,
        role.purpose or agent.purpose,
        tuple(handled.__name__ for handled in agent.handlers()),
        concurrency + REFUSALS if is_manager else concurrency,
        os.getpid(),
        agent.decides(),
        subscribes=agent.subscribes(),
        pure=agent.pure(),
    )

    documents = Documents(RedisStateLog(store), clock, own_policies(settings))

    def handler(sender: Sender) -> Handler:
        if not is_manager:
            return agent
        journal = RedisJournal(store, scope)
        return TaskEngine(
            agent,
            sender,
            journal,
            documents=documents,
            tasks_max=concurrency,
            freshness=StoreFreshness(documents, RedisNamespaces(store)),
            techniques=_techniques(settings),
            answers=_answers(settings, store, codec),
            calls_max=settings.role_calls_max,
            feeds=_feeds(store, scope, sender),
        )

    return Host(
        profile,
        handler,
        store=store,
        transport=nearest_transport(secrets.token, settings.network.host, clock.now),
        clock=clock,
        codec=codec,
        scope=scope,
        spans=spans,
        knowledge=knowledge.statistics,
        documents=documents,
    )


def _feeds(store: RedisStore, scope: str, sender: Sender) -> FeedStores:
    return FeedStores(
        RedisTaskFeed(store, scope),
        RedisTaskRecords(store, scope),
        sender.codec,
        sender.clock,
        sender.directory.lease_s,
    )


def _techniques(settings: Settings) -> Techniques:
    task = settings.task
    return Techniques(task.stream_plan, task.prepare, hedges_steps=task.hedge_steps)


def _answers(settings: Settings, store: RedisStore, codec: MessageCodec) -> AnswersOfBefore | None:
    if not settings.answer.keep:
        return None
    model = f"{settings.model.uri} {settings.model.base_url}"
    return AnswersOfBefore(StoredAnswers(store, codec), model)


def own_policies(settings: Settings) -> Policies:
    """Return the policies of a host, which finds those of any of the user's agents.

    Whoever uses the classes is another process: a Manager would not see what is in conflict.
    """
    names = [role.class_path for role in settings.agents.values()] + [settings.parts.factory]
    functions = OwnFunctions(OwnModules(names, settings.python_path))
    return Policies(is_checked=settings.state.check_policies, find_function=functions.find)


def load(name: str) -> Any:
    """Import what ``module:attribute`` names.

    Raises:
        UsageError: there is no such module or attribute.
    """
    module_name, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"the settings name {name!r}, which can't be imported: {error}") from error
