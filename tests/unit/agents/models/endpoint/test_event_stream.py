"""The data of events, however their bytes come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models.endpoint.event_stream import EventStream

WHOLE = (
    b'data: {"a": 1}\n\n: alive\n\nevent: x\ndata:two\ndata:  lines\n\n\ndata: [DONE]\n\ndata: half'
)
DATA = [b'{"a": 1}', b"two\n lines", b"[DONE]"]


def data_of(*blocks: bytes) -> list[bytes]:
    events = EventStream()
    return [data for block in blocks for data in events.feed(block)]


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


def test_an_event_whose_end_never_came_is_none() -> None:
    assert data_of(b"data: 1\n\ndata: 2\n") == [b"1"]
