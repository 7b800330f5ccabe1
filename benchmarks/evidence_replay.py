"""Recorded tasks of a model, judged and composed again: what of its replies reaches the user.

Used by `benchmarks.bench_evidence`. A recording is a list of `{task, goal, agent, step, messages,
reply, planted_false}`; replies are matched by task, agent and step, the last of several counts.
Passages are read from the recorded message with their numbers, a program's output from the
Manager's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from agents.answers.composition import composed, floor
from agents.answers.outcomes import outcomes_of
from agents.evidence.languages import language_of
from agents.evidence.markdown import BlockKind, blocks
from agents.evidence.sentences import split
from agents.evidence.words import without_citations
from agents.ground import laid_out
from agents.planning.mending import UnsoundPlan
from agents.planning.plan_reader import PlanReader
from agents.programs.reading import read_program
from agents.researcher import NOTHING_FOUND, UNBACKED, grounded
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import (
    UNVERIFIED_MARK,
    Absence,
    Answer,
    Assignment,
    Basis,
    Claim,
    ComposeRequest,
    Finding,
    Passage,
    Plan,
    Program,
    Role,
    Run,
    Step,
    StepResult,
    Support,
)

_PLAN = "plan"
_ROLES = (Role("researcher", "Answers a question."), Role("coder", "Writes a program."))
_PASSAGES = re.compile(r"<passages>\n(.*?)\n</passages>", re.DOTALL)
_PLACE = re.compile(r"^\[(\d+)\] (.+), lines (\d+)-(\d+)(?: \((.*)\))?$", re.MULTILINE)
_QUESTION = re.compile(
    r"^(?:Question|Task): (.*?)(?=\nIt is part of this: |\Z)", re.DOTALL | re.MULTILINE
)
_RESULT = re.compile(r"^Step (\S+) \(\w+\): ", re.MULTILINE)
_PRINTED = "The program ran and printed:\n"
_RESULTS_END = "\n</results>"
_WORD = re.compile(r"\w+")
_CONTAINED_WORDS_MIN = 5
"""From so many words on, a sentence counts as shown wherever they stand in a row."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One recorded request and what the model answered."""

    task: str
    goal: str
    agent: str
    step: str
    asked: str
    """The user's messages."""
    text: str
    planted: tuple[str, ...]


class Fate(Enum):
    """What became of a sentence."""

    BACKED = "backed"
    UNVERIFIED = "unverified"
    FREE = "shown; needs no backing"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Traced:
    """A sentence of a reply, and what became of it."""

    reply: Reply
    text: str
    is_planted: bool
    fate: Fate


def read_replies(path: Path) -> list[Reply]:
    """Read a recording."""
    return [
        Reply(
            str(row["task"]),
            row["goal"],
            row["agent"],
            str(row["step"]),
            "\n".join(each["content"] for each in row["messages"] if each["role"] == "user"),
            row["reply"],
            tuple(row.get("planted_false") or ()),
        )
        for row in json.loads(path.read_text(encoding="utf-8"))
    ]


def replayed(replies: Sequence[Reply]) -> list[Traced]:
    """Return what becomes of each sentence of the replies, task by task."""
    tasks = dict.fromkeys(reply.task for reply in replies)
    return [
        traced
        for task in tasks
        for traced in _Replay([reply for reply in replies if reply.task == task]).traced()
    ]


class _Replay:
    """One task."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        by_step = {(reply.agent, reply.step): reply for reply in replies}
        self._goal = replies[0].goal
        self._planning = by_step.pop(("manager", _PLAN), None)
        self._answering = next((r for (agent, _), r in by_step.items() if agent == "manager"), None)
        self._working = {r.step: r for (agent, _), r in by_step.items() if agent != "manager"}
        self._plan = self._planned()

    def traced(self) -> Iterator[Traced]:
        """Yield what becomes of each sentence of the Researchers and of the Manager."""
        results = [self._result(step) for step in self._plan.steps if step.id in self._working]
        for result in results:
            if isinstance(result.value, Finding):
                yield from _traced(self._working[result.step], result.value)
        if self._answering is not None:
            yield from _traced(self._answering, self._answer(self._answering, results))

    def _planned(self) -> Plan:
        """Return the recorded plan, with the recorded steps that it lacks behind it."""
        steps: tuple[Step, ...] = ()
        if self._planning is not None:
            try:
                reader = PlanReader(_ROLES, self._planning.goal)
                reader.feed(self._planning.text)
                steps = reader.plan().plan.steps
            except UnsoundPlan:
                steps = ()
        known = {step.id for step in steps}
        others = (
            Step(StepId(reply.step), reply.agent, _instruction(reply))
            for reply in self._working.values()
            if reply.step not in known
        )
        return Plan((*steps, *others))

    def _result(self, step: Step) -> StepResult:
        reply = self._working[step.id]
        if reply.agent == "coder":
            return StepResult(step.id, reply.agent, self._program(reply))
        if reply.agent != "researcher":
            return StepResult(step.id, reply.agent, reply.text)
        passages = passages_in(reply.asked)
        assignment = Assignment(step.id, step.instruction, self._goal, collection="recorded")
        finding = _finding(reply.text, assignment, passages)
        return StepResult(step.id, reply.agent, finding)

    def _program(self, reply: Reply) -> Program:
        """Return a reply's program with the output that the Manager was shown of it."""
        shown = self._answering.asked if self._answering else ""
        output = printed_by(shown, reply.step)
        if output is None:
            told = f"Step {reply.step} offers no program."
            return Program("", degraded=(told,), absence=Absence.FAILED)
        return Program(read_program(reply.text).source, Run(0, output, ""))

    def _answer(self, reply: Reply, results: Sequence[StepResult]) -> Answer:
        steps = tuple(step for step in self._plan.steps if step.id in self._working)
        outcomes = outcomes_of(ComposeRequest(self._goal, Plan(steps), tuple(results)))
        answer = composed(reply.text, self._goal, outcomes, may_turn_strict=True)
        return answer or floor(outcomes)


