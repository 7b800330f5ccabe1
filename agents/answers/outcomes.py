"""What the steps of a plan came to, sorted for the answer: findings, programs, others, failures.

Pure. `agents.answers.composition` writes the answer from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, is_dataclass, replace

from agents.evidence.extraction import lies_in
from agents.evidence.markdown import CitationList, fenced, without_code
from agents.models.port import PromptPart
from agents.prompts import as_data
from cluster.kernel.errors import ClusterError
from cluster.kernel.ids import StepId
from cluster.kernel.roles import CODER
from cluster.kernel.vocabulary import (
    Basis,
    Citation,
    ComposeRequest,
    Failure,
    Finding,
    Passage,
    Program,
    Step,
    StepProgram,
    StepResult,
)

_MARK = re.compile(r"\[(\d+)\]")
_TEXT_LENGTH_MAX = 6_000
_SOURCE_LENGTH_MAX = 1_500
_OUTPUT_LENGTH_MAX = 1_500
_RESULT_RANK, _PROGRAM_RANK = 1, 2
"""Of the parts of a prompt; those of quotes follow."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """The results of a plan; the citations of all findings are numbered in one list."""

    plan: tuple[Step, ...]
    findings: Mapping[StepId, Finding]
    """Their texts cite by the numbers of ``citations``."""
    citations: tuple[Citation, ...]
    programs: tuple[StepProgram, ...]
    """Those that ran and exited 0."""
    others: Mapping[StepId, str]
    """What other agents answered, as text."""
    failures: Mapping[StepId, str]
    """One sentence for each step that has no result."""
    degraded: tuple[str, ...]

    absences: tuple[str, ...] = ()
    """Why the Coders that offer no program don't."""

    @property
    def reservations(self) -> tuple[str, ...]:
        """What is said of findings that no document backs."""
        own = (each for each in self.findings.values() if each.basis is Basis.MODEL)
        return tuple(dict.fromkeys(text for each in own for text in each.degraded))

    @property
    def is_empty(self) -> bool:
        """Say whether there is nothing that an answer could be written from."""
        has_finding = any(each.basis is not Basis.NOTHING for each in self.findings.values())
        return not (has_finding or self.programs or self.others)

    @property
    def is_unbacked(self) -> bool:
        """Say whether there is nothing that the model's own words could be held against."""
        has_program = len(self.programs) == sum(step.agent == CODER for step in self.plan)
        is_unread = all(each.basis is Basis.MODEL for each in self.findings.values())
        return is_unread and has_program and not self.failures and not self.citations

    @property
    def passages(self) -> tuple[Passage, ...]:
        """What the findings were written from, each once, and quotes that lie in none of them."""
        found = dict.fromkeys(p for each in self.findings.values() for p in each.passages)
        for quote in self.citations:
            if not any(lies_in(quote, passage) for passage in found):
                place = (quote.source, quote.start_line, quote.end_line)
                found.setdefault(
                    Passage(*place, quote.quote, page=quote.page, document=quote.document)
                )
        return tuple(found)


def outcomes_of(request: ComposeRequest) -> Outcomes:
    """Return the results sorted.

    Raises:
        ClusterError: all steps failed; it is the error of the first one.
    """
    values = {result.step: _evidence(result) for result in request.results}
    failures = _failures(request, values)
    if len(failures) == len(request.plan.steps):
        for value in values.values():
            if isinstance(value, Failure):
                raise error_of(value)
    citations = CitationList()
    findings = {
        step: _renumbered(value, citations)
        for step, value in values.items()
        if isinstance(value, Finding)
    }
    programs = {step: value for step, value in values.items() if isinstance(value, Program)}
    if any(not program.is_working for program in programs.values()):
        findings = {step: _without_programs(finding) for step, finding in findings.items()}
    known = (Finding, Program, Failure)
    told = [*failures.values()]
    told += [text for finding in findings.values() for text in finding.degraded]
    told += [text for program in programs.values() for text in program.degraded]
    return Outcomes(
        plan=request.plan.steps,
        findings=findings,
        citations=citations.all(),
        programs=tuple(StepProgram(s, p) for s, p in programs.items() if p.source and p.is_working),
        others={s: text_of(value) for s, value in values.items() if not isinstance(value, known)},
        failures=failures,
        degraded=tuple(dict.fromkeys(told)),
        absences=tuple(
            text for program in programs.values() if program.is_absent for text in program.degraded
        ),
    )


def error_of(failure: Failure) -> ClusterError:
    """Return the error that a failure stands for."""
    classes = [ClusterError]
    for cls in classes:
        classes += cls.__subclasses__()
    kinds = {cls.kind: cls for cls in reversed(classes)}
    return kinds.get(failure.kind, ClusterError)(failure.message)


