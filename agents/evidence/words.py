"""A text as the words it is compared by, in any language.

Pure. Words carry their Snowball stem, numbers one spelling, code its parts; Korean and scripts that
put no spaces between words are read sign by sign. What a word does to the truth of its sentence (it
denies, limits, binds to a time) is looked up here and nowhere else, in `lexicon.toml`.
"""

from __future__ import annotations

import re
import threading
import tomllib
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from Stemmer import Stemmer

TOKENS_MAX = 400
"""Of one sentence no more is read."""
_LENGTH_MAX = 4_000
_CITATION = re.compile(
    r"\s{0,9}\[[1-9]\d{0,2}(?:\s{0,9}[,;–-]\s{0,9}[1-9]\d{0,2})*\](?!\()"  # noqa: RUF001
)
_CODE_SPAN = re.compile(rf"(?P<code>(?<!`)`{{1,3}}[^`]{{1,400}}`{{1,3}})|{_CITATION.pattern}")
_LINK = re.compile(r"!?\[([^\[\]]{0,400})\]\([^()\s]{0,400}\)")
_ROLE = re.compile(r":[\w:]{1,30}:(?=`)|\{[\w:-]{1,30}\}(?=`)")
_PHRASE = re.compile(r"`{1,3}([^`\n]*\s[^`\n]*)`{1,3}")
"""A code span of several words is read like prose."""
_SHORT = re.compile(r"(?i)\b(ca|wo|sha)?(n)['’]t\b|(?<=\w)n['’]t\b")  # noqa: RUF001
_ZU = re.compile(r"(?<![必まわは])ず(?=[、。]|$)")
"""Ends a Japanese clause that denies, as 'ずに' does; no other 'ず' does."""
_KOREAN_NOT = re.compile(r"(?<![가-힣])안(?=\s[가-힣])")
_KOREAN_ONLY = re.compile(r"(?<=[가-힣])(?<![지천백십억])만(?=[\s,.]|[이을]\s)")
"""Korean 'not' and 'only' where they are words; in others the same signs are parts."""
_THAI_BLANK = re.compile(r"(?<=[\u0e01-\u0e4e])\s+(?=[\u0e01-\u0e4e])")
"""Thai has no commas and full stops: a blank parts clauses."""
_PART = re.compile(r"\w+")
_NOT_ONLY = re.compile(
    r"\b(?:not only|nicht nur|no s[oó]lo|non seulement)\b|不仅|不但|だけでなく", re.IGNORECASE
)
"""Denies nothing and limits nothing."""
_UNSPACED = ("ja", "zh")
_COMMA_IS_DECIMAL = frozenset(
    ("cs", "da", "de", "el", "es", "fi", "fr", "hu", "it", "nl", "pl", "pt", "ro", "ru", "sv", "tr")
)
"""Languages that write 1.250,5 for a thousand and so on; there 1.250 is a whole number."""
_SPACE_PARTS = frozenset(("cs", "fi", "fr", "hu", "pl", "ru", "sv"))
"""Languages that part thousands by a plain blank; in others two columns of a table would join."""
_NARROW_BLANK = re.compile(r"(?<=\d)[\u00a0\u202f\u2009](?=\d{3}(?!\d))")
_ALWAYS_PARTS = "'’"  # noqa: RUF001
_GROUPS = re.compile(
    rf"(?<![\w.,:/])[1-9]\d{{0,2}}(?:(?P<by>[.,{_ALWAYS_PARTS} ])\d{{3}})(?:(?P=by)\d{{3}})*(?!\d)"
)
_PARTED = re.compile(rf"\d[.,{_ALWAYS_PARTS} ]\d")
"""Is in every number that `_GROUPS` or a decimal comma is in, and found in half the time."""
_DECIMAL_COMMA = re.compile(r"(?<![\w.,:/])(\d{1,9}),(\d{1,9})(?![\w,]|\.\d)")
_SHORT_DECIMAL_COMMA = re.compile(r"(?<![\w.,:/])(\d{1,9}),(\d{1,2})(?![\w,]|\.\d)")
_YEARS = re.compile(r"(?<!\d)(\d\d)(\d\d)[-–](\d\d)(?!\d|[-–]\d)")  # noqa: RUF001
_LAST_MONTH = "12"
_STAMP = re.compile(
    r"(?<=\d)T(?=\d\d:\d\d)|(?<=:\d\d)[.,](?=\d{1,9}(?!\d))|(?<=:\d\d)(?=Z\b)|(?<=/\d{4}):(?=\d\d:)"
)
"""What joins a date to a time, or a time to its fraction: '2026-05-02T08:00:01.250Z'."""
_OTHER_DIGIT = re.compile(r"(?![0-9])\d")
_DIGIT = re.compile(r"\d")
_HIRAGANA = re.compile(r"[぀-ゟー]")
_ALGORITHMS: Final = MappingProxyType(
    {
        "en": "english",
        "de": "german",
        "es": "spanish",
        "fr": "french",
        "it": "italian",
        "pt": "portuguese",
        "nl": "dutch",
        "ru": "russian",
        "sv": "swedish",
        "pl": "polish",
        "cs": "czech",
        "tr": "turkish",
        "fi": "finnish",
        "hu": "hungarian",
        "da": "danish",
        "ro": "romanian",
        "el": "greek",
    }
)


