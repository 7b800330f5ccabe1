"""How much of a sentence stands in passages that were laid out once."""

from __future__ import annotations

from hypothesis import given, settings

from agents.evidence.features import NAMES, Measured, Sources
from agents.evidence.words import words
from tests.unit.agents.evidence.test_sentences import TEXTS

CACHE = "The Zephyr cache holds 512 entries. It evicts the oldest entry after 30 minutes."
LOCK = "Readers never block writers. A lock guards the table."
BOTH = Sources([(CACHE, "Zephyr > Limits"), (LOCK, "")])


def measured(claim: str, mask: int = 0b11) -> Measured:
    return BOTH.measure(words(claim), mask)


def test_units_are_the_sentences_of_all_passages() -> None:
    assert [(unit.source, unit.words[0].raw) for unit in BOTH.units] == [
        (0, "The"),
        (0, "It"),
        (1, "Readers"),
        (1, "A"),
    ]
    assert BOTH.language == "en"


def test_a_sentence_of_a_passage_has_all_features_at_one() -> None:
    found = measured("The Zephyr cache holds 512 entries.")

    assert found.features == (1.0, 1.0, 1.0)
    assert (found.near[0], found.window) == (0, (0, 1))


def test_features_fall_with_what_is_said_elsewhere_or_nowhere() -> None:
    near, mixed, far = (
        measured(each).features
        for each in (
            "The Zephyr cache holds 512 entries.",
            "The Zephyr cache blocks writers.",
            "Paris is a city.",
        )
    )

    assert all(a > b > c for a, b, c in zip(near, mixed, far, strict=True))


def test_only_the_passages_of_the_mask_are_looked_at() -> None:
    assert measured("Readers never block writers.", 0b10).near[0] == 2
    assert measured("Readers never block writers.", 0b01).near == ()
    assert measured("Readers never block writers.", 0b01).features[:2] == (0.0, 0.0)


def test_a_window_does_not_reach_over_two_passages() -> None:
    found = measured("It evicts the oldest entry and readers never block writers.")

    assert len({BOTH.units[at].source for at in found.window}) == 1


def test_a_word_is_known_to_be_in_a_passage() -> None:
    assert BOTH.has("512", 0b01)
    assert not BOTH.has("512", 0b10)
    assert not BOTH.has("513", 0b11)


def test_without_passages_nothing_is_measured() -> None:
    assert Sources([]).measure(words("It is so."), 0) == Measured((0.0,) * len(NAMES), (), ())


@settings(deadline=None, max_examples=100)
@given(TEXTS, TEXTS)
def test_features_are_shares(text: str, claim: str) -> None:
    sources = Sources([(text, claim), (claim, "")])
    found = words(claim, sources.language)

    if found:
        assert all(0 <= each <= 1 for each in sources.measure(found, 0b11).features)
