"""Tells in which encoding a text is written, or that it is none.

Called by `cluster.memory.knowledge.reading`. What is certain comes first: the mark at the
beginning, zero bytes (UTF-16 or UTF-32 without a mark), escape sequences (ISO-2022), UTF-8, UTF-8
with a few broken bytes. What is left is a guess: Windows-1252 where nothing but typographic
punctuation is added to ASCII, else what chardet says. docs/memory.md has the precision and recall
of all this on labelled texts (`benchmarks.encodings`). Pure.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

UTF_8 = "utf-8"
SURE_MIN = 0.1
"""Below this, 6 of 128 guesses of chardet were wrong, from it on 4 of 1,072: texts of 40 to 2,000
characters in 14 languages."""
SHORT_BYTES = 4_000
"""A text up to this size is told by all of it, a larger one by what it has around its bytes beyond
ASCII."""
SAMPLE_BYTES = 64_000
"""So much of that."""
BESIDE_BYTES = 14
"""So much ASCII on either side of such bytes."""
HEAD_BYTES = 1_000
"""Where HTML, XML and Python say what their encoding is."""

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),  # before UTF-16, whose mark it begins with
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_DECLARATION = re.compile(rb"charset|coding")
_ESCAPED = (
    (re.compile(rb"\x1b\$\)C"), "iso2022_kr"),
    (re.compile(rb"\x1b\$(?:[@B]|\([@-D])"), "iso2022_jp_2"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b"))
_CONTROLS_SHARE_MAX = 0.02
_ZEROS_SHARE_MAX = 0.25
_WIDE = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_NO_TEXT = frozenset({"Cc", "Cn", "Co", "Cs"})
_SPACE = "\t\n\v\f\r"
_IDEOGRAPHS = ("\u3400", "\ud7a3")
_COMMON = ("gb2312", "big5", "shift_jis", "euc_kr")
_CUT_UTF_8 = re.compile(
    rb"(?:[\xc2-\xc5\xce\xd0\xd1]|[\xe0-\xef][\x80-\xbf]|[\xf0-\xf4][\x80-\xbf]{1,2})\Z"
)
"""The beginning of a character at the end of a text. One byte is one of those that 141,162 first
characters beyond ASCII begin with, and 350 words in encodings of one byte end in after ASCII."""
_CUT_BYTES_MAX = 3
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]+")
_PLAUSIBLE_MIN = 0.98
"""Share of characters of a text in UTF-16 without a mark that are assigned, no controls, and no
ideographs that nobody uses."""
_TYPOGRAPHIC = (
    "\u2018\u2019\u201c\u201d\u201e\u2013\u2014\u2026\u2022\u2122\u20ac"
    "\u00a0\u00a7\u00a9\u00ab\u00ae\u00b0\u00b7\u00bb"
)
_ASCII = bytes(range(128))
_WINDOWS_PUNCTUATION = _ASCII + _TYPOGRAPHIC.encode("cp1252")
_SUPERSETS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "shift_jis_2004": "cp932",
    "shift_jisx0213": "cp932",
    "euc_jis_2004": "euc_jp",
    "euc_jisx0213": "euc_jp",
}
"""What is meant where a standard is named: what Windows writes instead, as browsers take it."""
_OF_TWO_BYTES = frozenset({"gb18030", "cp949", "cp932", "euc_jp", "big5", "big5hkscs", "johab"})


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the characters of a text became bytes."""

    name: str
    """As Python's codecs have it."""
    is_sure: bool = True
    """Whether it is more than a guess from too little text."""


@dataclass(frozen=True, slots=True)
class FileContent:
    """What was read of a file."""

    data: bytes
    encoding: str = UTF_8
    """Of its text; empty where that has to be taken out of it."""

    @property
    def text(self) -> str:
        """The text, where the bytes are one."""
        return text_of(self.data, self.encoding)


def encoding_of(data: bytes) -> Encoding | None:
    """Return the encoding of a text; None where the bytes are none."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return Encoding(name) if _is_text(text_of(data, name)) else None
    if b"\0" in data:
        return None if _is_utf_8_with_zeros(data) else _wide(data)
    for escape, name in _ESCAPED:
        if escape.search(data) and not (_decoded(data, name) or "").isascii():
            return Encoding(name)
    if _is_utf_8(data) or _is_damaged_utf_8(data):
        return Encoding(UTF_8)
    controls = len(data) - len(data.translate(None, _CONTROLS))
    return _of_one_byte_or_two(data) if controls <= len(data) * _CONTROLS_SHARE_MAX else None


def text_of(data: bytes, encoding: str) -> str:
    """Return a text with its lines ended by LF; what can't be decoded becomes U+FFFD."""
    return with_lf_ends(data.decode(encoding, "replace").removeprefix("\ufeff"))


def with_lf_ends(text: str) -> str:
    """Return a text with its lines ended by LF, as many as `sed` and `grep` count.

    A CR of its own ends a line only where there is no LF, as on old Macs. Elsewhere it stands
    within a line, as in the log of a progress bar, and becomes a space: Python's parser would end
    a line there.
    """
    if "\n" not in text:
        return text.replace("\r", "\n")
    return text.replace("\r\n", "\n").replace("\r", " ")


def fits(data: bytes, encoding: str) -> bool:
    """Say whether all bytes of a text have a meaning in an encoding, but for what its end cuts."""
    text = _decoded(data, encoding)
    return text is not None and _is_text(text)


