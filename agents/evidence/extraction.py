"""Passages as evidence: verbatim quotes with their lines, and the sentences that answer best.

Pure. What `agents.researcher` cites comes from here, and what it says where the model's own words
are of no use. A word of the question counts the more, the fewer sentences of the passages it is in
(Robertson and Sparck Jones, 1976), so that no language needs a list.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise

from agents.evidence.data.rows import Data
from agents.evidence.features import Sources, Unit
from agents.evidence.sentences import Place
from agents.evidence.words import words
from cluster.kernel.vocabulary import Citation, Passage

EXTRACTED_MAX = 3
RELEVANCE_MIN = 0.3
"""Of the weight of a question's words, the share that its best sentence must have."""
QUOTE_CHARS_MAX = 700
_NEXT_BEST_MIN = 0.6
_FOLLOWING = 2
_SURE = 0.5
"""A sentence with so much of the question's weight answers by itself."""
_FOLLOWING_SHARE = 0.75
_WORDS_MIN = 4
_CELLS_MIN = 2
_WORDS_IDEAL = 40
_LENGTH_MAX = 600
_TITLE_SHARE = 0.5
_GOAL_SHARE = 0.5
_PRONOUN_SHARE = 0.7
_ROW_SHARE = 0.9
_PART_MIN = 5
"""Letters of a word that an identifier may have in it: `nlargest` is about the largest."""
_SENTENCE_END = re.compile(r"[.!?。！？][\"'”’)\]*_`」』]*$")  # noqa: RUF001
_RST_ROLE = re.compile(r":[\w:]{1,30}:`~?([^`<]+?)(?:\s*<[^`>]*>)?`")
_LITERAL = re.compile(r"``([^`]+)``")
_LINE_START = re.compile(r"\n[ \t]*(?:>[ \t]?|#+[ \t]+|//+[ \t]*|\*[ \t]+|#+$)?")


@dataclass(frozen=True, slots=True)
class Extract:
    """A sentence of a passage, fit to be shown, and how much it has to do with the question."""

    text: str
    citation: Citation
    relevance: float
    """Share of the weight of the question's words that are in it, from 0 to 1."""


def cite(passage: Passage, start: int, end: int) -> Citation:
    """Return the citation of a run of a passage; where the file has tags in it, of its longest run.

    The quote is cut at a line where it would be longer than `QUOTE_CHARS_MAX`.
    """
    bounds = sorted({start, end, *passage.breaks})
    inside = [bound for bound in bounds if start <= bound <= end]
    runs = list(pairwise(inside))
    start, end = max(runs, key=lambda run: len(passage.text[run[0] : run[1]].strip()))
    quote = passage.text[start:end]
    start += len(quote) - len(quote.lstrip())
    quote = quote.strip()
    if len(quote) > QUOTE_CHARS_MAX and "\n" in quote[:QUOTE_CHARS_MAX]:
        quote = quote[: quote.rindex("\n", 0, QUOTE_CHARS_MAX)].rstrip()
    first, last = passage.start_line, passage.end_line
    if passage.text.count("\n") == last - first:
        first += passage.text.count("\n", 0, start)
        last = first + quote.count("\n")
    return Citation(
        passage.source, first, last, quote, page=passage.page, document=passage.document
    )


def lies_in(citation: Citation, passage: Passage) -> bool:
    """Say whether a quote stands in a passage."""
    is_there = (citation.source, citation.page) == (passage.source, passage.page)
    return is_there and citation.quote in passage.text


def quote_of(passages: Sequence[Passage], units: Sequence[Unit]) -> Citation:
    """Return the citation of units of one passage, from the first to the last of them."""
    start = min(unit.span.start for unit in units)
    end = max(unit.span.end for unit in units)
    if end - start > QUOTE_CHARS_MAX:
        start, end = units[0].span.start, units[0].span.end
    return cite(passages[units[0].source], start, end)


def extracts(
    question: str, passages: Sequence[Passage], sources: Sources, goal: str = ""
) -> list[Extract]:
    """Return the one to three sentences that answer best, in the order of the passages.

    Nothing is returned where no sentence has enough of the question's words; those of the goal
    that it is part of count half. ``sources`` are the passages laid out, in their order.
    """
    wanted = {w.key: _GOAL_SHARE for w in words(goal, sources.language) if w.has_content}
    wanted |= {w.key: 1.0 for w in words(question, sources.language) if w.has_content}
    heads = _table_heads(sources.units)
    candidates = [unit for unit in _whole(passages, sources) if unit not in heads]
    weights = _weights(wanted, candidates)
    total = sum(weight for key, weight in weights.items() if wanted[key] == 1)
    if not candidates or not total:
        return []
    titles = [{word.key for word in title} for title in sources.titles]
    scored = [
        (min(1.0, _score(unit, titles[unit.source], weights) / total), place, unit)
        for place, unit in enumerate(candidates)
    ]
    scored = _with_following(scored, wanted.keys())
    scored.sort(key=lambda entry: (-entry[0], entry[1]))
    best = scored[0][0]
    if best < RELEVANCE_MIN:
        return []
    chosen: dict[tuple[str, ...], tuple[int, Extract]] = {}
    for relevance, place, unit in scored:
        if relevance < best * _NEXT_BEST_MIN or len(chosen) == EXTRACTED_MAX:
            break
        passage = passages[unit.source]
        citation = cite(passage, unit.span.start, unit.span.end)
        chosen.setdefault(unit.keys, (place, Extract(_text(unit, passage), citation, relevance)))
    return [extract for _, extract in sorted(chosen.values(), key=lambda entry: entry[0])]


