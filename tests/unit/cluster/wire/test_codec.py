"""Frames survive the wire; anything else ends in a wire error, never in another exception."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kernel.envelope import (
    Ack,
    Batch,
    Envelope,
    Frame,
    Goodbye,
    Hello,
    Kind,
    Lane,
    Resident,
    Trust,
)
from cluster.kernel.errors import TooLarge, WireError
from cluster.kernel.ids import AgentId, EnvelopeId, StepId, TaskId
from cluster.wire.codec import BODY_BYTES_MAX, check_body, frame_from_bytes, frame_to_bytes

names = st.text(min_size=1, max_size=20)
counters = st.integers(min_value=1, max_value=2**63)
envelopes = st.builds(
    Envelope,
    id=st.binary(min_size=16, max_size=16).map(EnvelopeId),
    sender=names.map(AgentId),
    recipient=names.map(AgentId),
    kind=st.sampled_from(Kind),
    body_type=names,
    body=st.binary(max_size=50),
    task=names.map(TaskId),
    step=names.map(StepId),
    cause=st.binary(max_size=16).map(EnvelopeId),
    lane=st.sampled_from(Lane),
    trust=st.sampled_from(Trust),
    traceparent=names,
    saw=st.binary(max_size=50),
    sender_epoch=counters,
    seq=counters,
    attempt=st.integers(min_value=1, max_value=2**31),
)
acks = st.builds(
    Ack,
    names.map(AgentId),
    counters,
    names.map(AgentId),
    counters,
    st.sampled_from(Lane),
    counters,
    counters,
    st.lists(counters, max_size=5).map(tuple),
)
frames = st.one_of(
    st.builds(Batch, st.lists(envelopes, max_size=3).map(tuple), st.lists(acks).map(tuple)),
    st.builds(
        Hello,
        st.integers(min_value=0, max_value=9),
        st.lists(st.builds(Resident, names.map(AgentId), counters), max_size=3).map(tuple),
        names,
        st.lists(st.builds(Resident, names.map(AgentId), counters, counters)).map(tuple),
    ),
    st.builds(Goodbye, names),
)


@given(frames)
def test_a_frame_survives_the_wire(frame: Frame) -> None:
    assert frame_from_bytes(frame_to_bytes(frame, 0.0), 0.0) == frame


@given(st.binary(max_size=300))
def test_random_bytes_end_in_a_frame_or_a_wire_error(data: bytes) -> None:
    try:
        frame_from_bytes(data, 0.0)
    except WireError:
        return


@given(frames, st.data())
def test_a_damaged_frame_ends_in_a_frame_or_a_wire_error(frame: Frame, data: st.DataObject) -> None:
    whole = bytearray(frame_to_bytes(frame, 0.0))
    if whole:
        whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        frame_from_bytes(bytes(whole), 0.0)
    except WireError:
        return


def test_a_deadline_travels_as_remaining_time() -> None:
    sent = Envelope(
        EnvelopeId(bytes(16)),
        AgentId("a"),
        AgentId("b"),
        Kind.ASK,
        "",
        b"",
        seq=1,
        deadline_at=107.0,
    )

    received = frame_from_bytes(frame_to_bytes(Batch((sent,)), 100.0), 5000.0)

    assert isinstance(received, Batch)
    assert received.envelopes[0].deadline_at == pytest.approx(5007.0)


def test_a_deadline_that_has_passed_arrives_as_passed_even_where_no_time_goes_by() -> None:
    sent = Envelope(
        EnvelopeId(bytes(16)), AgentId("a"), AgentId("b"), Kind.ASK, "", b"", seq=1, deadline_at=0.0
    )

    received = frame_from_bytes(frame_to_bytes(Batch((sent,)), 0.0), 0.0)

    assert isinstance(received, Batch)
    assert received.envelopes[0].deadline_at == 0.0


def test_a_body_over_the_limit_is_refused_before_it_is_sent() -> None:
    with pytest.raises(TooLarge):
        check_body(bytes(BODY_BYTES_MAX + 1))