def _finding(text: str, assignment: Assignment, passages: Sequence[Passage]) -> Finding:
    if not passages:
        return Finding(text, degraded=(UNBACKED,), basis=Basis.MODEL)
    found = grounded(
        text, assignment, passages, laid_out(passages), is_strict=False, may_turn_strict=True
    )
    if found.text:
        return found
    return Finding(NOTHING_FOUND, degraded=(NOTHING_FOUND,), basis=Basis.NOTHING)


def passages_in(message: str) -> list[Passage]:
    """Return the passages of a recorded message in the order of their numbers."""
    block = _PASSAGES.search(message)
    if block is None:
        return []
    listed = block.group(1)
    heads: list[re.Match[str]] = []
    for match in _PLACE.finditer(listed):
        if int(match[1]) == len(heads) + 1:
            heads.append(match)
    return [
        Passage(
            source=match[2],
            start_line=int(match[3]),
            end_line=int(match[4]),
            text=listed[match.end() + 1 : end].rstrip("\n"),
            title=match[5] or "",
        )
        for match, end in zip(heads, _ends(heads, listed), strict=True)
    ]


def _ends(heads: Sequence[re.Match[str]], text: str) -> list[int]:
    """Return where what stands below each head ends."""
    return [*(match.start() for match in heads[1:]), *([len(text)] if heads else [])]


def printed_by(message: str, step: str) -> str | None:
    """Return what a step's program printed by the Manager's message; None where it shows none."""
    results = message.partition(_RESULTS_END)[0]
    heads = list(_RESULT.finditer(results))
    for match, end in zip(heads, _ends(heads, results), strict=True):
        body = results[match.end() : end]
        if match[1] == step and _PRINTED in body:
            return body.rpartition(_PRINTED)[2].strip("\n")
    return None


def _instruction(reply: Reply) -> str:
    found = _QUESTION.search(reply.asked)
    return found[1].strip() if found else reply.goal


def sentences_of(markdown: str) -> list[str]:
    """Return the sentences, items and rows of a text, headings and code aside."""
    language = language_of(markdown)
    found: list[str] = []
    is_in_table = False
    for block in blocks(markdown):
        is_head = block.kind is BlockKind.ROW and not is_in_table
        is_in_table = block.kind is BlockKind.ROW
        if block.kind is BlockKind.ROW and not is_head:
            found.append(block.body)
        elif block.kind in (BlockKind.PARAGRAPH, BlockKind.ITEM):
            found += [block.body[start:end].strip() for start, end in split(block.body, language)]
    return [each for each in found if _said(each)]


def _said(text: str) -> tuple[str, ...]:
    """Return the words of a text by which it is found again."""
    return tuple(_WORD.findall(without_citations(text.replace(UNVERIFIED_MARK, "")).lower()))


def _traced(reply: Reply, made: Finding | Answer) -> Iterator[Traced]:
    planted = [_said(each) for each in reply.planted]
    claims = {_said(claim.text): claim for claim in made.claims}
    shown = {_said(each) for each in sentences_of(made.text)}
    whole = _said(made.text)
    for text in sentences_of(reply.text):
        said = _said(text)
        is_planted = any(_is_of(said, each) for each in planted)
        is_shown = said in shown or (len(said) >= _CONTAINED_WORDS_MIN and _holds(whole, said))
        yield Traced(reply, text, is_planted, _fate(said, claims, is_shown=is_shown))


def _is_of(said: Sequence[str], planted: Sequence[str]) -> bool:
    """Say whether a sentence is a planted one, has it in it, or is a part of it."""
    is_long = len(said) >= _CONTAINED_WORDS_MIN
    return _holds(said, planted) or (is_long and _holds(planted, said))


def _holds(words: Sequence[str], others: Sequence[str]) -> bool:
    return bool(others) and f" {' '.join(others)} " in f" {' '.join(words)} "


def _fate(
    said: tuple[str, ...], claims: Mapping[tuple[str, ...], Claim], *, is_shown: bool
) -> Fate:
    claim = claims.get(said)
    if claim is not None:
        return Fate.UNVERIFIED if claim.support is Support.UNVERIFIED else Fate.BACKED
    return Fate.FREE if is_shown else Fate.LOST
