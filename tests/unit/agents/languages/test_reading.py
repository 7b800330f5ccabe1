"""What differs between languages where a text is read: words, numbers, ends of sentences."""

from __future__ import annotations

import pytest

from agents.evidence.sentences import split
from agents.evidence.words import words


def keys(sentence: str, language: str) -> list[str]:
    return [word.key for word in words(sentence, language)]


@pytest.mark.parametrize(
    ("sentence", "language"),
    [
        ("每个条目在45分钟后过期。", "zh"),
        ("項目は45分後に失効します。", "ja"),
        ("它有 Zephyr 45版。", "zh"),
    ],
)
def test_a_number_between_characters_is_a_number(sentence: str, language: str) -> None:
    assert "45" in [word.raw for word in words(sentence, language) if word.kind == "number"]


def test_a_name_ends_where_characters_begin() -> None:
    assert [word.raw for word in words("Redis是T4传感器", "zh")] == [
        "Redis",
        *"是",
        "T4",
        *"传感器",
    ]


@pytest.mark.parametrize(
    ("sentence", "denies"),
    [
        ("次の版を待たず、公開されます。", True),
        ("次の版を待たずに公開されます。", True),
        ("必ず、公開されます。", False),
        ("まず、公開されます。", False),
    ],
)
def test_a_japanese_verb_that_ends_in_zu_denies(
    sentence: str,
    denies: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert ("not" in keys(sentence, "ja")) is denies


@pytest.mark.parametrize(
    ("one", "other"),
    [("geht", "gehen"), ("bricht", "brechen"), ("misst", "messen"), ("liest", "lesen")],
)
def test_a_german_verb_has_one_key(one: str, other: str) -> None:
    assert keys(f"Sie {one}", "de")[-1:] == keys(f"Sie {other}", "de")[-1:]


@pytest.mark.parametrize(("one", "other"), [("liest", "las"), ("Welt", "Welle"), ("gab", "gibt")])
def test_german_words_that_say_something_else_have_two(one: str, other: str) -> None:
    assert keys(f"Die {one}", "de")[-1:] != keys(f"Die {other}", "de")[-1:]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Alle 15 Minuten [1]. |90 Tage lang sind sie da [2].", "de"),
        ("测量一次[1]。|90天之内可以找到。|它很好。", "zh"),
        ("温度を測定する[1]。|90日の間は見られます。", "ja"),
        ("测量一次。[1]|90天之内可以找到。", "zh"),
        ("Am 3. Mai wird gemessen.", "de"),
    ],
)
def test_a_sentence_may_begin_with_a_number(text: str, language: str) -> None:
    whole = text.replace("|", "")

    found = [whole[start:end] for start, end in split(whole, language)]

    assert found == text.split("|")
