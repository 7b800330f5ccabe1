"""How the judge takes changed sentences, the same sentences unchanged, and how long it takes.

Figures of `benchmarks.bench_evidence`: from XQuAD's passages, and for code from the docstrings of
Python's own library.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents.evidence.alignment import Reason
from agents.evidence.features import Sources
from agents.evidence.verdict import Judge, Verdict
from agents.evidence.words import words
from benchmarks.changed_sentences import (
    CODE_KINDS,
    PROSE_KINDS,
    Changed,
    from_texts,
    plain_sentences,
)
from benchmarks.harness import Figure, Goal, percentile, sample_figure, share_figure

ALL_GOAL = Goal(">=", 0.95)
KIND_GOALS = {
    "number": Goal(">=", 0.99),
    "number in code": Goal(">=", 0.99),
    "unit": Goal(">=", 0.99),
    "identifier": Goal(">=", 0.99),
    "negation in": Goal(">=", 0.97),
    "negation out": Goal(">=", 0.97),
    "name": Goal(">=", 0.97),
    "names swapped": Goal(">=", 0.85),
    "words swapped": Goal(">=", 0.85),
    "tense": Goal(">=", 0.85),
}
TIME_GOAL = Goal("<=", 500)
PASSAGES = 20
_SENTENCES_OF_A_LAYOUT = 100


@dataclass(frozen=True, slots=True)
class Judged:
    """A sentence, how it was changed (empty: not at all), and what the judge says."""

    kind: str
    text: str
    verdict: Verdict


def judged_changes(prose: Sequence[str], code: Sequence[str]) -> list[Judged]:
    """Return the verdicts on the changed sentences, and on the sentences as they stand."""
    changed = [*from_texts([*prose], PROSE_KINDS), *from_texts([*code], CODE_KINDS)]
    unchanged = [
        Changed("", each, text) for text in (*prose, *code) for each in plain_sentences(text)
    ]
    judges = {text: Judge(Sources([(text, "")])) for text in (*prose, *code)}
    return [
        Judged(each.kind, each.sentence, judges[each.passage].verdict(each.sentence))
        for each in (*changed, *unchanged)
    ]


def change_figures(found: Sequence[Judged]) -> list[Figure]:
    """Return how many changed sentences are caught, all together and by kind."""
    changed = [each for each in found if each.kind]
    kinds = dict.fromkeys(each.kind for each in changed)
    return [
        share_figure("evidence.changed_caught", _caught(changed), ALL_GOAL),
        *(
            share_figure(
                f"evidence.caught.{kind.replace(' ', '_')}",
                _caught([each for each in changed if each.kind == kind]),
                KIND_GOALS.get(kind),
            )
            for kind in kinds
        ),
        share_figure(
            "evidence.unchanged_kept",
            [float(each.verdict.level.is_backed) for each in found if not each.kind],
            note="the same sentences as they stand",
        ),
    ]


def guard_figures(found: Sequence[Judged], true: Sequence[Verdict]) -> list[Figure]:
    """Return each guard's precision: of the sentences it hit, those that were changed.

    ``true`` are verdicts on other sentences that are true.
    """
    right = Counter(each.verdict.reason for each in found if each.kind)
    wrong = Counter(each.verdict.reason for each in found if not each.kind)
    wrong += Counter(verdict.reason for verdict in true if not verdict.level.is_backed)
    return [
        share_figure(
            f"evidence.guard_precision.{reason}",
            [1.0] * right[reason] + [0.0] * wrong[reason],
            note=f"{wrong[reason]} true sentences hit",
        )
        for reason in Reason
        if right[reason] + wrong[reason]
    ]


def _caught(changed: Sequence[Judged]) -> list[float]:
    return [float(not each.verdict.level.is_backed) for each in changed]


def time_figures(passages: Sequence[str], *, is_quick: bool) -> list[Figure]:
    """Return how long it takes to judge a sentence never seen before against 20 passages."""
    layouts: list[float] = []
    sentences: list[float] = []
    starts = range(0, len(passages), PASSAGES)
    for group in [passages[at : at + PASSAGES] for at in starts][: 3 if is_quick else None]:
        asked = [each.sentence for each in from_texts([*group], PROSE_KINDS)]
        asked = random.Random(1).sample(asked, min(_SENTENCES_OF_A_LAYOUT, len(asked)))
        words.cache_clear()
        started = time.perf_counter()
        judge = Judge(Sources([(text, "") for text in group]))
        layouts.append((time.perf_counter() - started) * 1_000)
        sentences += _timed_us(judge, asked)
    return [
        sample_figure(
            "evidence.us_per_sentence",
            "us",
            sentences,
            TIME_GOAL,
            note=f"changed sentences, {PASSAGES} passages; least {percentile(sentences, 0):.0f}",
        ),
        sample_figure("evidence.layout_ms", "ms", layouts, note=f"laying out {PASSAGES} passages"),
    ]


def _timed_us(judge: Judge, sentences: Sequence[str]) -> Iterator[float]:
    for sentence in sentences:
        started = time.perf_counter()
        judge.verdict(sentence)
        yield (time.perf_counter() - started) * 1e6
