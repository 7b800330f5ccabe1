"""The data of events, however their bytes come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models.endpoint.event_stream import EventStream, StreamEvent

WHOLE = (
    b'data: {"a": 1}\n\n: alive\n\nevent: x\ndata:two\ndata:  lines\n\n\ndata: [DONE]\n\ndata: half'
)
DATA = [b'{"a": 1}', b"two\n lines", b"[DONE]"]


def data_of(*blocks: bytes) -> list[bytes]:
    events = EventStream()
    return [event.data for block in blocks for event in events.feed(block)]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_data_is_read_whatever_ends_a_line(line_end: bytes) -> None:
    assert data_of(WHOLE.replace(b"\n", line_end)) == DATA


@given(
    line_end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    cuts=st.lists(st.integers(0, len(WHOLE) + 12), max_size=8),
)
def test_it_does_not_matter_where_the_bytes_are_cut(line_end: bytes, cuts: list[int]) -> None:
    body = WHOLE.replace(b"\n", line_end)
    ends = [*sorted(cuts), len(body)]
    blocks = [body[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    assert data_of(*blocks) == DATA


def test_an_event_whose_end_never_came_is_told_at_the_end() -> None:
    events = EventStream()

    assert [event.data for event in events.feed(b"data: 1\n\nid: 7\ndata: 2\n")] == [b"1"]
    assert events.close() == StreamEvent(b"2")
    assert events.close() is None


@pytest.mark.parametrize(
    "alive",
    [
        b": ping\n\n",
        b":\n\n",
        b"id: 7\nretry: 9\n\n",
        b"event: ping\n\n",
        b"data\n\n",
        b"data: \n\n",
    ],
)
def test_an_event_without_data_is_passed_over(alive: bytes) -> None:
    assert data_of(alive, b"data: 1\n\n", alive, alive, b"data: 2\n\n") == [b"1", b"2"]


def test_a_comment_within_data_is_no_part_of_it() -> None:
    assert data_of(b'data: {"a":\n: ping\nid: 9\ndata: 1}\n\n') == [b'{"a":\n1}']


@pytest.mark.parametrize("said", [b"event: error\ndata: {}\n\n", b"error: {}\n\n"])
def test_an_event_may_be_named_an_error(said: bytes) -> None:
    assert list(EventStream().feed(said)) == [StreamEvent(b"{}", is_error=True)]


def test_an_object_where_a_field_should_stand_is_data() -> None:
    assert data_of(b'data: 1\n\n{"error": "gone"}\n\n') == [b"1", b'{"error": "gone"}']
