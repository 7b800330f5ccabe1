"""Three-way merges of lines: both sides' changes, once each, or a conflict."""

from __future__ import annotations

import pytest
from hypothesis import given

from cluster.kernel.state.text_merge import TextMerge, merged
from cluster.kernel.state.values import Value
from tests.support.state_values import TEXTS

BASE = "one\ntwo\nthree\nfour\nfive\n"


def test_changes_of_different_lines_are_both_there() -> None:
    mine, theirs = BASE.replace("one", "ONE"), BASE.replace("five", "FIVE")

    assert merged(BASE, mine, theirs).text == "ONE\ntwo\nthree\nfour\nFIVE\n"


def test_a_change_that_both_made_is_made_once() -> None:
    both = BASE.replace("two", "2")

    assert merged(BASE, f"zero\n{both}", f"{both}six\n").text == f"zero\n{both}six\n"


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [
        (BASE.replace("two", "2"), BASE.replace("two", "zwei")),
        (BASE.replace("two", "2"), BASE.replace("two\n", "")),
        (BASE.replace("two", "2"), BASE.replace("three", "3")),  # no line between them is left
        (f"{BASE}mine\n", f"{BASE}theirs\n"),  # nobody knows which comes first
    ],
)
def test_what_meets_is_a_conflict_and_keeps_their_text(mine: str, theirs: str) -> None:
    assert merged(BASE, mine, theirs) == TextMerge(theirs, is_conflicting=True)
    assert merged(BASE, theirs, mine) == TextMerge(mine, is_conflicting=True)


@pytest.mark.parametrize(
    ("base", "mine", "theirs", "text"),
    [
        ("a\nb\nc", "A\nb\nc", "a\nb\nc\n", "A\nb\nc\n"),
        ("a\nb\nc\n", "A\nb\nc\n", "a\nb\nc", "A\nb\nc"),
        ("", "a", "", "a"),
        ("a\r\nb\r\nc\r\n", "A\r\nb\r\nc\r\n", "a\r\nb\r\nC\r\n", "A\r\nb\r\nC\r\n"),
        ("a\x0cb\nm\nz\n", "a\x0cB\nm\nz\n", "a\x0cb\nm\nZ\n", "a\x0cB\nm\nZ\n"),
    ],
)
def test_only_newlines_part_lines_and_the_last_one_is_kept(
    base: str, mine: str, theirs: str, text: str
) -> None:
    assert merged(base, mine, theirs) == TextMerge(text)


def test_a_thousand_equal_lines_take_no_longer_than_others() -> None:
    base = "\n" * 3_000

    assert merged(base, f"a{base}", f"{base}b").text == f"a{base}b"
    assert merged(f"{base}x{base}", f"a{base}y{base}", f"{base}z{base}b").is_conflicting


@given(TEXTS, TEXTS)
def test_what_one_side_changed_is_taken_and_what_both_changed_alike(base: Value, x: Value) -> None:
    assert isinstance(base, str)
    assert isinstance(x, str)

    assert merged(base, x, base) == merged(base, base, x) == merged(base, x, x) == TextMerge(x)


@given(TEXTS, TEXTS, TEXTS)
def test_it_does_not_matter_whose_change_came_first(base: Value, x: Value, y: Value) -> None:
    assert isinstance(base, str)
    assert isinstance(x, str)
    assert isinstance(y, str)

    one, other = merged(base, x, y), merged(base, y, x)

    assert one.is_conflicting is other.is_conflicting
    assert one.is_conflicting or one.text == other.text
