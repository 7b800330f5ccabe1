"""What differs between languages where a text is read: words, numbers, ends of sentences."""

from __future__ import annotations

import pytest

from agents.evidence.languages import language_of
from agents.evidence.sentences import sentences, split
from agents.evidence.words import as_written_there, words


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


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("12.450.000 Euro", "12 450 000 Euro", "de"),
        ("12.450 Kunden", "12450 Kunden", "de"),
        ("7,5 Prozent", "7.5 Prozent", "de"),
        ("2 500 wierszy", "2500 wierszy", "pl"),
        ("1'234'567 bottles", "1,234,567 bottles", "en"),
        ("1\u202f234 m", "1,234 m", "en"),
        ("512個", "512個", "ja"),
        ("٥١٢ items", "512 items", "en"),
        ("at 02:12:31,002", "at 02:12:31 002", "en"),
        ("2026-05-02T08:00:01Z", "2026-05-02 08:00:01 Z", "en"),
    ],
)
def test_a_number_is_the_same_however_its_digits_are_parted(
    one: str, other: str, language: str
) -> None:
    assert keys(one, language) == keys(other, language)


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("It takes 1.250 s.", "It takes 1250 s.", "en"),
        ("Es dauert 1,250 s.", "Es dauert 1250 s.", "de"),
        ("80 443", "80443", "en"),
        ("1892122,808", "1892122808", "en"),
        ("2026-03-14", "2026-2003-14", "en"),
        ("0.350", "350", "de"),
    ],
)
def test_numbers_that_only_look_alike_are_two(one: str, other: str, language: str) -> None:
    assert keys(one, language) != keys(other, language)


@pytest.mark.parametrize(
    ("said", "language", "there", "settled"),
    [
        ("It has 1,250 rows.", "de", {"1250"}, "It has 1250 rows."),
        ("It takes 1,250 s.", "en", {"1.250"}, "It takes 1.250 s."),
        ("It has 2 500 rows.", "en", {"2500"}, "It has 2500 rows."),
        ("It has 9,999 rows.", "de", {"1250"}, "It has 9,999 rows."),
    ],
)
def test_a_number_that_may_be_read_in_two_ways_is_read_as_the_sources_have_it(
    said: str, language: str, there: set[str], settled: str
) -> None:
    assert as_written_there(said, language, there.__contains__) == settled


@pytest.mark.parametrize(
    ("sentence", "language", "guard"),
    [
        ("캐시는 비어 있지 않다.", "ko", "not"),
        ("문을 안 연다.", "ko", "not"),
        ("건물 안내를 본다.", "ko", ""),
        ("관리자만 볼 수 있다.", "ko", "only"),
        ("하지만 열린다.", "ko", ""),
        ("ห้ามถ่ายภาพ", "th", "not"),
        ("ไม่เกิน 4 บาร์", "th", "at-most"),
        ("Wydruki nie wymagają zgody.", "pl", "not"),
        ("Přístup má pouze správce.", "cs", "only"),
        ("Δεν είναι έτοιμο.", "el", "not"),
    ],
)
def test_what_turns_a_sentence_is_known(sentence: str, language: str, guard: str) -> None:
    assert {word.guard for word in words(sentence, language)} - {""} == {guard} - {""}


@pytest.mark.parametrize(
    ("one", "other", "language"),
    [
        ("캐시는 항목을 삭제합니다", "캐시가 항목은 삭제한다", "ko"),
        ("drukarki", "drukarkami", "pl"),
        ("restartují", "restartuje", "cs"),
    ],
)
def test_particles_and_endings_say_nothing_by_themselves(
    one: str, other: str, language: str
) -> None:
    said = [[w.key for w in words(text, language) if w.has_content] for text in (one, other)]

    assert said[0] == said[1]


def test_a_thai_sentence_ends_at_a_blank_between_letters_and_not_at_a_number() -> None:
    text = "ค่าเข้าชม 150 บาท เด็กเข้าชมฟรี"

    assert [text[span.start : span.end] for span in sentences(text, "th")] == [
        "ค่าเข้าชม 150 บาท",
        "เด็กเข้าชมฟรี",
    ]
    assert [text[a:b] for a, b in split(text, "th")] == [text]
    cited = text.replace("บาท ", "บาท [1] ")
    assert len(list(split(cited, "th"))) == 2


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  memory: 512Mi",
        '{"ts": "2026-05-02T08:00:01Z", "user": "amira", "ip": "192.0.2.10"}',
        "| Plan | Requests per minute | Support |\n| Free | 60 | e-mail |",
    ],
)
def test_a_word_or_two_that_stand_in_data_tell_no_language(text: str) -> None:
    assert language_of(text) == "en"
