"""Encodings are told, or nothing is: no bytes are read as a text that they are not."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from cluster.memory.knowledge.decoding import SAMPLE_BYTES, Encoding, encoding_of, fits, text_of

LANGUAGES = Path(__file__).parents[5] / "benchmarks" / "data" / "languages.json"
LEGACY = {
    "de": ("cp1252",),
    "es": ("cp1252",),
    "fr": ("cp1252",),
    "ja": ("cp932", "euc_jp", "iso2022_jp"),
    "ru": ("koi8-r", "cp1251", "iso8859-5"),
    "zh": ("gbk", "big5"),
    "ko": ("euc_kr",),
    "el": ("iso8859-7",),
}
OWN = {
    "ru": (
        "\u041a\u0443\u0447\u0430 \u0445\u0440\u0430\u043d\u0438\u0442 \u043d\u0430"
        "\u0438\u043c\u0435\u043d\u044c\u0448\u0438\u0439 \u044d\u043b\u0435\u043c\u0435"
        "\u043d\u0442 \u043f\u0435\u0440\u0432\u044b\u043c. \u0421\u043e\u0440"
        "\u0442\u0438\u0440\u043e\u0432\u0430\u0442\u044c \u0432\u0435\u0441\u044c "
        "\u0441\u043f\u0438\u0441\u043e\u043a \u0434\u043b\u044f \u044d\u0442\u043e"
        "\u0433\u043e \u043d\u0435 \u043d\u0443\u0436\u043d\u043e."
    ),
    "ko": (
        "\ud799\uc740 \uac00\uc7a5 \uc791\uc740 \uc694\uc18c\ub97c \uba3c"
        "\uc800 \ubcf4\uad00\ud569\ub2c8\ub2e4. \uc804\uccb4 \ubaa9\ub85d"
        "\uc744 \uc815\ub82c\ud560 \ud544\uc694\uac00 \uc5c6\uc2b5\ub2c8\ub2e4"
        "."
    ),
    "el": (
        "\u039f \u03c3\u03c9\u03c1\u03cc\u03c2 \u03ba\u03c1\u03b1\u03c4\u03ac "
        "\u03c0\u03c1\u03ce\u03c4\u03bf \u03c4\u03bf \u03bc\u03b9\u03ba\u03c1\u03cc"
        "\u03c4\u03b5\u03c1\u03bf \u03c3\u03c4\u03bf\u03b9\u03c7\u03b5\u03af\u03bf."
        " \u0394\u03b5\u03bd \u03c7\u03c1\u03b5\u03b9\u03ac\u03b6\u03b5\u03c4\u03b1"
        "\u03b9 \u03c4\u03b1\u03be\u03b9\u03bd\u03cc\u03bc\u03b7\u03c3\u03b7."
    ),
}
"""Of languages that the labelled sentences are not in: what a heap does."""


def written() -> dict[str, str]:
    """All labelled sentences of each language, a line each."""
    lines: dict[str, list[str]] = defaultdict(list)
    for text, language in json.loads(LANGUAGES.read_text("utf-8"))["rows"]:
        lines[language].append(text)
    return {language: "\n".join(texts) for language, texts in lines.items()} | OWN


WRITTEN = written()


def told(data: bytes) -> str | None:
    """The text that is read, None where it is none."""
    encoding = encoding_of(data)
    return text_of(data, encoding.name) if encoding else None


@pytest.mark.parametrize(
    ("language", "encoding"),
    [(language, encoding) for language, names in LEGACY.items() for encoding in names],
)
def test_texts_in_encodings_of_before_unicode_are_read(language: str, encoding: str) -> None:
    text = WRITTEN[language].encode(encoding, "ignore").decode(encoding)

    assert told(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-16"])
@pytest.mark.parametrize("language", sorted(WRITTEN))
def test_wide_texts_are_read_without_a_mark(language: str, encoding: str) -> None:
    assert told(WRITTEN[language].encode(encoding)) == WRITTEN[language]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_wide_text_in_several_languages_is_read(encoding: str) -> None:
    text = "\n".join(WRITTEN[language][:40] for language in ("zh", "ja", "ko", "ru", "de"))

    assert told(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"plain\r\nnew\n", "plain\nnew\n"),
        (b"an old\rMac\r", "an old\nMac\n"),
        (b"10 %\r90 %\r\ndone\r\r\n", "10 % 90 %\ndone \n"),
        ("\ufeffcaf\u00e9".encode(), "caf\u00e9"),
        (b"caf\xe9", "caf\u00e9"),
        (b"caf\xe9 is open", "caf\u00e9 is open"),
        (
            "na\u00efve caf\u00e9 \u2014 ".encode() + b"\xff x",
            "na\u00efve caf\u00e9 \u2014 \ufffd x",
        ),
        (
            b"the \x93quick\x94 fox\x92s \x96 \x85 \xa9",
            "the \u201cquick\u201d fox\u2019s \u2013 \u2026 \u00a9",
        ),
        (b"# -*- coding: koi8-r -*-\n# \xc4\xc1", "# -*- coding: koi8-r -*-\n# \u0434\u0430"),
        (b"<meta charset='gbk'><p>\xd6\xd0", "<meta charset='gbk'><p>\u4e2d"),
    ],
)
def test_a_text_is_told_by_its_bytes(data: bytes, expected: str) -> None:
    assert told(data) == expected


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfe\x00",
        b"a\0b",
        "a\0b".encode("utf-16"),
        bytes(range(1, 256)),
        b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0>\0\x01\0\0\0\x80\x5d",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"PK\x03\x04\x14\0\0\0\x08\0",
    ],
)
def test_other_bytes_are_no_text(data: bytes) -> None:
    assert encoding_of(data) is None


@pytest.mark.parametrize("language", sorted(WRITTEN))
@pytest.mark.parametrize("count", [1, 2, 5])
def test_utf_8_with_zeros_in_it_is_no_text(language: str, count: int) -> None:
    data = WRITTEN[language].encode() + b"\0" * count

    assert encoding_of(data) is None
    assert encoding_of(b"." + data) is None


@pytest.mark.parametrize(
    ("language", "encoding"),
    [(language, encoding) for language, names in LEGACY.items() for encoding in names],
)
@pytest.mark.parametrize("count", [1, 2, 5])
def test_texts_of_before_unicode_with_zeros_in_them_are_none(
    language: str, encoding: str, count: int
) -> None:
    data = WRITTEN[language][:200].encode(encoding, "ignore") + b"\0" * count

    assert encoding_of(data) is None
    assert encoding_of(b"." + data) is None


def test_ascii_that_names_korean_and_has_none_of_it_is_ascii() -> None:
    assert encoding_of(b"\x1b$)C is how it begins\n") == Encoding("utf-8")


def test_what_is_short_is_a_guess() -> None:
    assert encoding_of(b"caf\xe9") == Encoding("cp1252", is_sure=False)


def test_a_large_file_is_told_by_its_lines_beyond_ascii() -> None:
    text = "an ASCII line\n" * SAMPLE_BYTES + WRITTEN["ru"]

    assert told(text.encode("koi8-r")) == text


@pytest.mark.parametrize("between", ["", "\n", " and so on, "])
def test_a_large_line_is_told_by_what_is_beyond_ascii_in_it(between: str) -> None:
    text = between.join(("x" * SAMPLE_BYTES, *WRITTEN["ru"].split())) + "." * SAMPLE_BYTES

    assert told(text.encode("koi8-r")) == text


@pytest.mark.parametrize("char", ["\u00e9", "\u2019", "\U0001f600", "\u0416"])
def test_a_log_that_is_cut_within_its_only_character_beyond_ascii_is_read(char: str) -> None:
    written = char.encode()
    cuts = range(2 if len(written) > 2 else 1, len(written))

    for length in cuts:
        assert told(b"INFO a line\n" * 99 + b"user Jos" + written[:length]) == (
            "INFO a line\n" * 99 + "user Jos\ufffd"
        )


def test_a_broken_character_and_a_cut_one_are_not_two_that_are_broken() -> None:
    assert told("caf\u00e9 \u2019".encode()[:-1]) == "caf\u00e9 \ufffd"
    assert told("caf\u00e9 ".encode() + b"\xff caf\xc3") == "caf\u00e9 \ufffd caf\ufffd"


def test_a_log_in_iso_2022_that_is_cut_within_a_character_is_read() -> None:
    written = "\u3042\u3044\u3046".encode("iso2022_jp")
    after = len(b"x\x1b(B")

    assert told(written[:-after]) == "\u3042\u3044\ufffd"


def test_an_escape_of_iso_2022_without_an_end_is_no_text_of_it() -> None:
    written = "これは日本語".encode("iso2022_jp") + b" and then \x1b((((((((((((((((("

    assert not fits(written, "iso2022_jp")
    assert encoding_of(written) == encoding_of(b"ASCII")


def test_a_log_in_utf_16_that_is_cut_within_a_character_is_read() -> None:
    text = WRITTEN["ja"]

    assert told(text.encode("utf-16")[:-1]) == f"{text[:-1]}\ufffd"


def test_an_encoding_fits_where_all_bytes_have_a_meaning_in_it() -> None:
    cyrillic = "\u043f\u0440\u0438\u0432\u0435\u0442".encode("koi8-r")

    assert fits(cyrillic, "koi8-r")
    assert fits(WRITTEN["ja"].encode("cp932", "ignore")[:-1], "cp932")
    assert not fits(cyrillic, "utf-8")
    assert not fits(b"a\0b", "latin-1")
