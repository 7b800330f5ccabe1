"""Every ask is answered: with a reply, a failure, or why there is none."""

from __future__ import annotations

import asyncio

import pytest

from cluster.kernel.envelope import Kind
from cluster.kernel.errors import (
    AgentFailed,
    Cancelled,
    DeadlinePassed,
    Overloaded,
    Stopped,
    TooLarge,
    UnknownRecipient,
)
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.registration import Registration
from cluster.kernel.submission import Submission
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Finding
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.turns import runner as turns
from cluster.wire.codec import BODY_BYTES_MAX
from tests.support.hosts import MemoryCluster, until


async def echo(message: object, turn: Turn) -> object:
    return message


async def ask(
    sender: Sender, recipient: str, message: object, *, timeout_s: float = 5.0, task: str = "t"
) -> object:
    agent = await sender.replica_of(recipient, frozenset())
    envelope = sender.envelope(agent, Kind.ASK, message)
    envelope.task, envelope.step = TaskId(task), StepId("s")
    envelope.deadline_at = sender.clock.now() + timeout_s
    return await sender.ask(envelope)


async def test_an_ask_is_answered_with_what_the_handler_returns() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        await cluster.add("echo-0", echo)

        assert await ask(cluster.senders["asker-0"], "echo", Finding("x")) == Finding("x")


async def test_an_unknown_role_is_named_at_once() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)

        with pytest.raises(UnknownRecipient, match="nobody"):
            await ask(cluster.senders["asker-0"], "nobody", Finding("x"))


async def test_an_unknown_agent_is_answered_by_the_deadline() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)

        with pytest.raises(DeadlinePassed):
            await ask(cluster.senders["asker-0"], "echo-7", Finding("x"), timeout_s=0.1)


async def test_a_handler_that_raises_is_answered_as_agent_failed() -> None:
    async def crash(message: object, turn: Turn) -> object:
        raise ZeroDivisionError("by zero")

    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        await cluster.add("crasher-0", crash)

        with pytest.raises(AgentFailed, match="ZeroDivisionError"):
            await ask(cluster.senders["asker-0"], "crasher", Finding("x"))


async def test_a_turn_ends_at_its_deadline() -> None:
    ended = asyncio.Event()

    async def hang(message: object, turn: Turn) -> object:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return None

    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        await cluster.add("hanger-0", hang)

        with pytest.raises(DeadlinePassed):
            await ask(cluster.senders["asker-0"], "hanger", Finding("x"), timeout_s=0.05)
        async with asyncio.timeout(1):
            await ended.wait()


async def test_an_asker_that_goes_away_ends_the_turn() -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def hang(message: object, turn: Turn) -> object:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return None

    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        await cluster.add("hanger-0", hang)
        asking = asyncio.ensure_future(ask(cluster.senders["asker-0"], "hanger", Finding("x")))
        await started.wait()

        asking.cancel()
        async with asyncio.timeout(1):
            await ended.wait()

    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_an_ask_cancelled_while_it_waits_in_the_inbox_never_starts() -> None:
    started: list[str] = []
    gate = asyncio.Event()

    async def wait(message: object, turn: Turn) -> object:
        started.append(turn.task)
        await gate.wait()
        return message

    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        await cluster.add("slow-0", wait, concurrency=1)
        sender = cluster.senders["asker-0"]
        first = asyncio.ensure_future(ask(sender, "slow", Finding("x"), task="one"))
        await until(lambda: bool(started))
        agent = await sender.replica_of("slow", frozenset())
        envelope = sender.envelope(agent, Kind.ASK, Finding("y"))
        envelope.task, envelope.deadline_at = TaskId("two"), sender.clock.now() + 5
        second = asyncio.ensure_future(sender.ask(envelope))
        await until(lambda: cluster.hosts[1].turns.load == 2)
        sender.exchange.request_cancel(envelope, "changed my mind")
        for _ in range(50):
            await asyncio.sleep(0)
        gate.set()
        await first

        with pytest.raises(Cancelled):
            await second
    assert started == ["one"]


async def test_a_stopping_host_answers_what_runs_and_what_waits() -> None:
    async def hang(message: object, turn: Turn) -> object:
        return await asyncio.get_running_loop().create_future()

    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        host = await cluster.add("hanger-0", hang, concurrency=1)
        sender = cluster.senders["asker-0"]
        asks = [
            asyncio.ensure_future(ask(sender, "hanger-0", Finding("x"), task=task))
            for task in ("one", "two")
        ]
        await until(lambda: host.turns.load == 2)

        await host.stop()
        answers = await asyncio.gather(*asks, return_exceptions=True)

    assert [type(answer) for answer in answers] == [Stopped, Stopped]


async def test_a_full_inbox_is_answered_as_overloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "QUEUED_MAX", 1)
    gate = asyncio.Event()

    async def wait(message: object, turn: Turn) -> object:
        await gate.wait()
        return message

    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        await cluster.add("slow-0", wait, concurrency=1)
        sender = cluster.senders["asker-0"]
        asks = [
            asyncio.ensure_future(ask(sender, "slow", Finding("x"), task=f"t{number}"))
            for number in range(3)
        ]
        done, _ = await asyncio.wait(asks, return_when=asyncio.FIRST_COMPLETED)
        gate.set()
        answers = await asyncio.gather(*asks, return_exceptions=True)

    assert len(done) == 1
    assert sorted(type(answer).__name__ for answer in answers) == [
        "Finding",
        "Finding",
        Overloaded.__name__,
    ]


async def test_a_message_over_the_limit_is_refused_before_it_is_queued() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        await cluster.add("echo-0", echo)

        with pytest.raises(TooLarge):
            await ask(cluster.senders["asker-0"], "echo", Finding("x" * (BODY_BYTES_MAX + 1)))


async def test_messages_of_one_step_run_one_at_a_time_in_order() -> None:
    log: list[str] = []

    async def slow(message: object, turn: Turn) -> object:
        assert isinstance(message, Submission)
        log.append(f"+{message.goal}")
        await asyncio.sleep(0)
        log.append(f"-{message.goal}")
        return message

    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        await cluster.add("slow-0", slow)
        sender = cluster.senders["asker-0"]
        await asyncio.gather(
            *(ask(sender, "slow", Submission(TaskId("t"), str(number))) for number in range(3))
        )

    assert log == ["+0", "-0", "+1", "-1", "+2", "-2"]


async def test_a_thousand_asks_at_once_are_all_answered_within_the_credit() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        await cluster.add("echo-0", echo)
        sender = cluster.senders["asker-0"]

        answers = await asyncio.gather(
            *(ask(sender, "echo", Finding(str(n)), task=str(n)) for n in range(1000))
        )

    assert answers == [Finding(str(n)) for n in range(1000)]


async def test_an_older_incarnation_learns_that_it_was_replaced() -> None:
    async with MemoryCluster() as cluster:
        old = await cluster.add("echo-0", echo)
        await cluster.add("echo-0", echo)

        assert not await old.directory.put(
            Registration(old.profile.agent, old.exchange.address, old.exchange.epoch)
        )
