"""A gRPC server that limits the age of connections costs new links, and no message."""

from __future__ import annotations

import asyncio

from cluster.kernel.clock import SystemClock
from cluster.kernel.envelope import Kind
from cluster.kernel.events import Thought
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Finding
from cluster.memory.store.local import LocalStore
from cluster.runtime.host import AgentProfile, Host
from cluster.runtime.messaging.sender import AskObserver, Sender
from cluster.transport.grpc_exchange import GrpcTransport
from cluster.transport.port import Connection
from cluster.wire.messages import MessageCodec
from tests.support.observers import Collected

AGE_OPTIONS = [("grpc.max_connection_age_ms", 100), ("grpc.max_connection_age_grace_ms", 50)]
LINKS_MIN = 15
THOUGHTS = 5


class AgingTransport(GrpcTransport):
    """Ends what it accepted after a while; counts the links it dials."""

    def __init__(self, clock: SystemClock) -> None:
        super().__init__("token", "127.0.0.1", clock.now, server_options=AGE_OPTIONS)
        self.dialled = 0

    async def dial(self, address: str, timeout_s: float) -> Connection:
        self.dialled += 1
        return await super().dial(address, timeout_s)


class Thinker:
    """Emits thoughts, then answers; remembers how often it was asked each thing."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}

    async def handle(self, message: object, turn: Turn) -> object:
        assert isinstance(message, Finding)
        self.asked[message.text] = self.asked.get(message.text, 0) + 1
        for number in range(THOUGHTS):
            turn.emit(Thought(f"{message.text}/{number}"))
            await asyncio.sleep(0.001)
        return message


class Cluster:
    """Two hosts, whose servers both end links soon."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.store = LocalStore(self.clock)
        self.thinker = Thinker()
        self.transports = [AgingTransport(self.clock), AgingTransport(self.clock)]
        self.senders: list[Sender] = []
        agents = ("asker-0", "thinker-0")
        self.hosts = [self.host(*pair) for pair in zip(agents, self.transports, strict=True)]

    @property
    def dialled(self) -> int:
        return sum(transport.dialled for transport in self.transports)

    def host(self, agent: str, transport: AgingTransport) -> Host:
        def make(sender: Sender) -> Thinker:
            self.senders.append(sender)
            return self.thinker

        return Host(
            AgentProfile(AgentId(agent)),
            make,
            store=self.store,
            transport=transport,
            clock=self.clock,
            codec=MessageCodec(),
        )

    async def ask(self, text: str, observer: AskObserver) -> object:
        sender = self.senders[0]
        envelope = sender.envelope(AgentId("thinker-0"), Kind.ASK, Finding(text))
        envelope.task, envelope.step = TaskId(text), StepId("s")
        envelope.deadline_at = self.clock.now() + 30
        return await sender.ask(envelope, observer)


async def test_links_that_a_server_ends_for_their_age_lose_nothing() -> None:
    cluster = Cluster()
    for host in cluster.hosts:
        await host.start()
    thoughts: dict[str, list[object]] = {}
    texts: list[str] = []

    async with asyncio.timeout(60):
        while cluster.dialled < LINKS_MIN:
            batch = [f"{len(texts) + number}" for number in range(4)]
            texts += batch
            answers = await asyncio.gather(
                *(cluster.ask(text, Collected(thoughts.setdefault(text, []))) for text in batch)
            )
            assert answers == [Finding(text) for text in batch]

    for host in cluster.hosts:
        await host.stop()
    assert cluster.thinker.asked == dict.fromkeys(texts, 1)
    for text in texts:
        assert thoughts[text] == [Thought(f"{text}/{number}") for number in range(THOUGHTS)]
