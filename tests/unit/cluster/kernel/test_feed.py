"""Cursors of a task's feed."""

from __future__ import annotations

import pytest

from cluster.kernel.feed import BEFORE_ALL, Cursor


def test_a_cursor_is_read_as_it_is_written() -> None:
    assert Cursor.parse(str(Cursor(3, 42))) == Cursor(3, 42)


def test_what_a_later_owner_has_written_comes_later() -> None:
    assert BEFORE_ALL < Cursor(1, 1) < Cursor(1, 10) < Cursor(2, 1)


@pytest.mark.parametrize("text", ["", "1", "1.", "1.2.3", "-1.2", "1.2 ", "a.b", "1" * 30 + ".1"])
def test_another_text_is_no_cursor(text: str) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        Cursor.parse(text)
