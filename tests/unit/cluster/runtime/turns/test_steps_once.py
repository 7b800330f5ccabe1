"""A step is thought once: while it runs and after it has been done, whoever asks again."""

from __future__ import annotations

import asyncio

import pytest

from cluster.kernel.envelope import Kind
from cluster.kernel.errors import AgentFailed, Cancelled, StoreUnavailable
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Assignment, Failure, Finding
from cluster.runtime.messaging.sender import Sender
from tests.support.hosts import MemoryCluster, until
from tests.unit.cluster.runtime.tasks.test_engine import forever


class Thinker:
    """Counts how often it is asked to think; thinks until it is let go."""

    def __init__(self, thought: str = "thought") -> None:
        self._thought = thought
        self.begun = 0
        self.ended = 0
        self.go_on = asyncio.Event()

    async def __call__(self, message: object, turn: Turn) -> object:
        self.begun += 1
        try:
            await self.go_on.wait()
        finally:
            self.ended += 1
        return Finding(f"{self._thought} {self.begun}")


async def asker(message: object, turn: Turn) -> object:
    return await forever()


def asks(
    sender: Sender, agent: str = "thinker-0", *, step: str = "s", timeout_s: float = 5.0
) -> asyncio.Task[object]:
    assignment = Assignment(StepId(step), "think", "why?")

    async def ask() -> object:
        envelope = sender.envelope(
            await sender.replica_of(agent, frozenset()), Kind.ASK, assignment
        )
        envelope.task, envelope.step = TaskId("t"), assignment.step
        envelope.deadline_at = sender.clock.now() + timeout_s
        return await sender.ask(envelope)

    return asyncio.ensure_future(ask())


async def test_a_step_asked_for_again_while_it_runs_is_answered_to_both() -> None:
    thinker = Thinker()
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", asker)
        await cluster.add("asker-1", asker)
        host = await cluster.add("thinker-0", thinker)
        first = asks(cluster.senders["asker-0"])
        await until(lambda: thinker.begun == 1)
        second = asks(cluster.senders["asker-1"])
        await until(lambda: host.turns.attached == 1)

        thinker.go_on.set()

        assert await first == await second == Finding("thought 1")


async def test_a_step_goes_on_while_anybody_waits_for_it() -> None:
    thinker = Thinker()
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", asker)
        await cluster.add("asker-1", asker)
        host = await cluster.add("thinker-0", thinker)
        first = asks(cluster.senders["asker-0"])
        await until(lambda: thinker.begun == 1)
        second = asks(cluster.senders["asker-1"])
        await until(lambda: host.turns.attached == 1)

        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        thinker.go_on.set()

        assert await second == Finding("thought 1")


async def test_a_step_that_nobody_waits_for_any_longer_ends() -> None:
    thinker = Thinker()
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", asker)
        await cluster.add("thinker-0", thinker)
        asking = asks(cluster.senders["asker-0"])
        await until(lambda: thinker.begun == 1)

        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

        await until(lambda: thinker.ended == 1)


@pytest.mark.parametrize("replica", ["thinker-0", "thinker-1"])
async def test_a_step_that_was_done_is_answered_from_its_record(replica: str) -> None:
    thinker = Thinker()
    thinker.go_on.set()
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", asker)
        await cluster.add("thinker-0", thinker)
        await cluster.add("thinker-1", thinker)
        sender = cluster.senders["asker-0"]
        done = await asks(sender)

        assert await asks(sender, replica) == done
        assert thinker.begun == 1


async def test_what_failed_is_done_again() -> None:
    answers: list[object] = [Failure("agent_failed", "not today"), Finding("today")]

    async def answer(message: object, turn: Turn) -> object:
        return answers.pop(0)

    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", asker)
        await cluster.add("thinker-0", answer)
        sender = cluster.senders["asker-0"]
        with pytest.raises(AgentFailed, match="not today"):
            await asks(sender)

        assert await asks(sender) == Finding("today")


async def test_of_two_that_did_the_same_step_the_first_one_is_believed() -> None:
    first, second = Thinker("first"), Thinker("second")
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", asker)
        await cluster.add("thinker-0", first)
        late = await cluster.add("thinker-1", second)
        sender = cluster.senders["asker-0"]
        asked = [asks(sender, "thinker-0"), asks(sender, "thinker-1")]
        await until(lambda: first.begun == second.begun == 1)
        first.go_on.set()
        await asked[0]
        second.go_on.set()

        assert await asked[1] == await asked[0]
        assert late.records.fenced == 1


async def test_without_the_store_an_answer_goes_out_unrecorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thinker = Thinker()
    thinker.go_on.set()

    async def refuse(*_: object, **__: object) -> bool:
        raise StoreUnavailable("the store is gone")

    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", asker)
        await cluster.add("thinker-0", thinker)
        monkeypatch.setattr(cluster.store, "put_once", refuse)

        assert await asks(cluster.senders["asker-0"], timeout_s=1.0) == Finding("thought 1")


async def test_a_cancellation_that_overtakes_its_ask_is_not_forgotten() -> None:
    thinker = Thinker()
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", asker)
        await cluster.add("thinker-0", thinker)
        sender = cluster.senders["asker-0"]
        await warm(sender, thinker)
        envelope = sender.envelope(
            await sender.replica_of("thinker", frozenset()), Kind.ASK, Finding("x")
        )
        envelope.task, envelope.deadline_at = TaskId("t"), sender.clock.now() + 5.0
        asking = asyncio.ensure_future(sender.ask(envelope))

        sender.exchange.request_cancel(envelope, "it goes before the ask")

        with pytest.raises(Cancelled):
            await asking
        assert thinker.begun == 1


async def warm(sender: Sender, thinker: Thinker) -> None:
    """Have a link, so that both envelopes travel in one frame."""
    thinker.go_on.set()
    await asks(sender, step="warm")
    thinker.go_on.clear()
