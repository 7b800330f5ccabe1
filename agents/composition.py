"""Holds the Manager's answer against the results of the steps, and writes it where it must.

Pure. A sentence passes where a quote, a finding or the output of a program says it; `judged` in
`agents.prose` rebuilds the text from those that do.
"""

from __future__ import annotations

from collections.abc import Sequence

from agents.claims import cited_numbers, qualifiers, read
from agents.extraction import Support, support_for
from agents.grounding import find_support
from agents.outcomes import Outcomes, output_section, program_section
from agents.programs.output import FRAME_STEMS, Printed, is_about_output
from agents.prose import CitationList, judged
from cluster.kernel.tasks import Answer, Citation, Passage, StepProgram

OWN_WORDS = "What the answer explains beyond its program is the model's own; no documents back it."


def composed(text: str, goal: str, outcomes: Outcomes) -> Answer | None:
    """Return the answer in a model's text, as far as the results say it; None where none is left.

    Programs and their output are appended where the text doesn't show them.
    """
    judge = _ResultJudge(goal, outcomes)
    result = judged(text, judge)
    if not result.kept:
        return None
    degraded: list[str] = []
    prose, citations = result.text, judge.citations.all()
    if outcomes.citations and not citations:
        prose, citations = f"{_findings(outcomes)}\n\n{prose}", outcomes.citations
        degraded.append("The model's answer cited nothing; the findings were put before it.")
    if result.dropped:
        degraded.append(
            f"Sentences of the answer left out because no result supports them: {result.dropped}."
        )
    if judge.has_own_words and not outcomes.findings:
        degraded.append(OWN_WORDS)
    return _answer(prose, citations, outcomes, degraded)


def floor(outcomes: Outcomes, reason: str = "") -> Answer:
    """Return the answer that needs no model: the findings, other results, the programs.

    ``reason`` says why it is no more than that.
    """
    others = [f"**{step}**: {text}" for step, text in outcomes.others.items()]
    text = "\n\n".join(part for part in (_findings(outcomes), *others) if part)
    if not text and not outcomes.programs:
        text = "The steps brought no result that could be shown."
    return _answer(text, outcomes.citations, outcomes, [reason] if reason else [])


def _findings(outcomes: Outcomes) -> str:
    return "\n\n".join(dict.fromkeys(each.text for each in outcomes.findings.values()))


def _answer(
    text: str, citations: tuple[Citation, ...], outcomes: Outcomes, degraded: Sequence[str]
) -> Answer:
    sections = [text] if text else []
    sections += [section for made in outcomes.programs if (section := _not_shown(text, made))]
    return Answer(
        "\n\n".join(sections),
        citations,
        outcomes.programs,
        tuple(dict.fromkeys((*outcomes.degraded, *degraded))),
    )


def _not_shown(text: str, made: StepProgram) -> str:
    """Return what a text lacks of a program and its output, as Markdown."""
    if made.program.source.strip() not in text:
        return program_section(made)
    output = made.program.run.stdout.strip() if made.program.run else ""
    return "" if output in text else output_section(made)


class _ResultJudge:
    """Lets a sentence pass where a result says it."""

    def __init__(self, goal: str, outcomes: Outcomes) -> None:
        self.citations = CitationList()
        self.has_own_words = False
        self._outcomes = outcomes
        self._quotes = [
            Passage(each.source, each.start_line, each.end_line, each.quote)
            for each in outcomes.citations
        ]
        self._last: Support | None = None
        self._printed = [Printed(made.program, goal) for made in outcomes.programs]
        self._goal = {token.key for token in read(goal).content}
        self._goal_qualifiers = {name for name, _ in qualifiers(read(goal).tokens)}
        shown = [made.program.source for made in outcomes.programs]
        shown += [made.program.run.stdout for made in outcomes.programs if made.program.run]
        shown += [each.quote for each in outcomes.citations]
        shown += [finding.text for finding in outcomes.findings.values()]
        self._lines = {line.strip() for text in shown for line in text.splitlines()}

    def sentence(self, text: str, cited: Sequence[int]) -> Sequence[int] | None:
        numbers = self._cited(text, cited)
        if numbers is not None:
            return numbers
        self._last = None
        texts = [*self._outcomes.others.values()]
        if any(find_support(text, each) for each in texts) or any(
            printed.says(text) for printed in self._printed
        ):
            return ()
        is_free = self._outcomes.is_unbacked and not (
            self._printed
            and (is_about_output(text) or all(each.denies(text) for each in self._printed))
        )
        self.has_own_words |= is_free
        return () if is_free else None

    def _cited(self, text: str, cited: Sequence[int]) -> Sequence[int] | None:
        """Return the numbers of the citations behind a sentence that a quote or a finding says."""
        named = [self._quotes[n - 1] for n in cited if n <= len(self._quotes)]
        others = [quote for quote in self._quotes if quote not in named]
        self._last = support_for(text, [*named, *others], self._last)
        if self._last is not None:
            at = self._quotes.index(self._last.passage)
            return [self.citations.number(self._outcomes.citations[at])]
        for finding in self._outcomes.findings.values():
            span = find_support(text, finding.text)
            if span is not None:
                numbers = cited_numbers(finding.text[span.start : span.end])
                known = [n for n in numbers if n <= len(self._outcomes.citations)]
                return [self.citations.number(self._outcomes.citations[n - 1]) for n in known]
        return None

    def frame(self, text: str) -> bool:
        claim = read(text)
        return all(
            token.key in self._goal or token.key in FRAME_STEMS for token in claim.content
        ) and all(name in self._goal_qualifiers for name, _ in qualifiers(claim.tokens))

    def code(self, body: str) -> bool:
        if self._outcomes.is_unbacked and not self._printed:
            return True
        lines = [line.strip() for line in body.splitlines() if line.strip()]
        return bool(lines) and all(line in self._lines for line in lines)