def _lexicon() -> Mapping[str, Any]:
    """Return the little words that the package ships."""
    return tomllib.loads(
        resources.files("agents.evidence").joinpath("lexicon.toml").read_text("utf-8")
    )


def _named(table: Mapping[str, str]) -> Mapping[str, str]:
    """Return by word the name of the list that it stands in."""
    listed = ((word, name) for name, text in table.items() for word in text.split())
    return MappingProxyType({unicodedata.normalize("NFKC", word): name for word, name in listed})


_LEXICON = _lexicon()
_SIGNS = (
    "\u0e01-\u0e4e\u0e81-\u0ecd\u1000-\u109f\u1780-\u17d3"  # Thai, Lao, Burmese, Khmer
    "\u3005\u3007\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"  # Kana, Han, Hangul
)
_MARKS = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd"
    "\u102b-\u103e\u1056-\u1060\u17b4-\u17d3"
)
"""Vowels and tones that are written above, below or behind a letter and belong to it."""
_SIGN = rf"[{_SIGNS}][{_MARKS}]*"
SIGN: Final = re.compile(_SIGN)


def _signed(lexicon: Mapping[str, Any]) -> str:
    """Return a pattern of the little words of several signs, the longest first."""
    tables = [text for table in lexicon["guards"].values() for text in table.values()]
    found = {word for text in (*tables, *lexicon["glue"].values()) for word in text.split()}
    several = [
        word
        for word in (unicodedata.normalize("NFKC", each) for each in found)
        if re.match(f"[{_SIGNS}]", word) and not SIGN.fullmatch(word)
    ]
    return "|".join(sorted(several, key=len, reverse=True))


_TOKEN = re.compile(
    r"(?P<plain>[a-z]+(?=[ ,;]|\.\s|\.$))"
    rf"|(?P<sign>(?=[{_SIGNS}])(?:{_signed(_LEXICON)}|{_SIGN}))"
    r"|(?P<code>`{1,3}[^`\s]{1,80}`{1,3}|[^\W\d]\w+(?:\.[^\W\d]\w+)+|\w*[^\W_]_\w+|__?\w+"
    r"|[^\W\d_]\w*(?=\(\))|(?<![\w-])--?[a-z][\w-]+)"
    r"|(?P<mixed>[^\W\d_]+\d\w*|[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*)"
    r"|(?P<number>(?<![\w.-])\d{4}-(?:0\d|1[0-2])(?:-[0-3]\d)?(?![\w-])"
    r"|(?<![\w.])[-−]?\d+(?:[.,:/]\d+)*)"  # noqa: RUF001
    r"|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)?)"  # noqa: RUF001
    r"|(?P<mark>[,;:()—–.!?。，、；：（）\n]|\s-\s)"  # noqa: RUF001
    r"|(?P<unit>[%$€£°])"
)
_SEAM = re.compile(rf"(?<=[{_SIGNS}])(?=[^\W{_SIGNS}])|(?<=[^\W{_SIGNS}])(?=[{_SIGNS}])")
"""Between a sign and a letter or digit, where no blank need stand."""
PRONOUNS: Final = frozenset(_LEXICON["pronouns"].split())
NEUTRAL: Final = frozenset(_LEXICON["neutral"].split())
"""English stems of words that say nothing of a row of data but that it has a value."""
RELATING: Final = frozenset(_LEXICON["relating"].split())
"""Of those that may also say how two values of it stand to each other."""
_CONJUNCTIONS: Final = frozenset(_LEXICON["conjunctions"].split())
GLUE: Final = MappingProxyType(
    {
        language: frozenset(unicodedata.normalize("NFKC", text).split())
        for language, text in _LEXICON["glue"].items()
    }
)
"""The little words of each language."""
_GUARDS: Final = MappingProxyType(
    {language: _named(table) for language, table in _LEXICON["guards"].items()}
)
_NUMBERS: Final = MappingProxyType(
    {
        language: {word: str(number) for number, word in enumerate(text.split())}
        for language, text in _LEXICON["numbers"].items()
    }
)
UNITS: Final = _named(_LEXICON["units"])