def text_of(value: object) -> str:
    """Return a user's own message as text, for prompts and answers."""
    for name in ("text", "model_dump_json"):
        method = getattr(value, name, None)
        if callable(method):
            return str(method())[:_TEXT_LENGTH_MAX]
    if is_dataclass(value) and not isinstance(value, type):
        return json.dumps(asdict(value), ensure_ascii=False, default=str)[:_TEXT_LENGTH_MAX]
    return str(value)[:_TEXT_LENGTH_MAX]


def results_parts(outcomes: Outcomes) -> list[PromptPart]:
    """Return the results as the model that writes the answer is shown them.

    Where there is no room for all, quotes go first, which findings say in other words, then the
    programs, which are shown below the answer; then the longest results lose their ends.
    """
    parts: list[PromptPart] = []
    for step in outcomes.plan:
        head = f"Step {step.id} ({step.agent}): {as_data(' '.join(step.instruction.split()))}"
        if step.id in outcomes.findings:
            finding = outcomes.findings[step.id]
            parts += [*_begun(head, parts), _result(finding.text)]
            parts += _quotes(finding, outcomes.citations)
        elif step.id in outcomes.others:
            parts += [*_begun(head, parts), _result(outcomes.others[step.id])]
        for made in outcomes.programs:
            if made.step == step.id:
                parts += [*_begun(head, parts), *_program_parts(made.program)]
    return parts


def _begun(head: str, before: list[PromptPart]) -> list[PromptPart]:
    return [PromptPart(f"\n\n{head}\n" if before else f"{head}\n")]


def _result(text: str) -> PromptPart:
    return PromptPart(as_data(text), _RESULT_RANK, "results", may_be_cut=True)


def _quotes(finding: Finding, citations: tuple[Citation, ...]) -> list[PromptPart]:
    """Return the quotes that a finding cites, under their numbers."""
    numbers = {int(each) for each in _MARK.findall(finding.text)}
    quotes: list[PromptPart] = []
    for number, citation in enumerate(citations, 1):
        if number in numbers:
            line = as_data(f"[{number}] {citation.source}: {' '.join(citation.quote.split())}")
            head = "\n" if quotes else "\nQuotes:\n"
            quotes.append(PromptPart(f"{head}{line}", _PROGRAM_RANK + number, "quotes"))
    return quotes


def program_section(made: StepProgram) -> str:
    """Return a program and what it printed, as Markdown for the answer."""
    return f"{fenced(made.program.source, made.program.language)}\n\n{output_section(made)}"


def output_section(made: StepProgram) -> str:
    """Return what a program printed, as Markdown for the answer."""
    output = made.program.run.stdout if made.program.run else ""
    return f"It printed:\n\n{fenced(_cut(output, _OUTPUT_LENGTH_MAX), 'text')}"


def _program_parts(program: Program) -> list[PromptPart]:
    output = program.run.stdout if program.run else ""
    source = as_data(fenced(_cut(program.source, _SOURCE_LENGTH_MAX), program.language))
    return [
        PromptPart(f"{source}\n", _PROGRAM_RANK, "programs"),
        PromptPart("The program ran and printed:\n"),
        _result(_cut(output, _OUTPUT_LENGTH_MAX)),
    ]


def _cut(text: str, length_max: int) -> str:
    text = text.rstrip()
    return text if len(text) <= length_max else f"{text[:length_max].rstrip()}\n..."


def _failures(request: ComposeRequest, values: Mapping[StepId, object]) -> dict[StepId, str]:
    failures: dict[StepId, str] = {}
    for step in request.plan.steps:
        value = values.get(step.id)
        if isinstance(value, Failure):
            why = value.message.rstrip(".")
            failures[step.id] = f"Step {step.id} ({step.agent}) failed: {why}."
        elif step.id not in values:
            failures[step.id] = f"Step {step.id} ({step.agent}) gave no result."
    return failures


def _without_programs(finding: Finding) -> Finding:
    """Return a finding without code that no document has: nobody has run it."""
    if finding.basis is not Basis.MODEL:
        return finding
    return replace(finding, text=without_code(finding.text))


def _evidence(result: StepResult) -> object:
    """Return a result; what it cites is left out where no document is known to say it."""
    if not isinstance(result.value, Finding) or not result.is_unsourced:
        return result.value
    text = _MARK.sub("", result.value.text)
    return Finding(text, degraded=result.value.degraded, basis=Basis.MODEL)


def _renumbered(finding: Finding, citations: CitationList) -> Finding:
    """Return a finding with its citations numbered in the common list."""

    def number(mark: re.Match[str]) -> str:
        own = int(mark[1])
        if not 0 < own <= len(finding.citations):
            return mark[0] if not finding.citations else ""
        return f"[{citations.number(finding.citations[own - 1])}]"

    common = {at: citations.number(each) - 1 for at, each in enumerate(finding.citations)}
    claims = tuple(
        replace(claim, citations=tuple(common[at] for at in claim.citations if at in common))
        for claim in finding.claims
    )
    return replace(finding, text=_MARK.sub(number, finding.text), claims=claims)
