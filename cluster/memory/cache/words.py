"""Text taken apart into words that can be compared: stemmed, folded, as numbers.

Used by `cluster.memory.cache` alone. Questions and passages are taken apart by the same rules, and
nothing in a question is ever parsed. Scripts that put no spaces between words are indexed by pairs
of neighbouring signs, as most words there have two or more.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from Stemmer import Stemmer

Tokens = NDArray[np.uint32]
"""uint32[words], each the CRC-32 of a stem: of 100,000 different words one has the number of
another with a probability of 0.7, which then are found for each other."""

_WORD_CHARS_MAX = 40
_STEMS_KEPT = 50_000
_ACCENTS = re.compile("[\u0300-\u036f]+")
_WORD = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?:[A-Z]*[a-z]{2,}|[A-Z]{2,})(?:[A-Z][a-z]{2,})+")
_HUMP = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_UNSPACED = re.compile(
    "["
    "\u0e01-\u0e4e\u0e81-\u0ecd\u1000-\u109f\u1780-\u17d3"  # Thai, Lao, Burmese, Khmer
    "\u1100-\u11ff\u3005\u3007\u3041-\u3096\u3099-\u309a\u30a1-\u30fa\u30fc-\u30ff"  # Hangul, Kana
    "\u3105-\u312f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"  # Han
    "\U00020000-\U0003134f"
    "]+"
)
_LINKING = frozenset(
    re.findall(
        r"\w+",
        """
        a about an and are as at be been but by can could did do doe for from had has have he her
        his how i in into is it no not of on or she should so such than that the their then there
        these they this those to was were what when where which who whom whose why will with would
        """,
    )
)
"""Stems that say nothing, unless a question has no others, or in a pair with another."""


class _EnglishStemmer(threading.local):
    """One a thread: none may be used by two at a time."""

    def __init__(self) -> None:
        self.english = Stemmer("english", _STEMS_KEPT)


_STEMMER = _EnglishStemmer()


def tokens_of(text: str) -> Tokens:
    """Return the words of a text in their order: uint32[words]; about 60 us a passage."""
    return np.array([crc32(stem.encode()) for stem in stems_of(text)], dtype=np.uint32)


def stems_of(text: str) -> list[str]:
    """Return the stems of a text's words in their order; parts of names in camel case follow."""
    if not text.isascii():
        text = _paired_signs(unicodedata.normalize("NFKC", text))
    words = _WORD.findall(text)
    words += [part for word in words if _has_humps(word) for part in _HUMP.findall(word)]
    kept = [word for word in words if len(word) <= _WORD_CHARS_MAX]
    stems: list[str] = _STEMMER.english.stemWords(_folded(" ".join(kept)).split())
    return stems


LINKING = frozenset(crc32(stem.encode()) for stem in _LINKING)


def _folded(text: str) -> str:
    """Return a text in small letters without accents."""
    if text.isascii():
        return text.lower()
    parted = unicodedata.normalize("NFD", text.casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", parted))


def _has_humps(word: str) -> bool:
    return not word[1:].islower() and not word.isupper() and _CAMEL.fullmatch(word) is not None


def _paired_signs(text: str) -> str:
    """Pair the signs of scripts without spaces; each also stands alone at the end, once.

    A word there may be one sign long.
    """
    signs = dict.fromkeys("".join(_UNSPACED.findall(text)))
    return " ".join([_UNSPACED.sub(_paired, text), *signs])


def _paired(run: re.Match[str]) -> str:
    """Return the pairs of neighbours in a run of signs; a run of one is itself.

    Tone marks and the like are left out: they would end a word.
    """
    signs = "".join(filter(str.isalnum, run.group()))
    pairs = [signs[at : at + 2] for at in range(len(signs) - 1)]
    return f" {' '.join(pairs) or signs} "