class _Stemmers(threading.local):
    """A Snowball stemmer keeps its last word inside: each thread has its own."""

    def __init__(self) -> None:
        self.by_language = {code: Stemmer(name) for code, name in _ALGORITHMS.items()}


_STEMMERS = _Stemmers()


@lru_cache(maxsize=32768)
def stem(word: str, language: str) -> str:
    """Return the Snowball stem of a lower-case word; the word itself in other languages."""
    stemmer = _STEMMERS.by_language.get(language)
    return str(stemmer.stemWord(word)) if stemmer else word


class Word(NamedTuple):
    """One word, number, character or piece of code, and what it is compared by."""

    key: str
    raw: str
    kind: str
    """``word``, ``glue``, ``number``, ``name``, ``mixed`` (camelCase, H2O) or ``code``."""
    guard: str = ""
    """A name of the lexicon's guards: what it does to the truth of its sentence."""
    opens: bool = False
    """Whether a clause may begin here: a mark or a conjunction stands before it."""

    @property
    def has_content(self) -> bool:
        """Say whether a sentence with this word says more than one without."""
        return self.kind != "glue"


def without_citations(text: str) -> str:
    """Return a text without citations such as [1] and [2, 3]; an index in code is none."""
    return _CODE_SPAN.sub(lambda m: m.group() if m.group("code") else "", text)


def cited_numbers(text: str) -> list[int]:
    """Return the numbers of the citations in a text, each once; of a range its two ends."""
    found = (match.group() for match in _CODE_SPAN.finditer(text) if not match.group("code"))
    return list(dict.fromkeys(int(number) for each in found for number in re.findall(r"\d+", each)))


def plain(sentence: str) -> str:
    """Return a sentence without citations, links and emphasis."""
    text = sentence[:_LENGTH_MAX].replace("**", "") if "[" not in sentence else _unlinked(sentence)
    return _PHRASE.sub(r"\1", _ROLE.sub("", text)) if "`" in text else text


def _unlinked(sentence: str) -> str:
    text = _LINK.sub(r"\1", sentence[:_LENGTH_MAX])
    return _CITATION.sub("", text).replace("**", "")


@lru_cache(maxsize=4096)
def words(sentence: str, language: str = "en") -> tuple[Word, ...]:
    """Return the words of a sentence; ``language`` chooses stems and little words."""
    text = plain(sentence)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _NARROW_BLANK.sub("", text))
    if "'" in text or "’" in text:  # noqa: RUF001
        text = _SHORT.sub(_spelled_out, text)
    if language in _UNSPACED:
        text = _ZU.sub("ずに", text)
    if language == "th":
        text = _THAI_BLANK.sub(", ", text)
    if language == "ko":
        text = _KOREAN_ONLY.sub("뿐", _KOREAN_NOT.sub("않", text))
    text = _NOT_ONLY.sub(" ", text)
    if not text.isascii():
        text = _SEAM.sub(" ", text)
    text = _in_one_spelling(text, language)
    found: list[Word] = []
    opens = False
    for match in _TOKEN.finditer(text):
        kind, raw = str(match.lastgroup), match.group()
        if kind == "mark":
            opens = True
            continue
        is_joint = raw.lower() in _CONJUNCTIONS
        after = "" if not found else "number" if found[-1].kind == "number" else "word"
        found += _made(kind, raw, language, after, opens=opens or is_joint)
        opens = is_joint
        if len(found) >= TOKENS_MAX:
            break
    return tuple(found[:TOKENS_MAX])


