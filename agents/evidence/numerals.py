"""Numbers in one spelling, whichever way a language parts their digits.

Pure; used by `agents.evidence.words` on every text and by `agents.evidence.verdict` on a sentence
whose way of writing differs from its sources'.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

_COMMA_IS_DECIMAL = frozenset(
    ("cs", "da", "de", "el", "es", "fi", "fr", "hu", "it", "nl", "pl", "pt", "ro", "ru", "sv", "tr")
)
"""Languages that write 1.250,5 for a thousand and so on; there 1.250 is a whole number."""
_SPACE_PARTS = frozenset(("cs", "fi", "fr", "hu", "pl", "ru", "sv"))
"""Languages that part thousands by a plain blank; in others two columns of a table would join."""
_ALWAYS_PARTS = "'’\u00a0\u202f\u2009"  # noqa: RUF001
_GROUPS = re.compile(
    rf"(?<![\w.,:/])[1-9]\d{{0,2}}(?:(?P<by>[.,{_ALWAYS_PARTS} ])\d{{3}})(?:(?P=by)\d{{3}})*(?!\d)"
)
_DECIMAL_COMMA = re.compile(r"(?<![\w.,:/])(\d{1,9}),(\d{1,9})(?![\w,]|\.\d)")
_SHORT_DECIMAL_COMMA = re.compile(r"(?<![\w.,:/])(\d{1,9}),(\d{1,2})(?![\w,]|\.\d)")
_YEARS = re.compile(r"(?<!\d)(\d\d)(\d\d)[-–](\d\d)(?!\d|[-–]\d)")  # noqa: RUF001
_STAMP = re.compile(
    r"(?<=\d)T(?=\d\d:\d\d)|(?<=:\d\d)[.,](?=\d{1,9}(?!\d))|(?<=:\d\d)(?=Z\b)|(?<=/\d{4}):(?=\d\d:)"
)
"""What joins a date to a time, or a time to its fraction: '2026-05-02T08:00:01.250Z'."""
_OTHER_DIGIT = re.compile(r"(?![0-9])\d")
_DIGIT = re.compile(r"\d")


def in_one_spelling(text: str, language: str) -> str:
    """Return a text with its numbers in ASCII digits, none parted, decimals behind a point."""
    if _DIGIT.search(text) is None:
        return text
    if not text.isascii():
        text = _OTHER_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit.group())), text)
    if ":" in text:
        text = _STAMP.sub(" ", text)
    text = _GROUPS.sub(lambda found: _joined(found, language), text)
    decimal = _DECIMAL_COMMA if language in _COMMA_IS_DECIMAL else _SHORT_DECIMAL_COMMA
    return _YEARS.sub(_ranged, decimal.sub(r"\1.\2", text))


def as_written_there(text: str, language: str, has: Callable[[str], bool]) -> str:
    """Return a sentence with each number that may be read in two ways read as its sources have it.

    An English sentence about a German text has 1,250 where that has 1.250.

    Args:
        text: the sentence.
        language: of the sources.
        has: says whether a number stands in them.
    """

    def settled(found: re.Match[str]) -> str:
        if has(in_one_spelling(found.group(), language)):
            return found.group()
        whole = re.sub(r"\D", "", found.group())
        if has(whole):
            return whole
        parts = re.split(r"\D", found.group())
        is_decimal = len(parts) == 2 and found.group("by") in ".,"  # noqa: PLR2004 - whole and rest
        return ".".join(parts) if is_decimal and has(".".join(parts)) else found.group()

    return _GROUPS.sub(settled, text)


def _ranged(found: re.Match[str]) -> str:
    """Return years from one to another, both in full; a year and its month are none."""
    century, first, last = found.groups()
    return f"{century}{first}-{century}{last}" if first < last else found.group()


def _joined(found: re.Match[str], language: str) -> str:
    by, said = found.group("by"), found.group()
    is_many = said.count(by) > 1
    is_whole = {
        ".": is_many or language in _COMMA_IS_DECIMAL,
        ",": is_many or language not in _COMMA_IS_DECIMAL,
        " ": language in _SPACE_PARTS,
    }.get(by, True)
    return said.replace(by, "") if is_whole else said
