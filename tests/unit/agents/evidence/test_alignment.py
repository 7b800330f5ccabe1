"""What differs between a sentence and one of a source that is near to it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from agents.evidence.alignment import Alignment, Reason
from agents.evidence.words import words
from tests.unit.agents.evidence.test_sentences import TEXTS


def laid(claim: str, source: str, known: str = "") -> Alignment:
    return Alignment(words(claim), words(source), frozenset(word.key for word in words(known)))


SOURCE = "After 30 minutes the Zephyr cache evicts the oldest of its 512 entries from local memory."


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (SOURCE.replace("512", "1024"), Reason.NUMBER),
        (SOURCE.replace("minutes", "hours"), Reason.UNIT),
        (SOURCE.replace("Zephyr", "Boreas"), Reason.NAME),
        (SOURCE.replace("evicts", "never evicts"), Reason.NEGATION),
        (SOURCE.replace("evicts", "mostly evicts"), Reason.LIMIT),
        (SOURCE.replace("After", "Before"), Reason.LIMIT),
        (SOURCE.replace("oldest", "newest"), Reason.WORD),
        (SOURCE.replace("local memory", "memory of local"), Reason.ORDER),
        (SOURCE.replace("cache", "entries").replace("512 entries", "512 cache"), Reason.ORDER),
    ],
)
def test_what_is_said_otherwise_has_its_reason(claim: str, reason: Reason) -> None:
    assert reason in laid(claim, SOURCE).faults


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("The cache holds 512 entries.", "The cache holds 512 entries, and readers wait."),
        (
            "Readers wait for the lock.",
            "The cache holds 512 entries, and readers wait for the lock.",
        ),
        ("The cache of the team is new.", "The cache of a team is new."),
        ("The lock is reentrant.", "The lock, which is reentrant, guards the table."),
    ],
)
def test_a_clause_of_the_source_has_no_fault(claim: str, source: str) -> None:
    assert laid(claim, source).faults == frozenset()


def test_a_clause_is_verbatim_and_one_torn_out_is_not() -> None:
    source = "The manager lets the coder run the programs."

    assert laid("The manager lets the coder run the programs.", source).is_verbatim
    assert not laid("The coder run the programs.", source).is_verbatim


def test_known_words_may_be_added() -> None:
    source = "The cache holds 512 entries."

    assert Reason.NAME in laid("The cache Zephyr holds 512 entries.", source).faults
    assert laid("The cache Zephyr holds 512 entries.", source, "Zephyr").faults == frozenset()


def test_a_phrase_may_move_as_a_whole() -> None:
    found = laid("The bridge was built in Oslo in 1990.", "In 1990, the bridge was built in Oslo.")

    assert found.faults == frozenset()


def test_a_lead_in_says_nothing() -> None:
    assert laid("Instead, the cache is new.", "The cache is new.").faults == frozenset()


def test_a_condition_must_not_be_left_out() -> None:
    found = laid("The write is safe.", "The write is safe if the lock is held.")

    assert Reason.LIMIT in found.faults


def test_closeness_is_the_share_of_words_in_order() -> None:
    assert laid("one two three four", "one two nine four").closeness == 0.75
    assert laid("Alpha beta.", "Gamma delta.").closeness == 0


@settings(deadline=None, max_examples=200)
@given(TEXTS)
def test_a_sentence_lies_along_itself(text: str) -> None:
    found = words(text)

    if found:
        along = Alignment(found, found, frozenset())
        assert (along.closeness, along.missing) == (1.0, 0)
        assert (along.faults, along.is_verbatim) == (frozenset(), True)
