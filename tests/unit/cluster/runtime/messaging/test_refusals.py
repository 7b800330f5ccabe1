"""Whatever is refused reaches its asker as the class it is, with that class's own data."""

from __future__ import annotations

import asyncio

import pytest

from cluster.kernel.delivery.sequence import CREDIT_WINDOW
from cluster.kernel.envelope import Batch, Envelope, Kind
from cluster.kernel.errors import (
    Cancelled,
    ClusterError,
    DeadLettered,
    DeadlinePassed,
    Overloaded,
    PeerUnavailable,
    StaleEpoch,
    Stopped,
    TooLarge,
    UnknownRecipient,
    Unsupported,
)
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Failure, Finding
from cluster.runtime.messaging.asks import FAILURE_TYPE
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.turns.runner import QUEUED_MAX
from cluster.wire.codec import BODY_BYTES_MAX
from cluster.wire.failure import error_from_failure, failure_from_error
from cluster.wire.messages import MessageCodec
from tests.support.hosts import MemoryCluster, until
from tests.support.puppet import PUPPET, Puppet, settle


async def echo(message: object, turn: Turn) -> object:
    return message


def make_ask(
    sender: Sender, recipient: str, task: str = "t", *, timeout_s: float = 5.0
) -> Envelope:
    envelope = sender.envelope(AgentId(recipient), Kind.ASK, Finding(task))
    envelope.task, envelope.step = TaskId(task), StepId("s")
    envelope.deadline_at = sender.clock.now() + timeout_s
    return envelope


@pytest.mark.parametrize(
    "error",
    [
        UnknownRecipient("nobody"),
        PeerUnavailable("away"),
        Overloaded("full", 2.5),
        TooLarge("too much"),
        DeadlinePassed("late"),
        Stopped("stopping"),
        DeadLettered("given up"),
        Unsupported("too old"),
        StaleEpoch("older"),
    ],
    ids=lambda error: error.kind,
)
def test_a_refusal_survives_the_wire_with_its_class_and_data(error: ClusterError) -> None:
    codec = MessageCodec()

    failure = codec.decode(*codec.encode(failure_from_error(error)))
    assert isinstance(failure, Failure)
    again = error_from_failure(failure)

    assert (type(again), again.args) == (type(error), error.args)
    assert failure.is_retryable == error.is_retryable


async def test_a_full_mailbox_says_when_to_try_again() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)

        async def refuse(message: object, turn: Turn) -> object:
            raise Overloaded("the Manager has its fill", 7.5)

        await cluster.add("full-0", refuse)
        sender = cluster.senders["asker-0"]

        with pytest.raises(Overloaded) as caught:
            await sender.ask(make_ask(sender, "full-0"))

    assert caught.value.retry_after_s == 7.5


async def test_an_answer_over_the_limit_is_answered_as_too_large() -> None:
    async def say_much(message: object, turn: Turn) -> object:
        return Finding("x" * (BODY_BYTES_MAX + 1))

    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        await cluster.add("talker-0", say_much)
        sender = cluster.senders["asker-0"]

        with pytest.raises(TooLarge):
            await sender.ask(make_ask(sender, "talker-0"))


async def test_an_ask_that_arrives_after_its_deadline_is_answered_and_never_starts() -> None:
    started: list[object] = []

    async def note(message: object, turn: Turn) -> object:
        started.append(message)
        return message

    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        await cluster.add("noter-0", note)
        sender = cluster.senders["asker-0"]

        with pytest.raises(DeadlinePassed, match="before the turn started"):
            await sender.ask(make_ask(sender, "noter-0", timeout_s=0.0), grace_s=5.0)

    assert started == []


async def test_an_ask_for_an_agent_that_lives_elsewhere_is_refused_and_the_link_lives() -> None:
    async with Puppet() as puppet:
        connection = puppet.connect()
        stray = puppet.envelope(7, Kind.ASK)
        stray.recipient = AgentId("elsewhere-0")
        wanted = puppet.envelope(1)

        connection.say(Batch((stray, wanted)))

        assert not connection.is_closed
        [(refused, error)] = puppet.recorder.refused
        assert (refused.id, type(error)) == (stray.id, UnknownRecipient)
        assert [e.id for e in puppet.recorder.work] == [wanted.id]
        assert puppet.exchange.statistics.refused == {"unknown_recipient": 1}


async def test_a_host_answers_for_an_agent_that_does_not_live_there() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        await cluster.add("echo-0", echo)
        sender = cluster.senders["asker-0"]
        await sender.ask(make_ask(sender, "echo-0"))
        envelope = make_ask(sender, "echo-0")
        other = asyncio.ensure_future(sender.ask(make_ask(sender, "echo-0")))
        asking = asyncio.ensure_future(sender.ask(envelope))
        await asyncio.sleep(0)  # the first of them has gone, the second is queued
        envelope.recipient = AgentId("ghost-0")  # as where a directory is out of date

        with pytest.raises(UnknownRecipient, match="ghost-0 does not live here, echo-0 does"):
            await asking
        await other


