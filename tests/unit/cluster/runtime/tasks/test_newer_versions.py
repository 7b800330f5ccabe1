"""What a newer version sends and journals is passed over or carried on, and breaks nothing."""

from __future__ import annotations

import pytest

from cluster.kernel.envelope import Envelope, Frame, Kind, Lane
from cluster.kernel.errors import Unsupported, WireError
from cluster.kernel.events import (
    Answered,
    Detail,
    Event,
    Failed,
    Submitted,
    Thought,
    UnknownDetail,
    shown,
)
from cluster.kernel.ids import NO_STEP, AgentId, TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Answer, Finding
from cluster.runtime.tasks.task_journal import EVENT, events_of
from cluster.runtime.turns.running_turn import RunningTurn
from cluster.wire.codec import frame_from_bytes, with_checksum
from cluster.wire.messages import PACKAGE, MessageCodec
from protos.v1 import agents_pb2, exchange_pb2
from tests.support.hosts import MemoryCluster, until
from tests.support.observers import Collected
from tests.support.puppet import Puppet, settle
from tests.unit.cluster.runtime.messaging.test_exchange import echo, make_ask
from tests.unit.cluster.runtime.tasks.test_engine import PlanningManager, find, step
from tests.unit.cluster.runtime.tasks.test_recovery import events_until_end

CODEC = MessageCodec()
TASK = TaskId("0" * 32)
OF_TOMORROW = bytes.fromhex("ca0c03") + b"new"
"""A field with the number 201, of three bytes."""


def stored(index: int, detail: bytes = OF_TOMORROW) -> bytes:
    """Return the entry of an event of a kind that was added later."""
    event = agents_pb2.Event(at_s=0.5, task=TASK, agent="manager-1", index=index)
    return event.SerializeToString() + detail


# ---- envelopes and frames ----------------------------------------------------------------------


async def test_an_envelope_of_an_unknown_kind_is_acknowledged_and_its_link_stands() -> None:
    async with Puppet() as puppet:
        connection = puppet.connect()
        connection.say(received(puppet, lane=2, kind=9))
        await settle()
        await puppet.exchange.stop()

        assert [ack.receipt for ack in connection.acks if ack.lane is Lane.REPLY] == [1]
        assert puppet.exchange.statistics.skipped == 1
        assert puppet.recorder.work == []


async def test_one_that_may_wait_for_an_answer_is_refused() -> None:
    async with Puppet() as puppet:
        connection = puppet.connect()
        connection.say(received(puppet, lane=3, kind=9))

        [(_, error)] = puppet.recorder.refused
        assert isinstance(error, Unsupported)
        assert not connection.is_closed


def received(puppet: Puppet, *, lane: int, kind: int) -> Frame:
    frame = exchange_pb2.Frame()
    made = frame.batch.envelopes.add(id=bytes(16), seq=1, sender_epoch=1, lane=lane, kind=kind)
    made.sender, made.recipient = "puppet-0", "us-0"
    return frame_from_bytes(with_checksum(frame.SerializeToString()), puppet.clock.now())


async def test_a_frame_of_an_unknown_kind_says_nothing_and_its_link_stands() -> None:
    async with Puppet() as puppet:
        connection = puppet.connect()
        connection.say(frame_from_bytes(with_checksum(OF_TOMORROW), 0.0))
        assert not connection.is_closed


@pytest.mark.parametrize("kind", [0, None])
def test_what_has_no_kind_at_all_is_still_an_error(kind: int | None) -> None:
    frame = exchange_pb2.Frame()
    if kind is not None:
        frame.batch.envelopes.add(id=bytes(16), seq=1, lane=3, kind=kind)
    with pytest.raises(WireError):
        frame_from_bytes(with_checksum(frame.SerializeToString()), 0.0)


# ---- messages ----------------------------------------------------------------------------------


def newer(envelope: Envelope) -> Envelope:
    envelope.body_type, envelope.body = f"{PACKAGE}Tomorrow", b"\x0a\x01x"
    return envelope


async def test_an_ask_of_an_unknown_message_is_answered_with_a_failure_that_says_why() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add("asker-0", echo)
        await cluster.add("echo-0", echo)
        with pytest.raises(Unsupported, match=r"echo-0 is of an older version.*Tomorrow"):
            await cluster.senders["asker-0"].ask(newer(make_ask(cluster, "echo-0")))


