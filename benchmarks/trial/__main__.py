"""`make trial MODEL=URI`: asks the questions, grades the answers, prints the table in Markdown.

``--only 3,5`` asks some of them, ``--regrade`` asks nothing and grades what was saved in
`build/trial`, ``--bare`` asks the model alone for the programs.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.trial.bare import programs_right
from benchmarks.trial.grading import Grade, grade
from benchmarks.trial.product import Tried, resident_cluster, tried
from benchmarks.trial.questions import Question, read_questions

OUTPUT = Path("build/trial")
_SENTENCE_CHARS_MAX = 160
_COLUMNS = (
    "#",
    "question",
    "plan",
    "first cited, relevant sentence",
    "program",
    '"nothing" though found',
    "s",
)


@dataclass(frozen=True, slots=True)
class Total:
    """A figure of the whole trial and its goal, which holds where all questions were asked."""

    name: str
    count: int
    of: int
    least: int | None
    """The goal; None where not a single one is allowed."""

    @property
    def is_met(self) -> bool:
        """Say whether the goal is reached."""
        return self.count == 0 if self.least is None else self.count >= self.least

    def __str__(self) -> str:
        wanted = "0" if self.least is None else f">= {self.least}"
        verdict = "met" if self.is_met else "NOT met"
        return f"- {self.name}: {self.count} of {self.of} (goal {wanted}: {verdict})"


def totals(grades: Sequence[Grade]) -> list[Total]:
    """Return the figures that the trial is about."""
    asked = [each for each in grades if each.is_program_asked]
    plans = sum(each.is_plan_used for each in grades)
    cited = sum(bool(each.sentence) for each in grades)
    programs = sum(each.is_program_right for each in asked)
    denied = sum(each.is_denied_wrongly for each in grades)
    return [
        Total("plans used, mended or not", plans, len(grades), 11),
        Total("answers with a cited, relevant sentence", cited, len(grades), 10),
        Total("programs offered and right", programs, len(asked), 9),
        Total('"nothing" said though the passage was found', denied, len(grades), None),
    ]


def table(questions: Mapping[int, Question], grades: Mapping[int, Grade]) -> str:
    """Return the grades as a Markdown table, and the totals below it."""
    lines = [f"| {' | '.join(_COLUMNS)} |", "|---" * len(_COLUMNS) + "|"]
    for number, given in grades.items():
        cells = (
            str(number),
            questions[number].asked,
            given.plan,
            _cut(given.sentence) or "none",
            _program(given),
            "yes" if given.is_denied_wrongly else "no",
            f"{given.seconds:.0f}",
        )
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    return "\n".join((*lines, "", *map(str, totals(list(grades.values())))))


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _program(given: Grade) -> str:
    if not given.is_program_offered:
        return "none" if given.is_program_asked else "not asked"
    if not given.is_program_asked:
        return "offered, not asked"
    return "right" if given.is_program_right else "wrong"


def _cut(text: str) -> str:
    if len(text) <= _SENTENCE_CHARS_MAX:
        return text
    return f"{text[:_SENTENCE_CHARS_MAX].rsplit(' ', 1)[0]} ..."


def _path(number: int) -> Path:
    return OUTPUT / f"{number}.json"


def _ask(questions: Mapping[int, Question], model: str) -> None:
    with resident_cluster(model) as environment:
        for number, question in questions.items():
            print(f"{number}: {question.topic} ...", file=sys.stderr, flush=True)
            asyncio.run(tried(question, model, environment)).write(_path(number))


def _graded(questions: Mapping[int, Question]) -> dict[int, Grade]:
    grades = {}
    for number, question in questions.items():
        saved = Tried.read(_path(number)) if _path(number).exists() else None
        if saved is None or saved.goal != question.goal:
            print(f"{number}: not asked, or not in these words", file=sys.stderr)
        else:
            grades[number] = grade(question, saved.report, saved.events, is_found=saved.is_found)
    return grades


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def main() -> int:
    """Run the trial; exit status 0 even where a goal is missed: the table says so."""
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"  # else gRPC comments on each process we start
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="simulated:", help="model URI")
    parser.add_argument("--only", type=_numbers, help="numbers of questions, as in 3,5")
    parser.add_argument("--bare", action="store_true", help="ask the model alone for programs")
    parser.add_argument("--regrade", action="store_true", help="grade what was saved")
    arguments = parser.parse_args()
    every = read_questions()
    chosen = {number: every[number] for number in arguments.only or every}
    if arguments.bare:
        found = asyncio.run(programs_right(chosen, arguments.model))
        for number, is_right in found.items():
            print(f"{number}: {every[number].topic}: {'right' if is_right else 'wrong'}")
        print(f"- programs right, the model alone: {sum(found.values())} of {len(found)}")
        return 0
    if not arguments.regrade:
        _ask(chosen, arguments.model)
    print(table(chosen, _graded(chosen)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
