"""Precision and recall of the judge's small heuristics on the labelled sets in `benchmarks/data`.

Figures of `benchmarks.bench_evidence`; `tests/unit/benchmarks/test_evidence_heuristics.py` holds
them above a floor.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from agents.evidence.languages import language_of
from agents.evidence.sentences import is_code, sentences
from agents.evidence.topic import is_denial
from benchmarks.harness import Figure, share_figure

DATA = Path(__file__).with_name("data")
_WITHOUT_BLANKS = ("zh", "ja")

Outcome = tuple[bool, bool, str]
"""What is true, what was said, and of which text."""


def outcomes() -> dict[str, list[Outcome]]:
    """Return for each heuristic what it says of its labelled set."""
    return {
        "is_code": [(label, is_code(line), line) for line, label in _rows("code_lines")],
        "is_denial": [(label, is_denial(text), text) for text, label, _ in _rows("denials")],
        "language_of": [
            (label == language, language_of(text) == language, f"{language}? {text}")
            for text, label in _rows("languages")
            for language in sorted({label, language_of(text)})
        ],
        "sentence_ends": [each for row in _rows("sentence_ends") for each in _ends(*row)],
    }


def heuristic_figures(told: list[str]) -> list[Figure]:
    """Return the precision and recall of each heuristic; what went wrong is ``told``."""
    figures: list[Figure] = []
    for name, found in outcomes().items():
        told += [
            f"{name}: {said} instead of {true}: {text}"
            for true, said, text in found
            if true != said
        ]
        precision, recall = precision_and_recall(found)
        figures += [
            share_figure(f"evidence.{name}.precision", precision),
            share_figure(f"evidence.{name}.recall", recall),
        ]
    return figures


def precision_and_recall(found: Sequence[Outcome]) -> tuple[list[float], list[float]]:
    """Return the hits among what was said, and among what is true."""
    return (
        [float(true) for true, said, _ in found if said],
        [float(said) for true, said, _ in found if true],
    )


def _ends(language: str, expected: Sequence[str]) -> Iterator[Outcome]:
    """Yield the ends of sentences within a paragraph, found or expected."""
    joint = "" if language in _WITHOUT_BLANKS else " "
    text = joint.join(expected)
    lengths = (len(each) + len(joint) for each in expected)
    true = {end - len(joint) for end in accumulate(lengths)} - {len(text)}
    said = {span.end for span in sentences(text, language)} - {len(text)}
    for end in sorted(true | said):
        yield end in true, end in said, f"{text[:end]} | {text[end:]}"


def _rows(name: str) -> list[Any]:
    rows: list[Any] = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))["rows"]
    return rows