async def test_progress_of_an_unknown_message_is_skipped_and_counted() -> None:
    seen: list[object] = []

    async def talk(message: object, turn: Turn) -> object:
        assert isinstance(turn, RunningTurn)
        news = newer(turn.sender.envelope(AgentId("asker-0"), Kind.PROGRESS, Thought("")))
        news.cause = turn.work.asked.id
        turn.sender.exchange.post(news)
        turn.emit(Thought("hm"))
        return message

    async with MemoryCluster() as cluster:
        asker = await cluster.add("asker-0", echo)
        await cluster.add("talker-0", talk)
        observed = Collected(seen)
        answer = await cluster.senders["asker-0"].ask(make_ask(cluster, "talker-0"), observed)

    assert (seen, answer) == ([Thought("hm")], Finding("t"))
    assert asker.exchange.statistics.skipped == 1


async def test_a_tell_of_an_unknown_message_is_skipped_and_counted() -> None:
    begun: list[object] = []

    async def note(message: object, turn: Turn) -> object:
        begun.append(message)
        return None

    async with MemoryCluster() as cluster:
        asker = await cluster.add("asker-0", echo)
        told = await cluster.add("told-0", note)
        sender = cluster.senders["asker-0"]
        peer = asker.exchange.post(
            newer(sender.envelope(AgentId("told-0"), Kind.TELL, Finding("t")))
        )
        await until(lambda: not peer.undone_count)

    assert (begun, told.exchange.statistics.skipped) == ([], 1)


# ---- journals ----------------------------------------------------------------------------------


def test_an_event_of_an_unknown_kind_is_carried_on_as_it_is() -> None:
    [event] = events_of([stored(7)], CODEC)

    assert isinstance(event.detail, UnknownDetail)
    assert (event.index, event.agent, event.is_terminal) == (7, "manager-1", False)
    assert events_of([CODEC.encode(event)[1]], CODEC) == [event]
    assert OF_TOMORROW in CODEC.encode(event)[1]


@pytest.mark.parametrize("detail", [b"", b"\x12\x01x\x62\xff", bytes.fromhex("3801")])
def test_an_event_that_says_nothing_is_still_an_error(detail: bytes) -> None:
    with pytest.raises(WireError):
        CODEC.decode(EVENT, stored(1, detail))


async def test_a_task_with_an_unknown_event_is_adopted_and_goes_on_to_its_answer() -> None:
    async with MemoryCluster() as cluster:
        await cluster.add("researcher-0", find)
        submission = await accepted_by_a_newer_manager(cluster)
        await cluster.add_manager(PlanningManager(step("a")))
        engine = cluster.engines["manager-0"]
        while engine.tasks_running or not engine.statistics.adopted:
            await settle()
        events = events_of(await cluster.journal.read(submission), CODEC)

    assert [event.kind for event in events[:3]] == ["submitted", "unknown", "plan_ready"]
    assert [event.index for event in events] == list(range(1, len(events) + 1))
    assert shown(events[-1]).detail == Answered(Answer("Finding"))


async def accepted_by_a_newer_manager(cluster: MemoryCluster) -> TaskId:
    """Leave the open task of a Manager that is gone."""
    claim = await cluster.journal.claim(TASK, Owner(AgentId("manager-1"), 1))
    assert claim is not None
    now = cluster.clock.wall()
    detail = Submitted("why?", "", now, now + 20.0)
    submitted = CODEC.encode(Event(0.0, TASK, AgentId("manager-1"), NO_STEP, detail, 1))[1]
    await cluster.journal.append(TASK, claim.term, 1, [submitted])
    await cluster.journal.append(TASK, claim.term, 2, [stored(2)])
    return TASK


# ---- drivers -----------------------------------------------------------------------------------


async def events_from_a_manager_that_ends_with(detail: Detail) -> list[Event]:
    """Return what a driver shows of a task whose Manager is of a newer version."""

    async def manage(message: object, turn: Turn) -> object:
        assert isinstance(turn, RunningTurn)
        new = UnknownDetail(OF_TOMORROW)
        turn.show(Event(0.0, turn.task, turn.agent, NO_STEP, Submitted("why?"), 1))
        turn.show(Event(0.1, turn.task, turn.agent, NO_STEP, new, 2))
        turn.show(Event(0.1, turn.task, turn.agent, NO_STEP, new))
        return Event(0.2, turn.task, turn.agent, NO_STEP, detail, 3)

    async with MemoryCluster() as cluster:
        await cluster.add("manager-0", manage)
        return await events_until_end(await cluster.submit("why?", 20.0))


async def test_a_driver_shows_nothing_of_an_unknown_event() -> None:
    events = await events_from_a_manager_that_ends_with(Answered(Answer("so")))
    assert [(event.kind, event.index) for event in events] == [("submitted", 1), ("answered", 3)]


async def test_a_task_that_ends_in_an_unknown_way_says_so() -> None:
    *_, last = await events_from_a_manager_that_ends_with(UnknownDetail(OF_TOMORROW))
    assert isinstance(last.detail, Failed)
    assert last.detail.failure.kind == "unsupported"
