"""The second look at sentences that nothing backs: what a model is asked, and what is believed.

Pure; called by `agents.manager`. A model is shown the sentences and the passages and names, for
each, the words of a passage that say it or say otherwise. It is never believed by itself: the words
have to stand in that passage, and the sentence must say nothing that they don't. Whether one word
is another's synonym no guard can tell; there the model is believed only where it has not fallen for
any of the decoys among the sentences (`agents.answers.decoys`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agents.answers.decoys import decoys
from agents.evidence.alignment import Alignment, Reason
from agents.evidence.backing import place_of
from agents.evidence.extraction import cite
from agents.evidence.languages import language_of
from agents.evidence.verdict import MIDDLE, STRICT
from agents.evidence.words import Word, words
from agents.planning.lenient_json import Unreadable, read_json
from cluster.kernel.events import Corrected
from cluster.kernel.tasks.corrections import spot_of
from cluster.kernel.vocabulary import Answer, Citation, Claim, Passage, Support

LOOKED_AT_MAX = 8
SHOWN_CHARS_MAX = 24_000
"""What of the passages is shown: a second look is worth one request of middle size."""
SUPPORTS = "supports"
CONTRADICTS = "contradicts"
NONE = "none"
SHARE_MIN = 0.4
"""Of the words of a sentence with content, what has to stand in the quote. On WiCE's development
set no quote whatever of the sources passes for one of the 38 claims that are unverified and not
supported, and of a strong model's false sentences none does."""
_QUOTE_LENGTH_MAX = 600
_TEXT_LENGTH_MAX = 16_000
_SYNONYMS = frozenset({Reason.WORD})
_OTHERWISE = frozenset({Reason.NUMBER, Reason.UNIT, Reason.NAME, Reason.NEGATION})
_NUMBER = re.compile(r"\s*\[?(\d{1,5})\]?\s*", re.ASCII)
_NAMES = frozenset({"name", "mixed", "code"})


@dataclass(frozen=True, slots=True)
class Doubt:
    """An unverified sentence and its place among the claims of its answer."""

    claim: int
    text: str


@dataclass(frozen=True, slots=True)
class Look:
    """What a model is shown: passages, and sentences of which some are decoys."""

    passages: tuple[Passage, ...]
    sentences: tuple[str, ...]
    doubts: Mapping[int, Doubt]
    """By the index of the sentence; the others are decoys."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What a model says of one sentence; both numbers from 1."""

    sentence: int
    says: str
    passage: int
    quote: str


def doubts(answer: Answer) -> list[Doubt]:
    """Return the first unverified sentences; not code and table rows, which have no place."""
    found = [
        Doubt(at, claim.text) for at, claim in enumerate(answer.claims) if _is_open(claim, answer)
    ]
    return found[:LOOKED_AT_MAX]


def _is_open(claim: Claim, answer: Answer) -> bool:
    return claim.support is Support.UNVERIFIED and spot_of(claim, answer.text) is not None


def look_at(answer: Answer, passages: Sequence[Passage]) -> Look | None:
    """Return what to ask about an answer; None where nothing is in doubt or there is no passage."""
    doubted = doubts(answer)
    if not doubted or not passages:
        return None
    shown: list[tuple[str, Doubt | None]] = [(doubt.text, doubt) for doubt in doubted]
    for at, decoy in enumerate(decoys(passages)):
        # Among the others: what always comes last is told from them by its place.
        shown.insert(2 * at + 1, (decoy, None))
    return Look(
        tuple(passages),
        tuple(text for text, _ in shown),
        {at: doubt for at, (_, doubt) in enumerate(shown) if doubt is not None},
    )


def look_schema(sentences: int, passages: int) -> dict[str, object]:
    """Return the JSON schema of what a model is to say of so many sentences."""
    members: dict[str, object] = {
        "sentence": {"type": "integer", "minimum": 1, "maximum": sentences},
        "says": {"enum": [SUPPORTS, CONTRADICTS, NONE]},
        "passage": {"type": "integer", "minimum": 0, "maximum": passages},
        "quote": {"type": "string", "maxLength": _QUOTE_LENGTH_MAX},
    }
    item = _object(members)
    return _object({"sentences": {"type": "array", "items": item, "maxItems": sentences}})


def _object(members: Mapping[str, object]) -> dict[str, object]:
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


