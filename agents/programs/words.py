"""Words of programs, goals and outputs, and their stems.

Pure; everything in this package compares words by it. The stems are Snowball's for English: names
in programs are English words, whatever the language of the goal is.
"""

from __future__ import annotations

import re
import threading
from functools import lru_cache

from Stemmer import Stemmer

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"\d+(?:\.\d+)?|[^\W\d_]+")


class _Local(threading.local):
    """A stemmer keeps its last word inside: each thread has one of its own."""

    def __init__(self) -> None:
        self.stemmer = Stemmer("english")


_LOCAL = _Local()


@lru_cache(maxsize=16_384)
def stem(word: str) -> str:
    """Return the stem of one lower-case word; of a number, the number."""
    stemmed: str = _LOCAL.stemmer.stemWord(word)
    return stemmed


def words(text: str) -> list[str]:
    """Return the words and numbers of a text, lower-case; `snake_case` and `camelCase` are two."""
    return [word.lower() for word in _WORD.findall(_CAMEL.sub(" ", text))]


def stems(text: str) -> frozenset[str]:
    """Return the stems of a text's words, and its numbers."""
    return frozenset(map(stem, words(text)))