@pytest.mark.parametrize(
    ("sender", "body_type", "is_taken"),
    [
        (PUPPET, "fleetmind.v1.Finding", True),
        (AgentId("other-0"), "fleetmind.v1.Finding", False),
        (AgentId("other-0"), FAILURE_TYPE, True),
    ],
    ids=["who-was-asked", "another", "another-that-refuses"],
)
async def test_an_answer_is_taken_from_who_was_asked_only(
    sender: AgentId,
    body_type: str,
    is_taken: bool,  # noqa: FBT001 - what is expected
) -> None:
    async with Puppet() as puppet:
        puppet.connect()
        other = puppet.connect(AgentId("other-0"))
        ask = puppet.make_ask(1)
        asking = asyncio.ensure_future(puppet.exchange.ask(ask))
        await settle()
        reply = puppet.envelope(1, Kind.REPLY)
        reply.sender, reply.cause, reply.body_type = sender, ask.id, body_type

        (other if sender != PUPPET else puppet.connect()).say(Batch((reply,)))
        await settle()

        assert asking.done() == is_taken
        asking.cancel()


async def test_an_envelope_of_somebody_at_the_other_end_of_no_link_ends_this_one() -> None:
    async with Puppet() as puppet:
        connection = puppet.connect()
        foreign = puppet.envelope(1)
        foreign.sender = AgentId("other-0")

        connection.say(Batch((foreign,)))

        assert connection.is_closed
        assert puppet.recorder.work == []


async def test_an_answer_to_an_asker_that_was_given_up_is_not_sent() -> None:
    async with Puppet() as puppet:
        connection = puppet.connect()
        ask = puppet.envelope(1, Kind.ASK)
        connection.say(Batch((ask,)))
        puppet.epoch = 2
        again = puppet.connect()

        reply = puppet.make_ask(9)
        reply.kind, reply.cause = Kind.REPLY, ask.id
        puppet.exchange.answer(ask, reply)
        await settle()

        assert again.envelopes == []


class Crowd:
    """Askers that fill the mailbox of one agent that answers nobody until it is let."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster
        self.gate = asyncio.Event()
        self.asks: list[tuple[Envelope, asyncio.Task[object]]] = []

    async def wait(self, message: object, turn: Turn) -> object:
        await self.gate.wait()
        return message

    async def fill(self, recipient: str, askers: int, asks: int) -> None:
        for number in range(askers):
            await self._cluster.add(f"asker-{number}", echo)
            sender = self._cluster.senders[f"asker-{number}"]
            for ask in range(asks):
                self.ask(sender, recipient, f"{number}-{ask}")

    def ask(self, sender: Sender, recipient: str, task: str) -> asyncio.Task[object]:
        envelope = make_ask(sender, recipient, task, timeout_s=60.0)
        asking = asyncio.ensure_future(sender.ask(envelope))
        self.asks.append((envelope, asking))
        return asking


async def test_a_full_mailbox_refuses_more_lets_control_pass_and_harms_no_other() -> None:
    async with MemoryCluster() as cluster:
        crowd = Crowd(cluster)
        slow = await cluster.add("slow-0", crowd.wait, concurrency=1)
        await cluster.add("echo-0", echo)
        await crowd.fill("slow-0", QUEUED_MAX // CREDIT_WINDOW, CREDIT_WINDOW)
        sender = cluster.senders["asker-0"]
        crowd.ask(sender, "slow-0", "one-more-for-the-turn")
        await until(lambda: slow.turns.load == QUEUED_MAX + 1)

        late = await cluster.add("late-0", echo)
        refused = crowd.ask(cluster.senders["late-0"], "slow-0", "refused")
        with pytest.raises(Overloaded):
            await refused
        assert await crowd.ask(sender, "echo-0", "elsewhere") == Finding("elsewhere")
        waiting, answer = crowd.asks[CREDIT_WINDOW + 3]
        cluster.senders[waiting.sender].exchange.request_cancel(waiting, "changed my mind")
        with pytest.raises(Cancelled):
            await answer

        assert late.exchange.statistics.refused == {}
        crowd.gate.set()
        await asyncio.gather(*(each for _, each in crowd.asks), return_exceptions=True)


async def test_more_refusals_than_the_window_holds_use_up_no_credit() -> None:
    async with MemoryCluster() as cluster:
        crowd = Crowd(cluster)
        slow = await cluster.add("slow-0", crowd.wait, concurrency=1)
        await crowd.fill("slow-0", QUEUED_MAX // CREDIT_WINDOW, CREDIT_WINDOW)
        crowd.ask(cluster.senders["asker-0"], "slow-0", "one-more-for-the-turn")
        await until(lambda: slow.turns.load == QUEUED_MAX + 1)
        await cluster.add("late-0", echo)

        for number in range(CREDIT_WINDOW + 10):
            with pytest.raises(Overloaded):
                await crowd.ask(cluster.senders["late-0"], "slow-0", f"refused-{number}")

        crowd.gate.set()
        await asyncio.gather(*(each for _, each in crowd.asks), return_exceptions=True)
        assert await crowd.ask(cluster.senders["late-0"], "slow-0", "now") == Finding("now")
