"""Agents and records of before there was `Saw`: nobody knows what they read, and all goes on."""

from __future__ import annotations

import pytest

from cluster.kernel.errors import WireError
from cluster.kernel.events import Event, StepFinished
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.reads import Reads, Saw
from cluster.kernel.vocabulary import Assignment, Finding
from cluster.runtime.messaging.sender import SAW
from cluster.runtime.tasks.task_journal import EVENT
from cluster.wire.messages import MessageCodec, unpack
from protos.v1 import agents_pb2

CODEC = MessageCodec()


def finished(proto: agents_pb2.StepFinished) -> StepFinished:
    sent = agents_pb2.Event(task="t", agent="a-0", step="a", step_finished=proto, index=1)
    event = CODEC.decode(EVENT, sent.SerializeToString())
    assert isinstance(event, Event)
    assert isinstance(event.detail, StepFinished)
    return event.detail


def test_a_step_that_an_older_version_has_finished_saw_what_nobody_knows() -> None:
    assert finished(agents_pb2.StepFinished(outcome="finished")).saw is None


def test_a_step_that_read_nothing_says_so() -> None:
    read = StepFinished("finished", value=Finding("found"), saw=Reads().saw())
    event = Event(0.0, TaskId("t"), AgentId("a-0"), StepId("a"), read, 1)
    assert CODEC.decode(*CODEC.encode(event)) == event
    assert CODEC.encode(Reads().saw()) != (SAW, b""), "an answer would seem to say nothing of it"


def test_a_record_of_an_older_version_says_nothing_of_what_was_read() -> None:
    record = agents_pb2.Packed(type="example", body=b"done").SerializeToString()
    assert unpack(record) == ("example", b"done", b"")


def test_an_assignment_of_an_older_version_is_no_redo() -> None:
    sent = agents_pb2.Assignment(step="a", instruction="do a", goal="why?").SerializeToString()
    message = CODEC.decode("fleetmind.v1.Assignment", sent)
    assert isinstance(message, Assignment)
    assert (message.redo, message.turn_step) == (0, "a")


def test_a_saw_of_a_newer_version_is_read_as_far_as_it_is_known() -> None:
    newer = agents_pb2.Saw(is_whole=True).SerializeToString() + b"\xfa\x06\x01x"
    assert CODEC.decode(SAW, newer) == Saw()


def test_a_saw_that_is_none_is_refused() -> None:
    with pytest.raises(WireError):
        CODEC.decode(SAW, b"\xff\xff")
