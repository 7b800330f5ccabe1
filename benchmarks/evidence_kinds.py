"""How right sentences about what people have beside English prose fare, and wrong ones.

`benchmarks/data/kinds.json` has passages of other scripts and inflections, of tables, logs, JSON,
settings and notebooks; `records.json` has tables of which a sentence tells two rows, and XML;
`row_attacks.json` what was written against the rules on rows. Figures of
`benchmarks.bench_evidence`; `tests/unit/benchmarks/test_evidence_kinds.py` holds them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

from agents.evidence.backing import PassageJudge
from agents.ground import laid_out
from benchmarks.evidence_heuristics import DATA
from benchmarks.harness import Figure, share_figure
from cluster.kernel.vocabulary import Passage, Support

BESIDE = 5
"""Passages of other kinds that a passage is searched beside."""
_BACKED = (Support.QUOTED, Support.PARAPHRASED)


@dataclass(frozen=True, slots=True)
class KindRow:
    """A passage, a question that it answers, and what is said of it."""

    kind: str
    passage: Passage
    question: str
    true: tuple[str, ...]
    false: tuple[str, ...]
    is_held_out: bool
    """Whether the rules were made without a look at it."""


@dataclass(frozen=True, slots=True)
class KindOutcome:
    """A sentence about a row's passage, and what became of it."""

    row: KindRow
    text: str
    is_true: bool
    is_backed: bool
    is_shown: bool


@cache
def kind_rows(name: str = "kinds") -> tuple[KindRow, ...]:
    """Return the labelled rows of a set."""
    rows = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))["rows"]
    return tuple(
        KindRow(
            row["kind"],
            Passage(row["source"], 1, row["text"].count("\n") + 1, row["text"], title=row["title"]),
            row["question"],
            tuple(row["true"]),
            tuple(row["false"]),
            row["is_held_out"],
        )
        for row in rows
    )


@cache
def kind_outcomes(beside: int = 0, name: str = "kinds") -> tuple[KindOutcome, ...]:
    """Return what becomes of each sentence of a set; ``beside`` so many passages of other kinds."""
    return tuple(_judged(beside, kind_rows(name)))


def _judged(beside: int, rows: Sequence[KindRow]) -> Iterator[KindOutcome]:
    for at, row in enumerate(rows):
        others = [each.passage for each in (*rows[at + 1 :], *rows[:at]) if each.kind != row.kind]
        passages = [row.passage, *others[:beside]]
        judge = PassageJudge(passages, row.question, laid_out(passages), is_strict=False)
        for is_true, text in (
            *((True, each) for each in row.true),
            *((False, each) for each in row.false),
        ):
            ruling = judge.sentence(text, [1])
            is_backed = ruling.support in _BACKED
            yield KindOutcome(row, text, is_true, is_backed, ruling.is_shown)


def kind_figures(told: list[str]) -> list[Figure]:
    """Return the shares of right sentences that are backed and shown, of wrong ones that aren't."""
    figures: list[Figure] = []
    for of, beside in product(("kinds", "records", "row_attacks"), (0, BESIDE)):
        found = kind_outcomes(beside, of)
        name = f"{of}_mixed" if beside else of
        told += [
            f"{name}, {each.row.kind}: {'true' if each.is_true else 'false'} is "
            f"{'' if each.is_backed else 'not '}backed: {each.text}"
            for each in found
            if each.is_true != each.is_backed
        ]
        figures += _figures(name, found)
        held_out = [each for each in found if each.row.is_held_out]
        figures += _figures(f"{name}_held_out", held_out) if held_out else []
    for kind in dict.fromkeys(row.kind for row in kind_rows("records")):
        found = tuple(each for each in kind_outcomes(0, "records") if each.row.kind == kind)
        name = f"records.{kind.lower().replace(' ', '_')}"
        figures += _figures(name, found)
        figures += _figures(f"{name}_held_out", [each for each in found if each.row.is_held_out])
    return figures


def _figures(name: str, found: Sequence[KindOutcome]) -> list[Figure]:
    true = [each for each in found if each.is_true]
    backed = [each for each in found if each.is_backed]
    return [
        share_figure(f"evidence.{name}.recall", [float(each.is_backed) for each in true]),
        share_figure(f"evidence.{name}.precision", [float(each.is_true) for each in backed]),
        share_figure(f"evidence.{name}.shown", [float(each.is_shown) for each in true]),
    ]