def _in_one_spelling(text: str, language: str) -> str:
    """Return a text with its numbers in ASCII digits, none parted, decimals behind a point."""
    if _DIGIT.search(text) is None:
        return text
    if not text.isascii():
        text = _OTHER_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit.group())), text)
    if ":" in text:
        text = _STAMP.sub(" ", text)
    if _PARTED.search(text) is not None:
        text = _GROUPS.sub(lambda found: _joined(found, language), text)
        decimal = _DECIMAL_COMMA if language in _COMMA_IS_DECIMAL else _SHORT_DECIMAL_COMMA
        text = decimal.sub(r"\1.\2", text)
    return _YEARS.sub(_ranged, text) if "-" in text or "–" in text else text  # noqa: RUF001


def as_written_there(text: str, language: str, has: Callable[[str], bool]) -> str:
    """Return a sentence with each number that may be read in two ways read as its sources have it.

    An English sentence about a German text has 1,250 where that has 1.250.

    Args:
        text: the sentence.
        language: of the sources.
        has: says whether a number stands in them.
    """

    def settled(found: re.Match[str]) -> str:
        if has(_in_one_spelling(found.group(), language)):
            return found.group()
        whole = re.sub(r"\D", "", found.group())
        if has(whole):
            return whole
        parts = re.split(r"\D", found.group())
        is_decimal = len(parts) == 2 and found.group("by") in ".,"  # noqa: PLR2004 - whole and rest
        return ".".join(parts) if is_decimal and has(".".join(parts)) else found.group()

    is_parted = _DIGIT.search(text) is not None and _PARTED.search(text) is not None
    return _GROUPS.sub(settled, text) if is_parted else text


def _ranged(found: re.Match[str]) -> str:
    """Return years from one to another, both in full; a year and its month are none."""
    century, first, last = found.groups()
    is_month = "-" in found.group() and last <= _LAST_MONTH
    return f"{century}{first}-{century}{last}" if first < last and not is_month else found.group()


def _joined(found: re.Match[str], language: str) -> str:
    by, said = found.group("by"), found.group()
    is_many = said.count(by) > 1
    is_whole = {
        ".": is_many or language in _COMMA_IS_DECIMAL,
        ",": is_many or language not in _COMMA_IS_DECIMAL,
        " ": language in _SPACE_PARTS or (is_many and language in _COMMA_IS_DECIMAL),
    }.get(by, True)
    return said.replace(by, "") if is_whole else said


def _spelled_out(short: re.Match[str]) -> str:
    head = (short.group(1) or "").lower()
    return {"ca": "can not", "wo": "will not", "sha": "shall not"}.get(
        head, " not" if short.group(2) is None else "n not"
    )


@lru_cache(maxsize=32768)
def _made(kind: str, raw: str, language: str, after: str, *, opens: bool) -> tuple[Word, ...]:
    """Return the words of a token; ``after`` is the kind of the one before, empty at the head."""
    lower = raw.lower().replace("’", "'").removesuffix("'s")  # noqa: RUF001
    if kind == "code":
        parts = _PART.findall(raw.strip("_-`"))
        kinds = [*["mixed"] * (len(parts) - 1), "code"]
        return tuple(
            Word(stem(part.lower(), language), raw, named, "", opens and not at)
            for at, (part, named) in enumerate(zip(parts, kinds, strict=False))
        )
    if kind == "mixed":
        return (Word(stem(lower, language), raw, "mixed", "", opens),)
    numbers = _NUMBERS.get(language, _NUMBERS["en"])
    if kind == "number" or (lower in numbers and after):
        key = numbers.get(lower, raw.replace("−", "-"))  # noqa: RUF001
        return (Word(key, raw, "number", "", opens),)
    lower = UNITS.get(lower, lower) if after == "number" else lower
    is_little = lower in GLUE.get(language, frozenset()) or lower in PRONOUNS
    guard = _GUARDS.get(language, {}).get(lower, "")
    if not guard and not is_little:
        # A text whose language is misread, or one quoted in another, must still be able to deny.
        guard = _GUARDS["en"].get(lower, "")
    if guard:
        return (Word(guard, raw, "word", guard, opens),)
    if is_little or _HIRAGANA.fullmatch(raw):
        return (Word(lower, raw, "glue", "", opens),)
    is_name = raw[:1].isupper() and bool(after) and language != "de"
    key = stem(lower, language)
    if language == "de" and raw[:1].islower():
        key = _VERB_END.sub("", key).replace("ie", "e").replace("i", "e")
    return (Word(key, raw, "name" if is_name else "word", "", opens),)


_VERB_END = re.compile(r"(?<=..[^aeiouy])t$")
"""Of German verbs, which Snowball leaves: 'geht' is 'gehen'; so is 'bricht', with its vowel."""
