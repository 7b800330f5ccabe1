"""Deadlines: they shrink from hop to hop, whatever the clocks say, and end what they meet.

The hops are hosts with clocks of their own over real gRPC streams; the stages of a task are met on
a cluster of plain processes, whose model server runs here and never ends a chosen text.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self

import pytest

from agents.models.simulated.model import Timing
from agents.models.simulated.script import Line, Lines
from benchmarks.model_server import ModelServer, model_server
from benchmarks.plain_cluster import PlainCluster, until
from cluster.kernel.clock import SystemClock
from cluster.kernel.envelope import Kind
from cluster.kernel.errors import DeadlinePassed
from cluster.kernel.events import Answered, Failed, ProgramRan
from cluster.kernel.ids import AgentId, TaskId
from cluster.kernel.sections import ModelSettings
from cluster.kernel.submission import Submission
from cluster.kernel.turn import Turn
from cluster.memory.store.local import LocalStore
from cluster.runtime.host import AgentProfile, Host
from cluster.runtime.messaging.sender import Sender
from cluster.transport.grpc_exchange import GrpcTransport
from cluster.wire.messages import MessageCodec
from tests.support.hosts import FunctionHandler
from tests.support.plain import COLD, Followed, followed, is_, sandboxes
from tests.support.sandbox import real_sandbox

pytestmark = pytest.mark.integration


# ---- three hops ------------------------------------------------------------------------------


class OwnClock(SystemClock):
    """A clock that began at another time, and runs faster or slower, than the others."""

    def __init__(self, offset_s: float, rate: float) -> None:
        self._offset_s = offset_s
        self._rate = rate

    def now(self) -> float:
        return self._offset_s + self._rate * time.monotonic()


CLOCKS = {"a-0": (0.0, 1.0), "b-0": (1e6, 1.05), "c-0": (-1e6, 0.95), "d-0": (17.0, 1.1)}
NEXT = {"b-0": "c-0", "c-0": "d-0"}
Message = Submission  # any message of ours will do


class Chain:
    """Four hosts, of which each asks the next; what each had left, and how it ended."""

    def __init__(self) -> None:
        self.left_s: dict[str, float] = {}
        self.endings: dict[str, str] = {}
        self.last: Callable[[], Awaitable[object]] = self._answer
        self._senders: dict[str, Sender] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        store = LocalStore(SystemClock())
        for agent, (offset_s, rate) in CLOCKS.items():
            clock = OwnClock(offset_s, rate)

            def keep(sender: Sender, agent: str = agent) -> FunctionHandler:
                self._senders[agent] = sender
                return FunctionHandler(self._handle)

            host = Host(
                AgentProfile(AgentId(agent)),
                keep,
                store=store,
                transport=GrpcTransport("token", "127.0.0.1", clock.now),
                clock=clock,
                codec=MessageCodec(),
            )
            await host.start()
            self._stack.push_async_callback(host.stop)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def ask(self, timeout_s: float) -> object:
        """Have the first host ask the second."""
        sender = self._senders["a-0"]
        envelope = sender.envelope(AgentId("b-0"), Kind.ASK, Message(TaskId("t"), "begin"))
        envelope.deadline_at = sender.clock.now() + timeout_s
        return await sender.ask(envelope, grace_s=5.0)

    async def _handle(self, message: object, turn: Turn) -> object:
        self.left_s[turn.agent] = turn.remaining_s()
        try:
            following = NEXT.get(turn.agent)
            return await (turn.ask(following, message) if following else self.last())
        except BaseException as error:
            self.endings[turn.agent] = type(error).__name__
            raise

    async def _answer(self) -> object:
        return Message(TaskId("t"), "done")


async def test_the_time_left_shrinks_at_every_hop_whatever_the_clocks_say() -> None:
    async with Chain() as chain:
        await chain.ask(30.0)

    assert 30.0 > chain.left_s["b-0"] > chain.left_s["c-0"] > chain.left_s["d-0"] > 0.0


async def test_a_deadline_that_passes_ends_every_turn_and_answers_the_first_asker() -> None:
    async with Chain() as chain:
        await chain.ask(30.0)  # the links are there: none is dialled while the time runs
        chain.last = asyncio.Event().wait

        with pytest.raises(DeadlinePassed):
            await chain.ask(1.0)
        await until(lambda: len(chain.endings) == len(chain.left_s))

    assert chain.endings["d-0"] == "CancelledError"
    assert set(chain.endings.values()) <= {"CancelledError", "DeadlinePassed"}


# ---- the stages of a task --------------------------------------------------------------------

GOAL = "Write a program that prints 42."
ENDLESS = Line("It goes on and on. " * 1_000, 10_000)
TOKENS_PER_S = 100.0
SLEEPER = Line("```python\nimport time\ntime.sleep(60)\n```\n")
PROGRAM = Line("```python\nprint(42)\n```\n")
SHORT_S = 4.0
"""A deadline that is met: all that comes before what never ends takes a tenth of a second."""
QUESTION = "What is said about 42?"
TASK = "X-Fleetmind-Task"
QUICK = Line("It is said that 42 is the answer to it all.", 5)


def plan(*agents: str) -> Line:
    steps = [
        {"id": agent[0] + "1", "agent": agent, "instruction": GOAL, "needs": []} for agent in agents
    ]
    return Line(json.dumps({"steps": steps}), 5)


def lines(manager: Mapping[str, Line], researcher: Line = QUICK, program: Line = SLEEPER) -> Lines:
    return {"manager": manager, "researcher": {"*": researcher}, "coder": {"*": program}}


@dataclass
class Plain:
    """A cluster whose model server each test starts with lines of its own."""

    cluster: PlainCluster
    port: int

    async def follow(
        self, said: Lines, timeout_s: float, goal: str = GOAL
    ) -> tuple[Followed, ModelServer]:
        """Follow a task to its end, and until nothing of it is left."""
        async with (
            model_server(Timing(tokens_per_s=TOKENS_PER_S), said, port=self.port) as server,
            self.cluster.driver() as driver,
        ):
            one = await followed(driver, goal, timeout_s)
            await one.ended()
            await server.until(lambda: all(entry.ended_at is not None for entry in server.log))
            await until(lambda: not sandboxes(self.cluster))
        return one, server


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plain]:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port: int = chosen.getsockname()[1]
    model = ModelSettings("openai:simulated", f"http://127.0.0.1:{port}/v1")
    one_at_a_time = {"coder": 1}
    folder = tmp_path_factory.mktemp("plain")
    with PlainCluster(folder, model, settings=COLD, concurrency=one_at_a_time) as cluster:
        plain = Plain(cluster, port)
        # What the agents import at first must not meet a short deadline.
        said = {"plan": plan("researcher", "coder"), "answer": QUICK}
        asyncio.run(plain.follow(lines(said, program=PROGRAM), 60.0))
        yield plain


def failure_of(one: Followed) -> str:
    detail = one.events[-1].detail
    assert isinstance(detail, Failed), detail
    return detail.failure.kind


async def test_a_deadline_that_passes_while_it_is_planned_fails_a_task(plain: Plain) -> None:
    one, server = await plain.follow(lines({"plan": ENDLESS}, ENDLESS), SHORT_S, QUESTION)

    assert failure_of(one) == "deadline"
    assert {entry.ended for entry in server.log} == {"cancelled"}


async def test_a_deadline_that_passes_in_a_step_fails_a_task(plain: Plain) -> None:
    one, server = await plain.follow(
        lines({"plan": plan("researcher")}, ENDLESS), SHORT_S, QUESTION
    )

    assert failure_of(one) == "deadline"
    assert [entry.ended for entry in server.log] == ["finished", "cancelled"]


async def test_a_program_is_ended_in_time(plain: Plain) -> None:
    async with real_sandbox():
        pass  # or skip: without one no program would run

    one, _ = await plain.follow(lines({"plan": plan("coder"), "answer": QUICK}), SHORT_S)

    [ran] = [event.detail for event in one.events if isinstance(event.detail, ProgramRan)]
    assert ran.run.exit_code == 124
    assert one.events[-1].at_s <= SHORT_S


async def test_an_answer_that_comes_too_late_is_put_together_without_the_model(
    plain: Plain,
) -> None:
    one, server = await plain.follow(
        lines({"plan": plan("researcher"), "answer": ENDLESS}), SHORT_S, QUESTION
    )

    detail = one.events[-1].detail
    assert isinstance(detail, Answered), detail
    assert "42" in detail.answer.text
    assert any("put together from the results" in text for text in detail.answer.degraded)
    assert server.log[-1].ended == "cancelled"


async def test_a_step_whose_turn_never_comes_fails_at_the_deadline(plain: Plain) -> None:
    """The Coder does one step at a time: the second waits in its inbox until it is too late."""
    said = lines({"plan": plan("coder"), "answer": QUICK})
    async with (
        model_server(lines=said, port=plain.port) as server,
        plain.cluster.driver() as driver,
    ):
        first = await followed(driver, GOAL, 60.0)
        await first.until(is_("program"))
        second = await followed(driver, GOAL, SHORT_S)

        await second.ended()

        assert failure_of(second) == "deadline"
        asked = [entry.agent for entry in server.log if entry.headers[TASK] == second.task.id]
        assert asked == ["manager"]
        await first.task.cancel()
        assert (await first.ended()).kind == "cancelled"
    await until(lambda: not sandboxes(plain.cluster))
