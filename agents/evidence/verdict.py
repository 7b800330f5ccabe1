"""The level of a sentence: quoted, paraphrased, unverified or contradicted by its sources.

Pure; the one place that decides it. A sentence that stands near-verbatim in a source is judged by
its differences from it, any other by a score over windows of sentences (`weights.json`, a logistic
regression trained by `benchmarks/train_evidence.py`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from importlib import resources

from agents.evidence.alignment import Alignment, Reason
from agents.evidence.denials import is_denied_otherwise
from agents.evidence.features import WINDOW, Measured, Sources
from agents.evidence.words import Word, as_written_there, words

NEAR = 0.75
"""From this closeness on a sentence is judged by its differences alone."""
MIDDLE = 0.6
"""From here on, a fault that can't be a synonym leaves it unverified."""
STRICT = 0.82
OVERLAP = 0.99
"""From here on a sentence says otherwise what one of a source says with the same words."""
_ORDINAL = ("st", "nd", "rd", "th")
_YEAR = re.compile(r"(?:19|20)\d\d")
_FREE_ORDER = frozenset(("cs", "el", "fi", "hu", "ja", "ko", "pl", "ru", "tr"))
"""Languages whose words tell by their ends or by particles who does what: swapped parts of a
sentence contradict nothing there."""
JOINED = 0.93
"""From here on neighbours that were laid together are judged like one sentence."""


