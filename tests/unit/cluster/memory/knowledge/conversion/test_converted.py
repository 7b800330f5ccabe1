"""What a file gave, or why it gave nothing, goes between the processes as a line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.memory.knowledge.conversion.converted import (
    Converted,
    Unconvertible,
    from_line,
    to_line,
)
from cluster.memory.knowledge.omissions import Omission


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_a_text_survives_the_way_as_one_line(parts: list[str]) -> None:
    converted = Converted("text", tuple(parts), is_paged=True)

    line = to_line(converted)

    assert line.count(b"\n") == 1
    assert from_line(line) == converted


def test_what_no_store_takes_is_replaced_or_left_out() -> None:
    line = to_line(Converted("text", ("a\0b\ud800c",)))

    assert from_line(line).parts == ("ab?c",)


@pytest.mark.parametrize("omission", Omission)
def test_a_reason_is_raised_again(omission: Omission) -> None:
    with pytest.raises(Unconvertible) as caught:
        from_line(to_line(omission))

    assert caught.value.omission is omission


@pytest.mark.parametrize("line", [b"", b"{", b"{}", b'{"omission": "unheard of"}'])
def test_what_is_no_outcome_is_an_error(line: bytes) -> None:
    with pytest.raises((ValueError, KeyError)):
        from_line(line)
