"""The rule by which an answer of the trial is graded: pure, and fixed before the first try.

Called by `benchmarks.trial.__main__` on what `benchmarks.trial.product` saved. A grade depends on
the ``--json`` object, the events and whether the expected passage was found, and on nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.trial.questions import ExpectedProgram, Question

Json = Mapping[str, Any]
PlanKind = Literal["used", "mended", "standard", "none"]

BACKED = frozenset({"quoted", "paraphrased"})
"""The levels of support with which a sentence counts; an unverified one doesn't."""
_STANDARD = re.compile(r"standard workflow", re.IGNORECASE)
_NOTHING = re.compile(r"documents have nothing|nothing on (?:this|its) question", re.IGNORECASE)
_MARK = re.compile(r"\s*\[(\d+)\]")
_UNVERIFIED = re.compile(r"\[unverified\]", re.IGNORECASE)
_NO_SENTENCE = re.compile(
    r"\A\W*(?:def|class|async def|import|from \S+ import|return|raise)\b|\"{3}|'{3}|>>>|\?\W*\Z"
)
"""A line of code, the head of a docstring or a question: it answers nothing."""
_CODE_BLOCK = re.compile(r"^(`{3,}|~{3,}).*?^\1", re.MULTILINE | re.DOTALL)
_ITEM = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*+]|\d+[.)])\s)")
_BULLET = re.compile(r"\A\s*(?:[-*+]|\d+[.)])\s+")
_MARKS = r"\[(?:\d+|unverified)\]"
_END = re.compile(rf"(?<=[.!?])((?:\s*{_MARKS})*)\s+(?!{_MARKS})(?=\S)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of an answer, the numbers of its citations from 0, and whether it is backed."""

    text: str
    citations: tuple[int, ...] = ()
    is_backed: bool = True


@dataclass(frozen=True, slots=True)
class Grade:
    """What an answer came to."""

    plan: PlanKind
    sentence: str
    """The first cited, relevant sentence; empty where there is none."""
    is_program_asked: bool
    is_program_offered: bool
    is_program_right: bool
    is_denied_wrongly: bool
    """It says that the documents have nothing, though the expected passage was found."""
    seconds: float

    @property
    def is_plan_used(self) -> bool:
        """Say whether the model's plan was carried out, mended or not."""
        return self.plan in {"used", "mended"}


def grade(question: Question, report: Json, events: Sequence[Json], *, is_found: bool) -> Grade:
    """Grade one answer; ``is_found`` says whether the search brings the expected passage."""
    program = _last_program(report)
    expected = question.program
    return Grade(
        plan=plan_kind(report, events),
        sentence=relevant_sentence(question, report),
        is_program_asked=expected is not None,
        is_program_offered=program is not None,
        is_program_right=expected is not None and program is not None and right(expected, program),
        is_denied_wrongly=is_found and is_denied(report),
        seconds=float((report.get("timing") or {}).get("wall_s") or 0.0),
    )


def plan_kind(report: Json, events: Sequence[Json]) -> PlanKind:
    """Say what became of the model's plan.

    What was given up for it stands in the events: as ``fell_back`` of the plan, as ``degraded`` of
    ``plan_ready``, or both.
    """
    reasons: list[str] = []
    for event in events:
        if event.get("kind") == "fell_back" and event.get("what") == "plan":
            reasons.append(str(event.get("reason")))
        elif event.get("kind") == "plan_ready":
            reasons += map(str, event.get("degraded") or ())
    told = [str(reason) for reason in report.get("degraded") or ()]
    if any(map(_STANDARD.search, (*reasons, *told))):
        return "standard"
    if not (report.get("plan") or {}).get("steps"):
        return "none"
    return "mended" if reasons else "used"


def relevant_sentence(question: Question, report: Json) -> str:
    """Return the first sentence with a citation and with a fact that is expected; or nothing."""
    count = len(report.get("citations") or ())
    for sentence in sentences(report):
        said = plain(sentence.text)
        is_cited = any(0 <= number < count for number in sentence.citations)
        if (
            is_cited
            and sentence.is_backed
            and not _NO_SENTENCE.search(said)
            and states(question.facts, said)
        ):
            return said
    return ""


def states(facts: Iterable[str], text: str) -> bool:
    """Say whether a text in plain form matches one of the facts."""
    return any(re.search(fact, text, re.IGNORECASE) for fact in facts)


def plain(text: str) -> str:
    """Return a text on one line, without the marks of Markdown for code and stress."""
    return " ".join(text.replace("`", "").replace("*", "").split())


def sentences(report: Json) -> list[Sentence]:
    """Return the sentences of an answer: its claims, or what its text has where it has none."""
    claims = report.get("claims")
    if claims is None:
        return _marked(str(report.get("answer") or ""))
    return [
        Sentence(
            _MARK.sub("", str(claim["text"])),
            tuple(claim.get("citations") or ()),
            claim.get("support") in BACKED,
        )
        for claim in claims
    ]


def _marked(answer: str) -> list[Sentence]:
    """Split an answer into its sentences and list items by the marks of its citations."""
    found = []
    for item in _ITEM.split(_CODE_BLOCK.sub("\n\n", answer)):
        line = " ".join(_BULLET.sub("", item, count=1).split())
        for text in _END.sub(r"\1\n", line).splitlines():
            marks = tuple(int(number) - 1 for number in _MARK.findall(text))
            said = _UNVERIFIED.sub("", _MARK.sub("", text)).strip()
            found.append(Sentence(said, marks, not _UNVERIFIED.search(text)))
    return found


def is_denied(report: Json) -> bool:
    """Say whether a user reads that the documents have nothing on the question."""
    told = (report.get("answer") or "", *(report.get("degraded") or ()))
    return any(_NOTHING.search(str(text)) for text in told)


def _last_program(report: Json) -> Json | None:
    """Return the program to be graded: of several, the last builds on the others."""
    programs: Sequence[Json] = report.get("programs") or ()
    return programs[-1] if programs else None


def right(expected: ExpectedProgram, program: Json) -> bool:
    """Say whether a program ran, is written with what was asked and printed what was asked."""
    source, printed = str(program.get("source")), str(program.get("stdout")).strip()
    return (
        program.get("exit_code") == 0
        and _all_in(expected.source, source)
        and _all_in(expected.printed, printed)
        and not any(_in(pattern, source) for pattern in expected.not_source)
        and not any(_in(pattern, printed) for pattern in expected.not_printed)
    )


def _all_in(patterns: Iterable[str], text: str) -> bool:
    return all(_in(pattern, text) for pattern in patterns)


def _in(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE | re.DOTALL) is not None