def _decoded(data: bytes, encoding: str) -> str | None:
    """Return a text without a character that its end cuts, as of a log; None where it is none."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(data)
    except UnicodeError:  # its base where an escape of ISO 2022 has no end
        return None


def _is_utf_8(data: bytes) -> bool:
    try:
        data.decode(UTF_8)
    except UnicodeDecodeError:
        return False
    return True


def _is_text(text: str) -> bool:
    """Say whether a decoded text has no zeros, and next to no controls and broken characters."""
    broken = text.count("\ufffd") + sum(map(text.count, map(chr, _CONTROLS)))
    return "\0" not in text and broken <= len(text) * _CONTROLS_SHARE_MAX


def _is_damaged_utf_8(data: bytes) -> bool:
    """Say whether at least as many characters beyond ASCII are whole as are broken.

    One that the end of the text cuts, as of a log that is being written, is neither. Of 2,280 texts
    in other encodings not one was taken for such.
    """
    if cut := _CUT_UTF_8.search(data[-_CUT_BYTES_MAX:]):
        data = data[: -len(cut[0])]
    text = data.decode(UTF_8, "replace")
    broken = text.count("\ufffd")
    whole = len(text) - broken - len(text.encode("ascii", "ignore"))
    return broken <= whole


def _is_utf_8_with_zeros(data: bytes) -> bool:
    """Say whether bytes are UTF-8 but for some zeros: such are binary, and no UTF-16.

    Of UTF-16, near half is zeros where it is Latin; other alphabets are controls as UTF-8.
    """
    rest = data.replace(b"\0", b"")
    if len(data) - len(rest) > len(data) * _ZEROS_SHARE_MAX:
        return False
    controls = len(rest) - len(rest.translate(None, _CONTROLS))
    return controls <= len(rest) * _CONTROLS_SHARE_MAX and _is_utf_8(rest)


def _wide(data: bytes) -> Encoding | None:
    """Return in which order and width the units of a text without a mark are; None if it is none.

    Where several would do, the one with the most ASCII is it: a blank or line break read in the
    wrong order is a rare character.
    """
    found: list[tuple[int, str]] = []
    for name in _WIDE:
        text = text_of(data[:SAMPLE_BYTES], name)
        if _share_plausible(text) >= _PLAUSIBLE_MIN:
            found.append((len(text.encode("ascii", "ignore")), name))
    name = max(found)[1] if found else ""
    return Encoding(name) if name and _is_text(text_of(data, name)) else None


def _share_plausible(text: str) -> float:
    """Return the share of characters that a text may have."""
    strange = sum(
        count
        for char, count in Counter(text).items()
        if char == "\ufffd"
        or (unicodedata.category(char) in _NO_TEXT and char not in _SPACE)
        or _is_rare(char)
    )
    return 1 - strange / max(len(text), 1)


def _is_rare(char: str) -> bool:
    """Say whether a character is an ideograph or syllable that none of the old encodings has.

    Any two bytes of another encoding are some ideograph, and most of these nobody uses.
    """
    return _IDEOGRAPHS[0] <= char <= _IDEOGRAPHS[1] and not any(
        char.encode(name, "ignore") for name in _COMMON
    )


def _sample(data: bytes) -> bytes:
    """Return what tells most of a large file: much ASCII would make any of it Windows-1252."""
    if len(data) <= SHORT_BYTES:
        return data
    head = data[:HEAD_BYTES].splitlines(keepends=True)
    sample = bytearray().join(each for each in head if each.isascii() and _DECLARATION.search(each))
    end = 0
    for run in _BEYOND_ASCII.finditer(data):
        # More than that much ASCII after the last one: no character of two bytes is cut here.
        start = max(end, run.start() - BESIDE_BYTES)
        if start > end:
            sample += b"\n"
        end = run.end() + BESIDE_BYTES
        sample += data[start:end]
        if len(sample) >= SAMPLE_BYTES:
            break
    return bytes(sample[:SAMPLE_BYTES])


def _of_one_byte_or_two(data: bytes) -> Encoding:
    """Return what an encoding most likely is that is none of Unicode and no ISO 2022."""
    if not data.translate(None, _WINDOWS_PUNCTUATION):
        return Encoding("cp1252")
    return _guessed(_sample(data))


def _guessed(sample: bytes) -> Encoding:
    # A tenth of a second to import, and few files need it.
    import chardet

    told = chardet.detect(
        sample,
        encoding_era=chardet.EncodingEra.MODERN_WEB
        | chardet.EncodingEra.LEGACY_ISO
        | chardet.EncodingEra.LEGACY_MAC,
        prefer_superset=False,  # for ISO 8859-2 it would say Windows-1250
        compat_names=False,
    )
    name = told["encoding"]
    if name is None or name.startswith("utf"):
        return Encoding("cp1252", is_sure=False)
    name = _SUPERSETS.get(name, name)
    is_sure = told["confidence"] >= SURE_MIN
    if not is_sure and name not in _OF_TWO_BYTES and _mixes_alphabets(text_of(sample, name)):
        return Encoding("cp1252", is_sure=False)
    return Encoding(name, is_sure=is_sure)


def _mixes_alphabets(text: str) -> bool:
    """Say whether a letter of ASCII stands beside one that isn't Latin: no word is written so.

    Of 1,140 texts of 15 to 40 characters 4 more are told rightly by it, and none wrongly.
    """
    return any(
        one.isalpha()
        and other.isalpha()
        and one.isascii() != other.isascii()
        and "LATIN" not in unicodedata.name(other if one.isascii() else one, "LATIN")
        for one, other in pairwise(text)
    )
