"""The real agents in one process: real models, knowledge and engine, no network between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from agents import Agent
from agents.agent import Parts
from agents.coder import Coder
from agents.manager import Manager
from agents.models.endpoint.openai_compatible import OpenAIModel
from agents.models.port import Model, Request, StreamItem
from agents.researcher import Researcher
from agents.tools.ports import Sandbox
from cluster.kernel.events import Answered, Event, Failed, PlanReady
from cluster.kernel.ids import agent_id
from cluster.kernel.vocabulary import Answer, Failure
from cluster.memory.cache.knowledge_cache import KnowledgeCache
from cluster.memory.knowledge.learning import learn
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.runtime.host import AgentProfile
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.tasks.context import Experience
from cluster.runtime.tasks.engine import TaskEngine
from cluster.runtime.turns.handler import Handler
from cluster.wire.messages import MessageCodec
from tests.support.fake_tools import FakeSandbox
from tests.support.hashing_embedder import HashingEmbedder
from tests.support.hosts import MemoryCluster

_CODEC = MessageCodec()
AGENTS: Mapping[str, type[Agent]] = {
    "manager": Manager,
    "researcher": Researcher,
    "coder": Coder,
}


@dataclass(frozen=True)
class Outcome:
    """A task that has ended, with all of its events."""

    events: Sequence[Event]

    @property
    def failure(self) -> Failure:
        """Why it failed; it must have, and must have ended once."""
        detail = self._end()
        assert isinstance(detail, Failed), detail
        return detail.failure

    @property
    def has_failed(self) -> bool:
        """Whether it has; it must have ended once."""
        return isinstance(self._end(), Failed)

    @property
    def answer(self) -> Answer:
        """Its answer; it must have one, and must have ended once."""
        detail = self._end()
        assert isinstance(detail, Answered), detail
        return detail.answer

    @property
    def planned(self) -> list[str]:
        """The agents of the plan's steps."""
        plans = [each.detail for each in self.events if isinstance(each.detail, PlanReady)]
        return [step.agent for plan in plans for step in plan.plan.steps]

    @property
    def degraded(self) -> str:
        """What was given up for the answer."""
        return "\n".join(self.answer.degraded)

    def _end(self) -> object:
        *before, last = self.events
        assert not [event for event in before if event.is_terminal]
        return last.detail


class ModelByStep:
    """Asks another model for some of the steps."""

    def __init__(self, model: Model, others: Mapping[str, Model]) -> None:
        self._model = model
        self._others = others

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        model = self._others.get(request.asker.step, self._model)
        async with aclosing(model.stream(request)) as items:
            async for item in items:
                yield item

    async def warm(self) -> None:
        """Nothing has to be opened."""

    async def close(self) -> None:
        for model in (self._model, *self._others.values()):
            await model.close()


def endpoint(base_url: str, api_key: str = "") -> OpenAIModel:
    """Return the model of an endpoint, which takes no time between its attempts."""
    return OpenAIModel("simulated", base_url, api_key, sleep=_no_time)


async def _no_time(_seconds: float) -> None:
    await asyncio.sleep(0)


class AgentCluster(MemoryCluster):
    """A `MemoryCluster` of real agents."""

    def __init__(self, *, experience: Experience | None = None) -> None:
        super().__init__(experience=experience)
        self._embedder = HashingEmbedder()
        self._namespaces = LocalNamespaces(self.store, self.clock)
        self._knowledge = KnowledgeCache(self._namespaces, self._embedder)
        self._agents: list[Agent] = []

    def codec(self) -> MessageCodec:
        """Return one for all hosts of all clusters: no message here is of a user's own."""
        return _CODEC

    async def learn(self, path: Path) -> str:
        """Read a file into the store and return the id of the collection."""
        return (await learn(self._namespaces, [path], embedder=self._embedder)).collection

    async def add_real(
        self,
        role: str,
        model: Model,
        sandbox: Sandbox | None = None,
        run_timeout_s: float = 5.0,
        *,
        number: int = 0,
    ) -> None:
        """Start a replica of a role."""
        tools = sandbox or FakeSandbox()
        parts = Parts(model, self._knowledge, tools, run_timeout_s=run_timeout_s)
        agent = AGENTS[role](parts)
        self._agents.append(agent)
        handles = tuple(each.__name__ for each in agent.handlers())

        def handler(sender: Sender) -> Handler:
            if role != "manager":
                return agent
            return TaskEngine(agent, sender, self.journal, experience=self._experience)

        profile = AgentProfile(agent_id(role, number), agent.purpose, handles, pure=agent.pure())
        await self.start(profile, handler)

    async def outcome(self, goal: str, timeout_s: float = 60.0, *, collection: str = "") -> Outcome:
        """Submit a goal and follow it to its end."""
        task = await self.submit(goal, timeout_s, collection=collection)
        return Outcome([event async for event in task])

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        for agent in self._agents:
            await agent.close()
        await self._knowledge.close()
