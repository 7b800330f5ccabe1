"""Names in braces: what is replaced, and what of a program's text is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.workflows.placeholders import UnknownPlaceholder, escaped, filled


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("{a} and {b_2}", "one and {a}"),
        ('{"a": {"b": 1}} {} { a } {A}', '{"a": {"b": 1}} {} { a } {A}'),
        ("f'{{a}}' {{a}", "f'{a}' {one"),
        ("{{{a}}}", "{{a}}"),
    ],
)
def test_only_a_name_in_braces_is_replaced_and_once(text: str, result: str) -> None:
    assert filled(text, {"a": "one", "b_2": "{a}"}) == result


def test_a_name_that_is_no_input_is_said() -> None:
    with pytest.raises(UnknownPlaceholder, match="topik"):
        filled("{topik}", {"topic": "x"})


@given(st.text("{}ab1_ "))
def test_what_is_escaped_is_filled_to_itself(text: str) -> None:
    assert filled(escaped(text), {"a": "x"}) == text
