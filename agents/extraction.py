"""Passages as evidence: verbatim quotes with their lines, and the sentences that answer best.

Pure. What `agents.researcher` cites comes from here, and what it says where the model's own words
are of no use.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from agents.claims import read
from agents.grounding import evidence_of, find_support
from agents.sentences import Place, Span, sentences
from agents.wishes import subject
from cluster.kernel.tasks import Citation, Passage

EXTRACTED_MAX = 3
RELEVANCE_MIN = 0.3
"""Of the weight of a question's words, the share that its best sentence must have."""
_NEXT_BEST_MIN = 0.6
_WORDS_MIN = 4
_WORDS_IDEAL = 40
_LENGTH_MAX = 600
_TITLE_SHARE = 0.5
_PRONOUN_SHARE = 0.7
_RST_ROLE = re.compile(r":[\w:]{1,30}:`~?([^`<]+?)(?:\s*<[^`>]*>)?`")
_SENTENCE_END = re.compile(r"[.!?][\"'”’)\]*_`]*$")  # noqa: RUF001
_LITERAL = re.compile(r"``([^`]+)``")
_LINE_START = re.compile(r"\n[ \t]*(?:>[ \t]?|#+[ \t]+|//+[ \t]*|\*[ \t]+)?")


@dataclass(frozen=True, slots=True)
class Support:
    """A sentence of a passage that says what was claimed."""

    passage: Passage
    span: Span

    @property
    def citation(self) -> Citation:
        """The verbatim quote, with the lines it stands at."""
        return cite(self.passage, self.span)


@dataclass(frozen=True, slots=True)
class Extract:
    """A sentence of a passage, fit to be shown, and how much it has to do with the question."""

    text: str
    support: Support
    relevance: float
    """Share of the weight of the question's words that are in it, from 0 to 1."""


def support_for(
    sentence: str, passages: Sequence[Passage], after: Support | None = None
) -> Support | None:
    """Return what supports a sentence, looked for in the passages in their order.

    ``after`` is what supports the sentence before it.
    """
    for passage in passages:
        is_same = after is not None and after.passage == passage
        previous = after.span if after is not None and is_same else None
        span = find_support(sentence, passage.text, passage.title, previous)
        if span is not None:
            return Support(passage, span)
    return None


def cite(passage: Passage, span: Span) -> Citation:
    """Return the citation of a sentence; where the file has tags in it, of its longest run."""
    bounds = sorted({span.start, span.end, *passage.breaks})
    inside = [bound for bound in bounds if span.start <= bound <= span.end]
    runs = list(pairwise(inside))
    start, end = max(runs, key=lambda run: len(passage.text[run[0] : run[1]].strip()))
    quote = passage.text[start:end]
    start += len(quote) - len(quote.lstrip())
    quote = quote.strip()
    first, last = passage.start_line, passage.end_line
    if passage.text.count("\n") == last - first:
        first += passage.text.count("\n", 0, start)
        last = first + quote.count("\n")
    return Citation(passage.source, first, last, quote)


def extracts(question: str, passages: Sequence[Passage]) -> list[Extract]:
    """Return the one to three sentences that answer best, in the order of the passages.

    A word counts the more, the fewer sentences it is in. Nothing is returned where no sentence
    has enough of the question's words.
    """
    wanted = subject(question)
    candidates = [found for passage in passages for found in _candidates(passage)]
    weights = _weights(wanted, candidates)
    total = sum(weights.values())
    if not total:
        return []
    scored = [
        (_score(candidate, weights) / total, place, candidate)
        for place, candidate in enumerate(candidates)
    ]
    scored.sort(key=lambda entry: (-entry[0], entry[1]))
    best = scored[0][0]
    if best < RELEVANCE_MIN:
        return []
    chosen: dict[str, tuple[int, Extract]] = {}
    for relevance, place, candidate in scored:
        if relevance < best * _NEXT_BEST_MIN or len(chosen) == EXTRACTED_MAX:
            break
        extract = Extract(candidate.text, candidate.support, relevance)
        chosen.setdefault(read(candidate.text).plain, (place, extract))
    return [extract for _, extract in sorted(chosen.values(), key=lambda entry: entry[0])]


def shown(text: str) -> str:
    """Return a quoted sentence as Markdown on one line."""
    text = _LITERAL.sub(r"`\1`", _RST_ROLE.sub(r"`\1`", text))
    return " ".join(_LINE_START.sub(" ", text).split())


@dataclass(frozen=True, slots=True)
class _Candidate:
    text: str
    support: Support
    keys: frozenset[str]
    title: frozenset[str]
    words: int
    is_pronoun_led: bool


def _candidates(passage: Passage) -> list[_Candidate]:
    found: list[_Candidate] = []
    asserted = {evidence.span: evidence for evidence in evidence_of(passage.text, passage.title)}
    for span in sentences(passage.text):
        evidence = asserted.get(span)
        text = shown(passage.text[span.start : span.end])
        words = len(text.split())
        is_prose = span.place in (Place.PARAGRAPH, Place.ITEM) and len(text) <= _LENGTH_MAX
        is_whole = span.place is Place.ITEM or bool(_SENTENCE_END.search(text))
        if evidence is None or not (is_prose and is_whole) or words < _WORDS_MIN:
            continue
        claim = evidence.claim
        found.append(
            _Candidate(
                text,
                Support(passage, span),
                frozenset(key for token in claim.content for key in _keys(token.key)),
                frozenset(token.key for token in read(passage.title).content),
                words,
                claim.is_pronoun_led,
            )
        )
    return found


def _keys(key: str) -> set[str]:
    """Return what a word or a piece of code can be asked for by."""
    return {key, key.lower(), *re.findall(r"\w+", key.lower())}


def _weights(wanted: frozenset[str], candidates: Sequence[_Candidate]) -> dict[str, float]:
    """Return the rarity of each wanted word; of one that is nowhere, that of the rarest."""
    counts = Counter(
        key for each in candidates for key in {k for w in wanted for k in _found(w, each)}
    )
    number = len(candidates)
    return {key: math.log(1 + number / max(1, counts[key])) for key in wanted} if number else {}


def _found(key: str, candidate: _Candidate) -> set[str]:
    is_there = not _keys(key).isdisjoint(candidate.keys)
    return {key} if is_there else set()


def _score(candidate: _Candidate, weights: dict[str, float]) -> float:
    score = 0.0
    for key, weight in weights.items():
        if _found(key, candidate):
            score += weight
        elif key in candidate.title:
            score += weight * _TITLE_SHARE
    if candidate.is_pronoun_led:
        score *= _PRONOUN_SHARE
    return score * min(1.0, math.sqrt(_WORDS_IDEAL / max(_WORDS_IDEAL, candidate.words)))
