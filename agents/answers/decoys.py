"""Sentences that no passage says: a passage's own, each with one word of another one in it.

Pure. `agents.answers.verification` hides them among those it asks about: a model that finds them
supported would find anything supported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import takewhile

from agents.evidence.languages import language_of
from agents.evidence.sentences import Place, sentences
from agents.evidence.words import stem
from cluster.kernel.vocabulary import Passage

DECOYS = 3
_WORD = re.compile(r"(?<![\w`-])[^\W\d_A-Z]{5,20}(?![\w`(-])")
_END = 2
_LENGTH_MIN, _LENGTH_MAX = 40, 300
_PROSE = re.compile(r"[^#={}<>|]+[.!?]")
_LOOKED_AT_MAX = 60
"""Sentences that are looked at for one that will do."""


def decoys(passages: Sequence[Passage]) -> list[str]:
    """Return some false sentences, the same for the same passages.

    There are none where words have no spaces between them.
    """
    language = language_of("\n".join(passage.text for passage in passages))
    told = _sentences(passages)
    others = list(dict.fromkeys(word for text in told for word in _WORD.findall(text)))
    found: list[str] = []
    step = max(1, len(told) // DECOYS)
    for text in (*told[::step], *told):
        decoy = _decoy(text, others, language)
        if decoy and decoy not in found and len(found) < DECOYS:
            found.append(decoy)
    return found


def _sentences(passages: Sequence[Passage]) -> list[str]:
    """Return whole sentences of prose, each on one line."""
    found = (
        " ".join(passage.text[span.start : span.end].split())
        for passage in passages
        for span in sentences(passage.text, language_of(passage.text))
        if span.place is Place.PARAGRAPH
    )
    fit = (text for text in found if _LENGTH_MIN <= len(text) <= _LENGTH_MAX)
    return [text for text in fit if _PROSE.fullmatch(text)][:_LOOKED_AT_MAX]


def _decoy(text: str, others: Iterable[str], language: str) -> str:
    """Put another word in the place of the longest one: one that ends alike, so that it fits."""
    said = list(_WORD.finditer(text))
    stems = {stem(match.group(), language) for match in _WORD.finditer(text.lower())}
    strange = [word for word in others if stem(word, language) not in stems]
    if not said or not strange:
        return ""
    match = max(said, key=lambda each: len(each.group()))
    word = max(strange, key=lambda other: _alike(other, match.group()))
    return f"{text[: match.start()]}{word}{text[match.end() :]}"


def _alike(one: str, other: str) -> int:
    """Return how many of the last letters are the same; of more than those, synonyms are made."""
    ends = zip(reversed(one[-_END:]), reversed(other[-_END:]), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))
