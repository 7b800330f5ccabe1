"""What may be a key or a topic, and how whoever has passed something else is told."""

from __future__ import annotations

from typing import Any

import pytest

from cluster.kernel.errors import UsageError
from cluster.kernel.state.names import NAME_CHARS_MAX, checked_part, checked_topic


@pytest.mark.parametrize("part", ["north", "north of here", "größer", "x" * NAME_CHARS_MAX, ""])
def test_what_can_be_read_is_a_part_of_a_name(part: str) -> None:
    assert checked_part(part, "a key") == part


@pytest.mark.parametrize("part", ["a/b", "a\nb", "\0", "x" * (NAME_CHARS_MAX + 1), 5, None, b"a"])
def test_anything_else_is_refused_as_what_it_was_meant_to_be(part: Any) -> None:
    with pytest.raises(UsageError, match=r"^a key of shared state"):
        checked_part(part, "a key of shared state")


@pytest.mark.parametrize("topic", ["", "a/b", "a\nb", "x" * 201, 5])
def test_what_can_t_be_a_topic_is_refused_as_a_topic(topic: Any) -> None:
    with pytest.raises(UsageError, match=r"^a topic "):
        checked_topic(topic)
