"""Frames are bounded, lanes keep their order, a large body holds up nothing but its own lane."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kernel.delivery.packing import ENVELOPES_PER_FRAME_MAX, PART_BYTES, Assembler, Packer
from cluster.kernel.envelope import LANE_OF_KIND, Ack, Batch, Envelope, Kind, Lane, Part
from cluster.kernel.errors import WireError
from cluster.kernel.ids import AgentId, EnvelopeId

BODY_MAX = 8 * PART_BYTES
ACK = Ack(AgentId("b-0"), 1, AgentId("a-0"), 1, Lane.WORK, 1, 2)
kinds = st.sampled_from([Kind.CANCEL, Kind.REPLY, Kind.TELL])
sizes = st.one_of(
    st.integers(0, 2000), st.sampled_from([PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 5])
)


def envelope(number: int, size: int, kind: Kind = Kind.TELL) -> Envelope:
    return Envelope(
        EnvelopeId(number.to_bytes(16, "big")),
        AgentId("a-0"),
        AgentId("b-0"),
        kind,
        "x",
        bytes([number % 251]) * size,
        lane=LANE_OF_KIND[kind],
        seq=number,
    )


def frames_of(packer: Packer) -> list[Batch]:
    """All that a packer has to send."""
    return list(iter(lambda: packer.pack([]), None))


def size_of(frame: Batch) -> int:
    return sum(len(e.body) for e in frame.envelopes) + sum(len(p.data) for p in frame.parts)


@given(st.lists(st.tuples(kinds, sizes), max_size=12))
def test_each_lane_arrives_whole_and_in_order(things: list[tuple[Kind, int]]) -> None:
    sent = [envelope(n, size, kind) for n, (kind, size) in enumerate(things)]
    packer, assembler = Packer(), Assembler(BODY_MAX)
    packer.add(sent)

    frames = frames_of(packer)
    received = [each for frame in frames for each in assembler.assemble(frame).envelopes]

    for lane in Lane:
        assert [e for e in received if e.lane is lane] == [e for e in sent if e.lane is lane]
    assert all(size_of(frame) <= PART_BYTES for frame in frames)
    assert not packer.pack([])
    assert packer.size == 0


def test_an_answer_passes_between_the_parts_of_a_large_ask() -> None:
    packer = Packer()
    packer.add([envelope(1, 3 * PART_BYTES)])
    first = packer.pack([])
    packer.add([envelope(2, 10, Kind.REPLY), envelope(3, 10)])

    second = packer.pack([])

    assert first is not None
    assert [part.envelope for part in first.parts] == [None]
    assert second is not None
    assert [each.seq for each in second.envelopes] == [2]
    assert [each.seq for frame in frames_of(packer) for each in frame.envelopes] == [3]


def test_a_cancellation_overtakes_what_did_not_fit_the_last_frame() -> None:
    packer = Packer()
    packer.add([envelope(n, PART_BYTES // 2) for n in range(4)])
    packer.pack([])
    packer.add([envelope(9, 0, Kind.CANCEL)])

    frame = packer.pack([])

    assert frame is not None
    assert frame.envelopes[0].seq == 9


def test_small_envelopes_are_counted_too() -> None:
    packer = Packer()
    packer.add([envelope(n, 0) for n in range(ENVELOPES_PER_FRAME_MAX + 1)])

    assert [len(frame.envelopes) for frame in frames_of(packer)] == [ENVELOPES_PER_FRAME_MAX, 1]


def test_acks_go_without_envelopes_and_with_parts() -> None:
    packer = Packer()
    assert packer.pack([ACK]) == Batch((), (ACK,))
    packer.add([envelope(1, 2 * PART_BYTES)])

    frame = packer.pack([ACK])

    assert frame is not None
    assert frame.acks == (ACK,)
    assert len(frame.parts) == 1


def test_what_is_kept_for_sending_again_stays_whole() -> None:
    kept = envelope(1, 2 * PART_BYTES)
    packer = Packer()
    packer.add([kept])

    frames_of(packer)

    assert kept == envelope(1, 2 * PART_BYTES)


def test_a_body_over_the_limit_is_refused_before_it_is_complete() -> None:
    assembler = Assembler(3 * PART_BYTES)
    part = Batch(parts=(Part(Lane.WORK, bytes(PART_BYTES)),))
    for _ in range(3):
        assembler.assemble(part)

    with pytest.raises(WireError, match="over"):
        assembler.assemble(part)