class Level(Enum):
    """What backs a sentence, the best first."""

    QUOTED = "quoted"
    PARAPHRASED = "paraphrased"
    UNVERIFIED = "unverified"
    CONTRADICTED = "contradicted"

    @property
    def is_backed(self) -> bool:
        """Say whether a source backs it."""
        return self in (Level.QUOTED, Level.PARAPHRASED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A level, why it is no better, and the units of the sources it was found by."""

    level: Level
    units: tuple[int, ...] = ()
    reason: Reason | None = None
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Weights:
    """A logistic regression: standardised features, bias and threshold."""

    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float
    threshold: float

    def score(self, features: Sequence[float]) -> float:
        """Return how likely a sentence with these features is supported, from 0 to 1."""
        rows = zip(features, self.means, self.scales, self.weights, strict=True)
        z = self.bias + sum((x - mean) / scale * w for x, mean, scale, w in rows)
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, z))))


@cache
def shipped_weights() -> Weights:
    """Return the weights that the package ships."""
    text = resources.files("agents.evidence").joinpath("weights.json").read_text("utf-8")
    values = json.loads(text)
    return Weights(
        tuple(values["means"]),
        tuple(values["scales"]),
        tuple(values["weights"]),
        values["bias"],
        values["threshold"],
    )


class Judge:
    """Judges sentences by passages; what is `known` needs no source."""

    def __init__(self, sources: Sources, known: str = "", weights: Weights | None = None) -> None:
        self.sources = sources
        self._weights = weights or shipped_weights()
        self._masks = sources.masks() or {sources.language: 0}
        said = [*(words(known, language) for language in self._masks), *sources.titles]
        self._known = frozenset(word.key for each in said for word in each if word.has_content)
        self._all = (1 << len(sources.titles)) - 1
        self._verdicts: dict[tuple[str, tuple[int, ...]], Verdict] = {}
        """All there were: a text that is being written is judged again and again."""

    def verdict(self, sentence: str, cited: Sequence[int] = ()) -> Verdict:
        """Return the level of a sentence, always the same.

        Args:
            sentence: with or without Markdown and citations.
            cited: indexes of the passages it names; the others are looked at where they don't do.
        """
        asked = (sentence, tuple(cited))
        found = self._verdicts.get(asked)
        if found is None:
            found = self._verdicts[asked] = self._verdict(sentence, cited)
        return found

    def _verdict(self, sentence: str, cited: Sequence[int]) -> Verdict:
        mask = sum(1 << at for at in set(cited) if 0 <= at < len(self.sources.titles))
        found: list[Verdict] = []
        for language, there in self._masks.items():
            settled = as_written_there(sentence, language, self.sources.has_digits)
            claim = words(settled, language)
            if any(word.has_content for word in claim) and self.sources.units:
                found.append(self._by_text(claim, mask & there, there))
        backed = [each for each in found if each.level.is_backed]
        if backed:
            return min(backed, key=lambda each: _ORDER[each.level])
        return max(
            found,
            key=lambda each: (_ORDER[each.level], each.score),
            default=Verdict(Level.UNVERIFIED),
        )

    def _by_text(self, claim: tuple[Word, ...], mask: int, there: int) -> Verdict:
        """Return the level by the passages of one language: those that are cited, and all."""
        found = self._by(claim, mask) if mask else Verdict(Level.UNVERIFIED)
        if found.level is Level.QUOTED or mask == there:
            return found
        others = self._by(claim, there)
        return others if not mask else _joint(found, others)

    def _by(self, claim: tuple[Word, ...], mask: int) -> Verdict:
        measured = self.sources.measure(claim, mask)
        best: Verdict | None = None
        closest: Alignment | None = None
        exchanged: Reason | None = None
        keys = [word.key for word in claim]
        for units in self._candidates(keys, measured):
            alone = closest if len(units) > 1 else None
            is_decided = alone is not None and _is_decided(alone)
            if is_decided or not self._may_be_near(keys, units):
                continue
            found = Alignment(claim, self._words(units), self._around(units[0]))
            if best is None and found.closeness >= MIDDLE:
                exchanged = exchanged or found.exchanged
            if alone is not None and not _may_join(alone, found):
                continue
            language = self.sources.languages[self.sources.units[units[0]].source]
            verdict = _near(found, units, may_order=language in _FREE_ORDER)
            if verdict is not None and (best is None or _ORDER[verdict.level] < _ORDER[best.level]):
                best = verdict
                if best.level.is_backed:
                    return best
            if len(units) == 1 and (closest is None or found.closeness > closest.closeness):
                closest = found
        if best is not None:
            return best
        scored = self._scored(claim, measured, closest)
        if scored.level.is_backed and exchanged is not None:
            return replace(scored, level=Level.UNVERIFIED, reason=exchanged)
        return scored

    def _may_be_near(self, keys: Sequence[str], units: Sequence[int]) -> bool:
        """Say whether units have enough of a sentence's words, in whatever order.

        Words that it may add count too: 'It holds 512' is near 'the cache holds 512'.
        """
        there = self.sources.units[units[0]].there
        if len(units) > 1:
            there = there.union(*(self.sources.units[at].there for at in units[1:]))
        if sum(map(there.__contains__, keys)) >= MIDDLE * len(keys):
            return True
        around = self._around(units[0])
        return sum(key in there or key in around for key in keys) >= NEAR * len(keys)

    def _words(self, units: Sequence[int]) -> Sequence[Word]:
        if len(units) == 1:
            return self.sources.units[units[0]].words
        return [word for at in units for word in self.sources.units[at].words]

    def _candidates(self, keys: Sequence[str], measured: Measured) -> Iterator[tuple[int, ...]]:
        """Yield what the sentence may be laid along: single units, then neighbours together."""
        for at in measured.near:
            yield (at,)
        pairs = [pair for at in measured.near[:1] for pair in ((at - 1, at), (at, at + 1))]
        for first, second in pairs:
            units = self.sources.units
            is_there = first >= 0 and second < len(units)
            if is_there and units[first].source == units[second].source:
                yield (first, second)
        if len(measured.window) == WINDOW:
            yield measured.window
            if sum(len(self.sources.units[at].keys) for at in measured.window) < len(keys):
                yield self._run(frozenset(keys), len(keys), measured.window)

    def _run(self, said: frozenset[str], length: int, window: Sequence[int]) -> tuple[int, ...]:
        """Return a window with the neighbours that a longer sentence seems to run over."""
        units = self.sources.units
        first, last = window[0], window[-1]
        left = length - sum(len(units[at].keys) for at in window)
        while left > 0:
            beside = [
                at
                for at in (first - 1, last + 1)
                if 0 <= at < len(units) and units[at].source == units[first].source
            ]
            shares = {at: self._share(at, said) for at in beside}
            best = max(beside, key=shares.__getitem__, default=first)
            if shares.get(best, 0.0) < _RUN_SHARE:
                break
            first, last = min(first, best), max(last, best)
            left -= len(units[best].keys)
        return tuple(range(first, last + 1))

    def _share(self, at: int, said: frozenset[str]) -> float:
        """Return the share of a unit's words that a sentence has."""
        keys = self.sources.units[at].keys
        return sum(map(said.__contains__, keys)) / len(keys)

    def _around(self, at: int) -> frozenset[str]:
        """Return the keys that a sentence may add: of the goal, titles and the line before."""
        unit = self.sources.units[at]
        before = self.sources.units[at - 1] if at else unit
        return self._known | before.there if before.source == unit.source else self._known

    def _scored(
        self, claim: Sequence[Word], measured: Measured, closest: Alignment | None
    ) -> Verdict:
        score = self._weights.score(measured.features)
        units = measured.window or measured.near[:1]
        reason = self._guard(claim, units, measured.near)
        if reason is None and closest is not None:
            if closest.closeness >= MIDDLE:
                reason = self._middle_fault(claim, closest)
            if reason is None and closest.overlap >= OVERLAP and closest.faults - _SOFT:
                reason = min(closest.faults - _SOFT)
        said = {word.key for word in claim if word.has_content and not word.guard}
        is_alone = sum(self.sources.has(key, self._all) for key in said) < _ALONE_MIN
        if score < self._weights.threshold or reason is not None or is_alone:
            return Verdict(Level.UNVERIFIED, units, reason, score)
        return Verdict(Level.PARAPHRASED, units, None, score)

    def _middle_fault(self, claim: Sequence[Word], found: Alignment) -> Reason | None:
        """Return what is wrong with a sentence of which more than a half stands in a source."""
        if Reason.NEGATION in found.faults:
            return Reason.NEGATION
        said = {
            Reason.NUMBER: {word.key for word in claim if word.kind == "number"},
            Reason.NAME: {word.key for word in claim if word.kind == "name"},
        }
        if found.closeness >= NEAR:
            said[Reason.LIMIT] = {word.key for word in claim if word.guard == "only"}
        for reason, keys in said.items():
            if reason in found.faults and any(not self._is_said(key) for key in keys):
                return reason
        return None

    def _is_said(self, key: str) -> bool:
        """Say whether a word is known or stands in a source; a year may stand in a date there."""
        is_dated = _YEAR.fullmatch(key) is not None and self.sources.has_digits(key)
        return is_dated or key in self._known or self.sources.has(key, self._all)

    def _guard(
        self, claim: Sequence[Word], units: Sequence[int], near: Sequence[int]
    ) -> Reason | None:
        """Return what a free paraphrase must not say that its window doesn't."""
        there = {key for at in units for key in self._keys(at - 2, at + 2)}
        if "not" not in there and any(word.guard == "not" for word in claim):
            return Reason.NEGATION
        window = [self.sources.units[at].words for at in units]
        if is_denied_otherwise(claim, window, self._known):
            return Reason.NEGATION
        after = [word.raw for word in claim[1:]] + [""]
        if any(self._is_new_number(*each) for each in zip(claim, after, strict=True)):
            return Reason.NUMBER
        mixed = {word.key for word in claim if word.kind == "mixed"} - self._known
        if any(not self.sources.has(key, self._all) for key in mixed):
            return Reason.NAME
        names = {word.key for word in claim if word.kind == "code"}
        if names and near and not self._is_about(names, claim, near[0]):
            return Reason.NAME
        return None

    def _is_new_number(self, word: Word, after: str) -> bool:
        """Say whether a number stands nowhere in the sources.

        Years and ordinals are let through: what stands around a text often tells the year, and
        ordinals are written in words as well.
        """
        if word.kind != "number" or not word.raw[-1:].isdigit() or word.key in self._known:
            return False
        if _YEAR.fullmatch(word.raw) or after in _ORDINAL:
            return False
        return not self.sources.has_digits(word.key.lstrip("-"))

    def _is_about(self, names: set[str], claim: Sequence[Word], at: int) -> bool:
        """Say whether a unit speaks of all the identifiers of a sentence.

        What it is about stands in it or before it; a later unit must say more than the name.
        """
        here = self._keys(at, at)
        others = {word.key for word in claim if word.has_content} - names - here
        left = names - self._keys(at - 2, at) - self._title(at)
        units = self.sources.units
        for later in range(at + 1, len(units)):
            if not left or units[later].source != units[at].source:
                break
            if not others.isdisjoint(units[later].keys):
                left -= self._keys(later - 2, later)
        return not left

    def _keys(self, first: int, last: int) -> set[str]:
        """Return the keys of the units from one to another of one passage."""
        units = self.sources.units
        source = units[min(max(first, 0) + 2, len(units) - 1)].source if first < last else -1
        return {
            key
            for unit in units[max(0, first) : last + 1]
            if source in (-1, unit.source)
            for key in unit.there
        }

    def _title(self, at: int) -> set[str]:
        return {word.key for word in self.sources.titles[self.sources.units[at].source]}


_ORDER = {level: at for at, level in enumerate(Level)}
_RUN_SHARE = 0.5
"""Of a unit's words, how many a sentence must have to run on over it."""
_ALONE_MIN = 2
"""Words of a paraphrase that its sources have: one is a topic, as in 'caches are nice'."""
_SOFT = frozenset({Reason.WORD, Reason.LIMIT})


def _joint(found: Verdict, others: Verdict) -> Verdict:
    """Return the level by the passages that are cited and by all: what is nearer counts."""
    if others.level.is_backed:
        return min(found, others, key=lambda each: _ORDER[each.level])
    if found.level.is_backed:
        return found if others.reason is None else others
    return max(found, others, key=lambda each: _ORDER[each.level])


def _is_decided(alone: Alignment) -> bool:
    """Say whether a single unit contradicts a sentence whatever its neighbours say."""
    return alone.closeness >= NEAR and bool(alone.faults - _SOFT)


def _may_join(alone: Alignment, joined: Alignment) -> bool:
    """Say whether neighbours together may back what one of them alone doesn't say."""
    if alone.closeness < NEAR:
        return True
    return joined.closeness > alone.closeness and not alone.faults - _SOFT


def _near(found: Alignment, units: tuple[int, ...], *, may_order: bool = False) -> Verdict | None:
    """Return what a near-verbatim match decides; None where it is none.

    ``may_order``: in its language another order contradicts nothing.
    """
    is_strict = found.closeness >= STRICT or (len(units) == 1 and found.missing <= 1)
    if found.closeness < NEAR and not is_strict:
        return None
    is_joined = len(units) > 1 and found.closeness < JOINED
    hard = found.faults - (_SOFT | {Reason.ORDER} if is_joined else _SOFT)
    if found.faults and is_joined and (not hard or found.closeness < STRICT):
        return None
    if hard:
        is_free = may_order and hard == {Reason.ORDER}
        return Verdict(Level.UNVERIFIED if is_free else Level.CONTRADICTED, units, min(hard))
    if found.faults:
        return Verdict(Level.UNVERIFIED, units, min(found.faults)) if is_strict else None
    if found.exchanged is not None:
        return Verdict(Level.UNVERIFIED, units, found.exchanged)
    level = Level.QUOTED if found.is_verbatim else Level.PARAPHRASED
    return Verdict(level, units, None, found.closeness)
