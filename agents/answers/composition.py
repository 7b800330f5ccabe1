"""Holds the Manager's answer against the results of the steps, and writes it where it must.

Pure. A sentence is judged by the passages that the findings were written from, and by what the
programs printed; `agents.evidence.markdown` puts the text together again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agents.answers.outcomes import Outcomes, output_section, program_section
from agents.evidence.alignment import Reason
from agents.evidence.backing import ASTRAY_MIN, PassageJudge, texts_of, told
from agents.evidence.data.row_verdict import RowJudge
from agents.evidence.extraction import lies_in
from agents.evidence.features import Sources
from agents.evidence.languages import language_of
from agents.evidence.markdown import (
    BlockKind,
    CitationList,
    Judged,
    Ruling,
    blocks,
    judged,
    with_citations,
)
from agents.evidence.verdict import Judge as SentenceJudge
from agents.evidence.words import words
from agents.programs.output import Printed, is_about_output
from cluster.kernel.roles import CODER
from cluster.kernel.vocabulary import Answer, Basis, Citation, Claim, StepProgram, Support

OWN_WORDS = "What the answer explains beyond its program is the model's own; no documents back it."
UNCITED = "Nothing in the model's answer is cited; what the findings cite was put after it."
ASTRAY = (
    "Only sentences that stand in the sources are shown: too much of what the model cited is not "
    "there or says otherwise."
)
NO_RESULT = "The steps brought no result that could be shown."
_FREE = Ruling(None)
_HIDDEN = Ruling(None, is_shown=False)


class Grounds:
    """What a text can be held against: the results of a plan, laid out once for all its sentences.

    One thread at a time may use it: it remembers what it has judged.
    """

    def __init__(self, goal: str, outcomes: Outcomes) -> None:
        instructions = "\n".join(step.instruction for step in outcomes.plan)
        self.known = f"{goal}\n{instructions}"
        self.outcomes = outcomes
        self.passages = outcomes.passages
        texts = texts_of(self.passages)
        self.sources = Sources(texts)
        self.by_passages = SentenceJudge(self.sources, self.known)
        self.by_rows = RowJudge(texts, self.sources, self.known)
        self.backed = {_keys(claim.text): claim for claim in _backed(outcomes, set())}
        self.printed = [Printed(made.program, goal) for made in outcomes.programs]
        others = Sources([(text, "") for text in outcomes.others.values()])
        self.by_others = SentenceJudge(others, self.known)
        shown = [made.program.source for made in outcomes.programs]
        shown += [made.program.run.stdout for made in outcomes.programs if made.program.run]
        shown += [finding.text for finding in outcomes.findings.values()]
        self.lines = {line.strip() for text in shown for line in text.splitlines()}

    def prose(self, text: str, *, is_strict: bool) -> str:
        """Return what is shown of a text, by itself; empty where that makes no answer."""
        judge = _ResultJudge(self, is_strict=is_strict)
        result = judged(text, judge)
        return result.text if judge.makes_answer(result) else ""

    def answer(
        self, text: str, *, is_strict: bool = False, may_turn_strict: bool = False
    ) -> Answer | None:
        """Return the answer in a text, as `composed` does."""
        judge = _ResultJudge(self, is_strict=is_strict)
        result = judged(text, judge)
        if may_turn_strict and judge.is_astray:
            strict = self.answer(text, is_strict=True)
            return strict and replace(strict, degraded=(*strict.degraded, ASTRAY))
        return _made(result, judge, self.outcomes) if judge.makes_answer(result) else None


def composed(
    text: str,
    goal: str,
    outcomes: Outcomes,
    *,
    is_strict: bool = False,
    may_turn_strict: bool = False,
) -> Answer | None:
    """Return the answer in a model's text, with what backs each sentence; None where none is left.

    Programs and their output are appended where the text doesn't show them.
    """
    grounds = Grounds(goal, outcomes)
    return grounds.answer(text, is_strict=is_strict, may_turn_strict=may_turn_strict)


def _made(result: Judged, judge: _ResultJudge, outcomes: Outcomes) -> Answer:
    degraded: list[str] = []
    prose, citations, claims = result.text, judge.citations.all(), result.claims
    is_uncited = bool(outcomes.citations) and not citations
    if is_uncited and not judge.denials:
        backed = _backed(outcomes, {claim.text for claim in claims})
        # Behind it: what was shown while it was written begins the answer.
        claims = (*(replace(claim, citations=()) for claim in claims), *backed)
        prose, citations = "\n\n".join((prose, *map(_line, backed))), outcomes.citations
        degraded.append(UNCITED)
    degraded += told(result.dropped, where="answer")
    if judge.has_own_words and not outcomes.findings:
        degraded.append(OWN_WORDS)
    return _answer(prose, citations, outcomes, degraded, claims)


def floor(outcomes: Outcomes, reason: str = "") -> Answer:
    """Return the answer that needs no model: the findings, other results, the programs.

    ``reason`` says why it is no more than that.
    """
    others = [f"**{step}**: {text}" for step, text in outcomes.others.items()]
    text = "\n\n".join(part for part in (_findings(outcomes), *others) if part)
    if not text and not outcomes.programs:
        text = " ".join(outcomes.absences) or NO_RESULT
    degraded = [reason] if reason else []
    return _answer(text, outcomes.citations, outcomes, degraded, _claims(outcomes))


def reserved(answer: Answer, outcomes: Outcomes) -> Answer:
    """Return an answer that no document backs with a last line in its text that says so.

    Chat clients show nothing else of it. What was shown while it was written begins it still.
    """
    said = () if answer.citations else outcomes.reservations
    if not said:
        return answer
    return replace(answer, text="\n\n".join((answer.text, f"*{' '.join(said)}*")))


def _findings(outcomes: Outcomes) -> str:
    found = [each for each in outcomes.findings.values() if each.basis is not Basis.NOTHING]
    has_others = bool(found or outcomes.programs or outcomes.others)
    shown = found if has_others else outcomes.findings.values()
    return "\n\n".join(dict.fromkeys(each.text for each in shown))


def _claims(outcomes: Outcomes) -> tuple[Claim, ...]:
    found = (claim for each in outcomes.findings.values() for claim in each.claims)
    return tuple(dict.fromkeys(found))


def _backed(outcomes: Outcomes, said: set[str]) -> tuple[Claim, ...]:
    """Return what the findings have from a source, without what the answer says itself."""
    return tuple(each for each in _claims(outcomes) if each.citations and each.text not in said)


def _line(claim: Claim) -> str:
    return with_citations(claim.text, [at + 1 for at in claim.citations])


def _answer(
    text: str,
    citations: tuple[Citation, ...],
    outcomes: Outcomes,
    degraded: Sequence[str],
    claims: tuple[Claim, ...],
) -> Answer:
    sections = [text] if text else []
    sections += [section for made in outcomes.programs if (section := _not_shown(text, made))]
    return Answer(
        "\n\n".join(sections),
        citations,
        outcomes.programs,
        tuple(dict.fromkeys((*outcomes.degraded, *degraded))),
        claims,
    )


def _not_shown(text: str, made: StepProgram) -> str:
    """Return what a text lacks of a program and its output, as Markdown."""
    if made.program.source.strip() not in text:
        return program_section(made)
    output = made.program.run.stdout.strip() if made.program.run else ""
    # As a block of its own: the same words in a comment of the program are only its promise.
    shown = (each.body.strip() for each in blocks(text) if each.kind is BlockKind.CODE)
    return "" if not output or output in shown else output_section(made)


def _keys(sentence: str) -> tuple[str, ...]:
    return tuple(word.key for word in words(sentence, language_of(sentence)))


class _ResultJudge:
    """Rules by what the results of a plan say; see `agents.evidence.markdown.Editor`."""

    def __init__(self, grounds: Grounds, *, is_strict: bool) -> None:
        self.citations = CitationList()
        self.has_own_words = False
        self._grounds = grounds
        self._outcomes = grounds.outcomes
        self._by_passages = PassageJudge(
            grounds.passages,
            grounds.known,
            grounds.sources,
            is_strict=is_strict,
            judge=grounds.by_passages,
            rows=grounds.by_rows,
        )
        self._cited = 0
        self._wrong = 0

    def makes_answer(self, result: Judged) -> bool:
        """Say whether what is left of a text answers anything."""
        return bool(result.claims or self.has_own_words or self.denials)

    @property
    def denials(self) -> int:
        """Sentences that say the documents are silent."""
        return self._by_passages.denials

    @property
    def is_astray(self) -> bool:
        """Say whether its citations show that the model can't be trusted in this text."""
        return self._wrong >= ASTRAY_MIN and self._wrong * 3 > self._cited

    def sentence(self, text: str, cited: Sequence[int]) -> Ruling:
        return self._copied(text) or self._judged(text, cited)

    def _judged(self, text: str, cited: Sequence[int]) -> Ruling:
        ruling = self._by_passages.sentence(text, self._passage_numbers(cited))
        self._cited += bool(cited)
        exists = any(0 < number <= len(self._outcomes.citations) for number in cited)
        self._wrong += bool(cited) and (
            not exists or (ruling.reason is not None and not ruling.is_shown)
        )
        if ruling.citations:
            return self._numbered(ruling)
        printed = [at for at, each in enumerate(self._grounds.printed) if each.says(text)]
        if printed:
            return Ruling(Support.QUOTED, programs=tuple(printed))
        if self._grounds.by_others.verdict(text).level.is_backed:
            return Ruling(Support.QUOTED)
        if self._denies(text):
            return Ruling(None, reason=Reason.NUMBER, is_shown=False)
        if self._is_free(text):
            self.has_own_words = True
            return _FREE
        return ruling

    def _copied(self, text: str) -> Ruling | None:
        """Return the ruling on a sentence that a finding has in the same words, with its source."""
        claim = self._grounds.backed.get(_keys(text))
        if claim is None:
            return None
        quotes = [self._outcomes.citations[at] for at in claim.citations]
        return Ruling(claim.support, tuple(map(self.citations.number, quotes)))

    def _denies(self, text: str) -> bool:
        """Say whether a sentence says of a program's output what it did not print."""
        return (
            bool(self._grounds.printed)
            and is_about_output(text)
            and all(each.denies(text) for each in self._grounds.printed)
        )

    def _is_free(self, text: str) -> bool:
        """Say whether nothing could back or deny a sentence: there are no documents."""
        is_denied = bool(self._grounds.printed) and all(
            each.denies(text) for each in self._grounds.printed
        )
        return self._outcomes.is_unbacked and not is_denied

    def _passage_numbers(self, cited: Sequence[int]) -> list[int]:
        """Return the passages, numbered from 1, that the cited quotes lie in."""
        quotes = [
            self._outcomes.citations[n - 1] for n in cited if 0 < n <= len(self._outcomes.citations)
        ]
        return [
            number
            for number, passage in enumerate(self._grounds.passages, start=1)
            if any(lies_in(quote, passage) for quote in quotes)
        ]

    def _numbered(self, ruling: Ruling) -> Ruling:
        """Return a ruling with its quotes numbered in the order of the answer."""
        quotes = self._by_passages.citations.all()
        numbers = (self.citations.number(self._known(quotes[n - 1])) for n in ruling.citations)
        return replace(ruling, citations=tuple(dict.fromkeys(numbers)))

    def _known(self, quote: Citation) -> Citation:
        """Return the quote of a finding that has the same words in it, else the quote itself."""
        return next(
            (
                each
                for each in self._outcomes.citations
                if each.source == quote.source and quote.quote in each.quote
            ),
            quote,
        )

    def lead_in(self, text: str) -> Ruling:
        ruling = self._by_passages.lead_in(text)
        if ruling.citations:
            return self._numbered(ruling)
        return ruling

    def code(self, body: str) -> Ruling:
        lines = [line.strip() for line in body.splitlines() if line.strip()]
        if self._outcomes.is_unbacked and not self._grounds.printed:
            return _FREE
        if self._grounds.printed and all(line in self._grounds.lines for line in lines):
            return _FREE
        ruling = self._by_passages.code(body)
        if ruling.citations:
            return self._numbered(ruling)
        is_coded = any(step.agent == CODER for step in self._outcomes.plan)
        return _HIDDEN if is_coded and ruling.support is Support.UNVERIFIED else ruling
