"""What a sentence denies must be denied by its sources, and the reverse."""

from __future__ import annotations

import pytest

from agents.evidence.denials import is_denied_otherwise
from agents.evidence.words import words


@pytest.mark.parametrize(
    ("claim", "source", "is_so"),
    [
        ("The pool is not shared.", "The pool is shared between threads.", True),
        ("The pool is shared by threads.", "The pool of threads is not shared.", True),
        ("The pool is not shared.", "The pool is not shared between threads.", False),
        ("The pool is not a queue.", "The pool is shared between threads.", False),
    ],
)
def test_a_word_is_denied_on_one_side_only(
    claim: str,
    source: str,
    is_so: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert is_denied_otherwise(words(claim), [words(source)], frozenset()) is is_so


def test_what_is_asked_about_may_be_denied() -> None:
    claim, source = words("The pool is not shared."), words("The pool is shared between threads.")

    assert not is_denied_otherwise(claim, [source], frozenset({"share"}))


def test_a_unit_about_something_else_denies_nothing() -> None:
    claim, source = words("A pool is shared."), words("Without locks nothing is not shared.")

    assert not is_denied_otherwise(claim, [source], frozenset())
    assert is_denied_otherwise(claim, [source], frozenset(), shared_min=1)
