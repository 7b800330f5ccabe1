"""Hosts and drivers in one process, over the in-memory transport and store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Self

from cluster.kernel.clock import SystemClock
from cluster.kernel.ids import AgentId
from cluster.kernel.registration import LEASE_S
from cluster.kernel.state.own_policies import FindFunction, Policies
from cluster.kernel.tasks.budget import NO_BUDGET, Budget
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Coherence, Plan
from cluster.memory.journal.local import LocalJournal
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.state.host.documents import Documents
from cluster.memory.store.local import LocalStore
from cluster.runtime.driver.driver import Driver
from cluster.runtime.driver.submitted import SubmittedTask
from cluster.runtime.host import AgentProfile, Host
from cluster.runtime.messaging.sender import Sender, WhyOver
from cluster.runtime.observers.spans import Spans
from cluster.runtime.tasks.answers_of_before import AnswersOfBefore
from cluster.runtime.tasks.context import Experience, Techniques
from cluster.runtime.tasks.engine import TaskEngine
from cluster.runtime.tasks.freshness import StoreFreshness
from cluster.runtime.turns.handler import Handler
from cluster.transport.in_memory import MemoryNetwork, MemoryTransport
from cluster.transport.port import Transport
from cluster.wire.messages import MessageCodec
from tests.support.shared_documents import UnsteadyStateLog

Answering = Callable[[object, Turn], Awaitable[object]]


async def until(is_so: Callable[[], bool]) -> None:
    """Let the event loop run until something is so, for a minute at most."""
    gives_up_at = time.monotonic() + 60.0
    while not is_so():
        assert time.monotonic() < gives_up_at, "it never came to be"
        await asyncio.sleep(0)


class FunctionHandler:
    """A handler made of one async function."""

    def __init__(self, answer: Answering) -> None:
        self._answer = answer

    async def handle(self, message: object, turn: Turn) -> object:
        return await self._answer(message, turn)


class MemoryCluster:
    """A cluster of hosts in this process; an async context manager that stops them all."""

    def __init__(
        self,
        *,
        lease_s: float = LEASE_S,
        techniques: Techniques | None = None,
        calls_max: Mapping[str, int] | None = None,
        answers: AnswersOfBefore | None = None,
        experience: Experience | None = None,
    ) -> None:
        self._lease_s = lease_s
        self._techniques = techniques
        self._calls_max = calls_max
        self._answers = answers
        self._experience = experience
        self.clock = SystemClock()
        self.store = LocalStore(self.clock)
        self.journal = LocalJournal(self.clock)
        self.network = MemoryNetwork(self.clock.now)
        self.hosts: list[Host] = []
        self.senders: dict[str, Sender] = {}
        self.engines: dict[str, TaskEngine] = {}
        self.log = UnsteadyStateLog(self.clock, self.store)
        self.namespaces = LocalNamespaces(self.store, self.clock)
        self.shared: dict[str, Documents] = {}
        """By agent; a process has one."""
        self.spans: dict[str, Spans] = {}
        """By agent, for those that are started after it was put here."""
        self.find_function: FindFunction | None = None
        """How hosts that are started after it was put here find policies of a program's own."""
        self._drivers: list[Driver] = []

    def codec(self) -> MessageCodec:
        """Return what a host knows of messages, which is its own."""
        return MessageCodec()

    def transport(self) -> Transport:
        return MemoryTransport(self.network)

    async def add(
        self,
        agent: str,
        answer: Answering,
        *,
        concurrency: int = 16,
        subscribes: tuple[str, ...] = (),
        pure: tuple[str, ...] = (),
    ) -> Host:
        """Start an agent that answers with a function."""
        profile = AgentProfile(
            AgentId(agent),
            f"does what a {agent} does",
            concurrency=concurrency,
            subscribes=subscribes,
            pure=pure,
        )
        return await self.start(profile, lambda _: FunctionHandler(answer))

    async def add_manager(
        self, answer: Answering, agent: str = "manager-0", *, tasks_max: int = 64
    ) -> Host:
        """Start a Manager: the function plans and composes, the real engine runs the tasks."""

        def engine(sender: Sender) -> TaskEngine:
            handler = FunctionHandler(answer)
            engine = TaskEngine(
                handler,
                sender,
                self.journal,
                documents=self.shared[agent],
                tasks_max=tasks_max,
                freshness=StoreFreshness(self.shared[agent], self.namespaces),
                techniques=self._techniques,
                calls_max=self._calls_max,
                answers=self._answers,
                experience=self._experience,
            )
            self.engines[agent] = engine
            return engine

        return await self.start(AgentProfile(AgentId(agent), concurrency=512), engine)

    async def start(self, profile: AgentProfile, make: Callable[[Sender], Handler]) -> Host:
        """Start a host with a handler of any kind."""

        def keep(sender: Sender) -> Handler:
            self.senders[profile.agent] = sender
            return make(sender)

        policies = Policies(find_function=self.find_function)
        self.shared[profile.agent] = Documents(self.log, self.clock, policies)
        host = Host(
            profile,
            keep,
            store=self.store,
            transport=self.transport(),
            clock=self.clock,
            codec=self.codec(),
            lease_s=self._lease_s,
            spans=self.spans.get(profile.agent),
            documents=self.shared[profile.agent],
        )
        await host.start()
        self.hosts.append(host)
        return host

    async def submit(
        self,
        goal: str,
        timeout_s: float = 5.0,
        *,
        collection: str = "",
        looks_again: bool = False,
        why_over: WhyOver | None = None,
        coherence: Coherence = Coherence.CHAINED,
        workflow: Plan | None = None,
        budget: Budget = NO_BUDGET,
    ) -> SubmittedTask:
        """Submit a goal through a driver of its own."""
        driver = Driver(
            self.store,
            self.transport(),
            self.clock,
            looks_again=looks_again,
            why_over=why_over,
        )
        self._drivers.append(driver)
        await driver.open()
        return await driver.submit(
            goal,
            collection=collection,
            timeout_s=timeout_s,
            coherence=coherence,
            workflow=workflow,
            budget=budget,
        )

    async def abort_drivers(self) -> None:
        """End every driver as a crash does."""
        for driver in self._drivers:
            await driver.abort()
        self._drivers.clear()

    async def close_drivers(self) -> None:
        """Let every driver leave."""
        for driver in self._drivers:
            await driver.close()
        self._drivers.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close_drivers()
        for host in self.hosts:
            await host.stop()