def corrections(text: str, look: Look, known: str) -> tuple[Corrected, ...]:
    """Return what may be believed of a model's text, at most one correction a sentence.

    Args:
        text: what the model wrote.
        look: what it was shown.
        known: what needs no source, as the goal.
    """
    said = _read(text)
    is_trusted = _has_seen_through(said, look)
    found: dict[int, Corrected] = {}
    for each in said:
        doubt = look.doubts.get(each.sentence - 1)
        if doubt is not None and each.says != NONE and 0 < each.passage <= len(look.passages):
            passage = look.passages[each.passage - 1]
            correction = _correction(doubt, each, passage, known, is_trusted=is_trusted)
            if correction is not None:
                found.setdefault(doubt.claim, correction)
    return tuple(found.values())


def _has_seen_through(said: Sequence[_Said], look: Look) -> bool:
    """Say whether a model has judged every decoy, and has found none of them supported."""
    false = set(range(len(look.sentences))) - look.doubts.keys()
    judged = {each.sentence - 1 for each in said}
    believed = {each.sentence - 1 for each in said if each.says == SUPPORTS}
    return bool(false) and false <= judged and false.isdisjoint(believed)


def _correction(
    doubt: Doubt, said: _Said, passage: Passage, known: str, *, is_trusted: bool
) -> Corrected | None:
    citation = _verbatim(said.quote, passage)
    if citation is None:
        return None
    language = language_of(passage.text)
    claim, quote = words(doubt.text, language), words(citation.quote, language)
    free = frozenset(
        word.key for word in words(f"{known}\n{place_of(passage)}", language) if word.has_content
    )
    if said.says == CONTRADICTS:
        if _is_denied(claim, quote, free):
            return Corrected(doubt.claim, "", Support.UNVERIFIED, (citation,))
        return None
    if not _is_said(claim, quote, free, is_trusted=is_trusted):
        return None
    return Corrected(doubt.claim, doubt.text, Support.PARAPHRASED, (citation,))


def _verbatim(quote: str, passage: Passage) -> Citation | None:
    """Return where a quote stands in a passage, but for white space; None where it doesn't."""
    parts = quote[:_QUOTE_LENGTH_MAX].split()
    match = re.search(r"\s+".join(map(re.escape, parts)), passage.text) if parts else None
    if match is None or any(match.start() < at < match.end() for at in passage.breaks):
        return None
    return cite(passage, match.start(), match.end())


def _is_said(
    claim: Sequence[Word], quote: Sequence[Word], free: frozenset[str], *, is_trusted: bool
) -> bool:
    """Say whether a sentence says nothing that a quote doesn't, and enough of what it does.

    The closer it is to the quote, the more a single other word says; there the model has to be one
    that is trusted.
    """
    there = {word.key for word in quote}
    content = [word for word in claim if word.has_content]
    shared = sum(word.key in there for word in content)
    if not shared or shared < SHARE_MIN * len(content):
        return False
    if any(word.kind == "number" and word.key not in there for word in claim):
        return False
    if any(word.kind in _NAMES and word.key not in there | free for word in claim):
        return False
    found = Alignment(claim, quote, free)
    if _denies(claim) != _denies(quote) or found.faults - _SYNONYMS:
        return False
    return is_trusted or not found.faults or found.closeness < STRICT


def _is_denied(claim: Sequence[Word], quote: Sequence[Word], free: frozenset[str]) -> bool:
    """Say whether most of a sentence stands in a quote, but with something else in it."""
    if not {word.key for word in claim}.intersection(word.key for word in quote):
        return False
    found = Alignment(claim, quote, free)
    return found.closeness >= MIDDLE and bool(found.faults & _OTHERWISE)


def _denies(said: Sequence[Word]) -> bool:
    return any(word.guard == "not" for word in said)


def _read(text: str) -> list[_Said]:
    """Return what a model's JSON says of sentences; nothing where it can't be read."""
    text = text[:_TEXT_LENGTH_MAX]
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    if start < 0:
        return []
    try:
        value = read_json(text, start).value
    except Unreadable:
        return []
    items = value.get("sentences", [value]) if isinstance(value, dict) else value
    return [said for each in _mappings(items) if (said := _said(each)) is not None]


def _mappings(items: object) -> Iterable[Mapping[str, object]]:
    return (each for each in items if isinstance(each, dict)) if isinstance(items, list) else ()


def _said(item: Mapping[str, object]) -> _Said | None:
    sentence, passage = _number(item.get("sentence")), _number(item.get("passage"))
    says, quote = item.get("says"), item.get("quote")
    if not isinstance(says, str) or says not in (SUPPORTS, CONTRADICTS, NONE):
        return None
    return _Said(sentence, says, passage, quote if isinstance(quote, str) else "")


def _number(value: object) -> int:
    """Return a number that may be written as text; 0 where it is none."""
    match = _NUMBER.fullmatch(str(value))
    return int(match[1]) if match else 0