def nearest_lines(passages: Sequence[Passage], sources: Sources) -> list[Extract]:
    """Return the first whole sentence of each of the first passages, as it stands.

    Of one that has none, as a list of names or a program, its first line that is no heading.
    """
    found: dict[int, Unit] = {}
    for unit in _whole(passages, sources):
        found.setdefault(unit.source, unit)
    others = (unit for unit in sources.units if unit.span.place is not Place.HEADING)
    for unit in (*others, *sources.units):
        found.setdefault(unit.source, unit)
    return [
        Extract(
            _text(unit, passages[unit.source]),
            cite(passages[unit.source], unit.span.start, unit.span.end),
            0.0,
        )
        for _, unit in sorted(found.items())[:EXTRACTED_MAX]
    ]


def _text(unit: Unit, passage: Passage) -> str:
    """Return a unit as it is shown: code as code."""
    text = shown(passage.text[unit.span.start : unit.span.end])
    is_code = unit.span.place is Place.CODE and "`" not in text
    return f"`{text}`" if is_code else text


def shown(text: str) -> str:
    """Return a quoted sentence as Markdown on one line."""
    text = _LITERAL.sub(r"`\1`", _RST_ROLE.sub(r"`\1`", text))
    return " ".join(_LINE_START.sub(" ", text).split())


def _whole(passages: Sequence[Passage], sources: Sources) -> list[Unit]:
    """Return the units that can stand alone."""
    texts = [(each.text, each.title) for each in passages]
    data = Data.of(texts, sources.languages, [(each.source, each.span) for each in sources.units])
    return [
        unit
        for at, unit in enumerate(sources.units)
        if _is_whole(
            unit,
            passages[unit.source].text[unit.span.start : unit.span.end],
            is_data=at in data.units,
            has_ends=sources.languages[unit.source] != "th",
        )
    ]


def _is_whole(unit: Unit, text: str, *, is_data: bool, has_ends: bool) -> bool:
    """Say whether a unit can stand alone: no heading, no program, no question, no cut-off line.

    ``has_ends`` says whether its language ends a sentence with a mark.
    """
    is_row = unit.span.place in (Place.ROW, Place.CODE)
    least = _CELLS_MIN if is_row else _WORDS_MIN
    if len(unit.words) < least or len(text) > _LENGTH_MAX or text.endswith(("?", "？")):  # noqa: RUF001
        return False
    is_setting = is_data and unit.span.place in (Place.CODE, Place.PARAGRAPH)
    if unit.span.place in (Place.ITEM, Place.ROW) or is_setting:
        return not text.rstrip().endswith((":", "："))  # noqa: RUF001
    begins = (
        unit.words[0].kind in ("code", "mixed", "number")
        or not text.lstrip("\"'(`*_")[:1].islower()
    )
    is_ended = not has_ends or bool(_SENTENCE_END.search(text))
    return unit.span.place is Place.PARAGRAPH and begins and is_ended


def _with_following(
    scored: list[tuple[float, int, Unit]], wanted: AbstractSet[str]
) -> list[tuple[float, int, Unit]]:
    """Return scores with those of the sentences behind the best one raised.

    What a documentation names in one sentence it explains in the next, in other words.
    """
    best, place, unit = max(scored, key=lambda entry: (entry[0], -entry[1]))
    if best >= _SURE:
        return scored
    behind = range(place + 1, place + 1 + _FOLLOWING)
    floor = best * _FOLLOWING_SHARE
    return [
        (max(score, floor), at, each)
        if at in behind and each.source == unit.source and not wanted.isdisjoint(each.keys)
        else (score, at, each)
        for score, at, each in scored
    ]


def _table_heads(units: Sequence[Unit]) -> list[Unit]:
    """Return the first rows of tables: they name what the others say."""
    before = (None, *units[:-1])
    return [
        unit
        for last, unit in zip(before, units, strict=False)
        if unit.span.place is Place.ROW
        and (last is None or last.span.place is not Place.ROW or last.source != unit.source)
        and all(word.kind != "number" for word in unit.words)
    ]


def _weights(wanted: dict[str, float], candidates: Sequence[Unit]) -> dict[str, float]:
    """Return the rarity of each wanted word; of one that is nowhere, that of the rarest."""
    counts = Counter(key for unit in candidates for key in set(unit.keys) & wanted.keys())
    number = len(candidates)
    if not number:
        return {}
    return {
        key: share * math.log(1 + number / max(1, counts[key])) for key, share in wanted.items()
    }


def _score(unit: Unit, title: set[str], weights: dict[str, float]) -> float:
    there = set(unit.keys)
    code = [word.key for word in unit.words if word.kind in ("code", "mixed")]
    there.update(
        key
        for key in weights
        if len(key) >= _PART_MIN and key.isalpha() and any(key in each for each in code)
    )
    score = sum(weight for key, weight in weights.items() if key in there)
    score += sum(w * _TITLE_SHARE for key, w in weights.items() if key in title - there)
    if unit.words[0].kind == "glue" and unit.words[0].key in _POINTING:
        score *= _PRONOUN_SHARE
    if unit.span.place is Place.ROW:
        score *= _ROW_SHARE
    return score * min(1.0, math.sqrt(_WORDS_IDEAL / max(_WORDS_IDEAL, len(unit.words))))


_POINTING_WORDS = "it this these they he she es sie dies diese er ello esto"
_POINTING = frozenset(_POINTING_WORDS.split())
"""At the head of a sentence they stand for what an earlier one was about."""
