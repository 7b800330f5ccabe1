"""The language of a text: by its script, else by its little words.

Pure. What is read in a wrong language loses its denials and its numbers, so a passage is thought to
be in another one than its neighbours only where that is clear.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections import Counter
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Final

_GLUE: Final = MappingProxyType(
    {
        language: frozenset(unicodedata.normalize("NFKC", text).split())
        for language, text in tomllib.loads(
            resources.files("agents.evidence").joinpath("lexicon.toml").read_text("utf-8")
        )["glue"].items()
    }
)
_LANGUAGES_OF: Final = MappingProxyType(
    {
        word: tuple(name for name, little in _GLUE.items() if word in little)
        for word in frozenset().union(*_GLUE.values())
    }
)
"""The languages that have a word for a little one."""
_KANA = re.compile(r"[぀-ヿ]")
_HAN = re.compile(r"[㐀-鿿]")
_HANGUL = re.compile(r"[\uac00-\ud7af]")
_THAI = re.compile(r"[\u0e01-\u0e4e]")
_CYRILLIC = re.compile(r"[Ѐ-ӿ]")
_GREEK = re.compile(r"[\u0370-\u03ff]")
_LETTERS = re.compile(r"(?<![\w-])(?<!\w\.)[^\W\d_]+(?![\w-]|\.\w)")
_BEFORE_NAME = re.compile(r"\b[^\W\d_]{1,4}(?= [^\W\d_]*[A-ZÀ-Þ])")
"""As 'da' in 'Rui da Costa'; in German any article stands so."""
_SAMPLE_LENGTH = 2_000
_LITTLE_SHARE = 0.06
_WORDS_MIN = 8
"""Of a text's words, how many little ones tell its language; settings and tables have fewer."""
_HITS_MIN = 3
_TIMES_MIN = 3
"""So many different little words, and so many times those of the set's, tell another one."""
_BY_SCRIPT = (
    ("ja", _KANA, 20),
    ("zh", _HAN, 10),
    ("ko", _HANGUL, 10),
    ("th", _THAI, 10),
    ("ru", _CYRILLIC, 4),
    ("el", _GREEK, 4),
)
"""Languages with a script of their own: one sign of so many tells it."""
_ANY_SCRIPT = re.compile(f"[{''.join(sign.pattern[1:-1] for _, sign, _ in _BY_SCRIPT)}]")
"""Looked for first: most texts have no such sign, and each of the six costs a pass."""
_OWN_SCRIPT = frozenset(language for language, _, _ in _BY_SCRIPT)
LANGUAGES: Final = frozenset({*_GLUE, "en", "ja", "zh", "ru"})
"""All that `language_of` may return."""


@lru_cache(maxsize=1024)
def language_of(text: str, default: str = "en") -> str:
    """Return the language of a text as two letters: by its script, else by its little words.

    Args:
        text: its beginning counts.
        default: what is returned where too few little words tell another one.
    """
    sample = text[:_SAMPLE_LENGTH]
    language = _by_script(sample)
    if language:
        return language
    found = [word.lower() for word in _LETTERS.findall(sample)]
    hits = Counter(name for word in found for name in _LANGUAGES_OF.get(word, ()))
    best = max(_GLUE, key=lambda name: (hits[name], name == default))
    is_long = len(found) >= _WORDS_MIN
    # One that stands there again and again is the 'no' of a table's column.
    kinds = len(_GLUE[best].intersection(found))
    is_told = hits[best] >= _LITTLE_SHARE * len(found) and kinds >= (2 if is_long else 1)
    return best if is_told else default


@lru_cache(maxsize=1024)
def language_among(text: str, others: str) -> str:
    """Return the language of a passage among ``others``, the one that most of its set is in.

    It has another one only where that one's little words clearly outnumber those of the set: a
    denial that is read in a wrong language denies nothing.
    """
    sample = text[:_SAMPLE_LENGTH]
    if others in _OWN_SCRIPT:
        return language_of(sample)
    own = _by_script(sample)
    language = own or language_of(sample, others)
    if language == others or language not in _GLUE or own:
        return language
    bare = sample if language == "de" else _BEFORE_NAME.sub(" ", sample)
    found = [word.lower() for word in _LETTERS.findall(bare)]
    there = [word for word in found if word in _GLUE[language] - _GLUE.get(others, frozenset())]
    theirs = [word for word in found if word in _GLUE.get(others, frozenset()) - _GLUE[language]]
    is_clear = len(set(there)) >= _HITS_MIN and len(there) >= _TIMES_MIN * len(theirs)
    return language if is_clear else others


def _by_script(sample: str) -> str:
    """Return the language that has a script of its own; empty where it is none of these."""
    if sample.isascii() or _ANY_SCRIPT.search(sample) is None:
        return ""
    length = len(sample.strip())
    found = (name for name, sign, share in _BY_SCRIPT if len(sign.findall(sample)) * share > length)
    return next(found, "") if length else ""
