"""Rules on the sentences of a text by passages, and numbers the citations they get.

Given to `agents.evidence.markdown.judged`: by `agents.researcher` as it is, by
`agents.answers.composition` beside what programs printed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from agents.evidence.alignment import Reason
from agents.evidence.data.row_verdict import RowJudge
from agents.evidence.extraction import cite, quote_of
from agents.evidence.features import Sources
from agents.evidence.markdown import CitationList, Dropped, Ruling
from agents.evidence.sentences import Place, is_code
from agents.evidence.topic import is_denial, topic_of
from agents.evidence.verdict import Judge, Level, Verdict
from agents.evidence.words import cited_numbers, without_citations
from cluster.kernel.vocabulary import Citation, Passage, Support

ASTRAY_MIN = 3
"""So many cited sentences must be wrong, and more than a third, to judge a text strictly."""
_WORD = re.compile(r"[^\W\d_]{2}")
_NO_WORDS = 3
_TOLD_MAX = 5
_CELL = re.compile(r"(?<!\\)\|")
_CELL_WORDS_MIN = 5
_WORSE = tuple(Level)
_SUPPORT = {
    Level.QUOTED: Support.QUOTED,
    Level.PARAPHRASED: Support.PARAPHRASED,
    Level.UNVERIFIED: Support.UNVERIFIED,
}
_FREE = Ruling(None)
_HIDDEN = Ruling(None, is_shown=False)
_SAID_OTHERWISE = {
    Reason.NUMBER: "another number",
    Reason.UNIT: "another unit or value",
    Reason.NAME: "another name",
    Reason.NEGATION: "a negation on one side only",
    Reason.LIMIT: "another limit or time",
    Reason.ORDER: "swapped parts",
    Reason.WORD: "another word",
}


def place_of(passage: Passage) -> str:
    """Return the titles above a passage and its path: what sentences may name without a source."""
    return f"{passage.title} > {passage.source}"


def texts_of(passages: Sequence[Passage]) -> list[tuple[str, str]]:
    """Return the texts of passages, each with what stands above it, for laying them out."""
    return [(passage.text, place_of(passage)) for passage in passages]


class PassageJudge:
    """Rules by passages; see `agents.evidence.markdown.Editor`."""

    def __init__(
        self,
        passages: Sequence[Passage],
        known: str,
        sources: Sources,
        *,
        is_strict: bool,
        judge: Judge | None = None,
        rows: RowJudge | None = None,
    ) -> None:
        """Take the passages, what needs no source (question, goal), and the passages laid out.

        ``judge`` and ``rows`` have judged by the same before; what they did is not done again.
        """
        self.citations = CitationList()
        self.denials = 0
        """Sentences that say the documents are silent."""
        self._passages = passages
        self._is_strict = is_strict
        self._judge = judge or Judge(sources, known)
        self._rows = rows or RowJudge(texts_of(passages), sources, known)
        self._asked = [topic_of(line) for line in known.splitlines()]
        self._lines = {line.strip(): p for p in passages for line in p.text.splitlines()}
        self._used: dict[int, None] = {}
        self._cited = 0
        self._wrong = 0

    @property
    def is_astray(self) -> bool:
        """Say whether its citations show that the model can't be trusted in this text."""
        return self._wrong >= ASTRAY_MIN and self._wrong * 3 > self._cited

    @property
    def passages(self) -> tuple[Passage, ...]:
        """The passages that the citations lie in."""
        return tuple(self._passages[at] for at in sorted(self._used))

    def sentence(self, text: str, cited: Sequence[int]) -> Ruling:
        """Rule on a sentence."""
        if is_denial(text):
            self.denials += 1
            return _HIDDEN if self._is_strict else _FREE
        verdict = self.verdict(text, cited)
        is_remnant = is_code(text) and len(text.split()) <= _NO_WORDS
        if self._is_asked(text) or (is_remnant and not verdict.level.is_backed):
            return _HIDDEN
        exists = any(0 < number <= len(self._passages) for number in cited)
        self._cited += bool(cited)
        self._wrong += bool(cited) and (not exists or verdict.level is Level.CONTRADICTED)
        return self.ruling(verdict)

    def verdict(self, text: str, cited: Sequence[int]) -> Verdict:
        """Return the level of a sentence; ``cited`` are numbers of passages, from 1."""
        named = [number - 1 for number in cited]
        found = [self._with_rows(each, self._judge.verdict(each, named)) for each in _said_in(text)]
        return max(found, key=lambda verdict: _WORSE.index(verdict.level))

    def _with_rows(self, text: str, found: Verdict) -> Verdict:
        """Return the level of a sentence that may be one about data, which has no sentences.

        What only rows seem to say must be said by one of them.
        """
        is_data = self._rows.is_data(found.units)
        if not is_data and found.units and (found.level.is_backed or found.reason is not None):
            # Prose backs it, or is near and says otherwise.
            return found
        units = self._rows.units_saying(text)
        if units:
            return found if found.level.is_backed else Verdict(Level.PARAPHRASED, units)
        if not found.level.is_backed:
            return found
        return replace(found, level=Level.UNVERIFIED, reason=found.reason or Reason.WORD)

    def lead_in(self, text: str) -> Ruling:
        """Rule on what introduces what follows: it needs no backing, and is shown with it."""
        verdict = self.verdict(text, cited_numbers(text))
        if verdict.level is Level.CONTRADICTED or self._is_asked(text):
            return Ruling(None, reason=verdict.reason, is_shown=False)
        is_cited = verdict.level.is_backed and bool(cited_numbers(text))
        return self.ruling(verdict) if is_cited else _FREE

    def code(self, body: str) -> Ruling:
        """Rule on a code block: it is quoted where its lines stand in a row in one passage.

        It is shown where they stand in several, marked where one passage has them otherwise.
        Where only quotes are shown it is left out: without its citation and its run it would read
        like a program that is offered.
        """
        if self._is_strict:
            return _HIDDEN
        lines = [line.strip() for line in body.splitlines() if line.strip()]
        if any(line not in self._lines for line in lines) or not _WORD.search(body):
            return Ruling(Support.UNVERIFIED)
        for at, passage in enumerate(self._passages):
            quote = _quote_of_lines(passage, lines)
            if quote is not None:
                self._used.setdefault(at)
                return Ruling(Support.QUOTED, (self.citations.number(quote),))
        there = ({line.strip() for line in each.text.splitlines()} for each in self._passages)
        is_otherwise = any(each.issuperset(lines) for each in there)
        return Ruling(Support.UNVERIFIED) if is_otherwise else _FREE

    def ruling(self, verdict: Verdict) -> Ruling:
        """Return what follows from a level."""
        if verdict.level is Level.CONTRADICTED:
            return Ruling(None, reason=verdict.reason, is_shown=False)
        support = _SUPPORT[verdict.level]
        if self._is_strict and not self._is_quoted(verdict):
            return _HIDDEN
        if not verdict.level.is_backed:
            return Ruling(support, reason=verdict.reason)
        units = [self._judge.sources.units[at] for at in verdict.units]
        self._used.setdefault(units[0].source)
        return Ruling(support, (self.citations.number(self.citation(verdict)),))

    def citation(self, verdict: Verdict) -> Citation:
        """Return the quote that backs a sentence."""
        units = [self._judge.sources.units[at] for at in verdict.units]
        return quote_of(self._passages, units)

    def _is_quoted(self, verdict: Verdict) -> bool:
        units = [self._judge.sources.units[at] for at in verdict.units]
        is_prose = any(unit.span.place not in (Place.HEADING, Place.CODE) for unit in units)
        return verdict.level is Level.QUOTED and is_prose

    def _is_asked(self, text: str) -> bool:
        """Say whether a sentence only repeats a question that was asked."""
        said = topic_of(without_citations(text))
        return "?" in text and bool(said) and any(said <= asked for asked in self._asked)


def _quote_of_lines(passage: Passage, lines: Sequence[str]) -> Citation | None:
    """Return the citation of lines that stand in a passage with only blank ones between them."""
    there: list[tuple[str, int]] = []
    start = 0
    for line in passage.text.splitlines(keepends=True):
        bare = line.strip()
        if bare:
            there.append((bare, start + line.index(bare)))
        start += len(line)
    for at in range(len(there) - len(lines) + 1):
        run = there[at : at + len(lines)]
        if [bare for bare, _ in run] == list(lines):
            last, begin = run[-1]
            return cite(passage, run[0][1], begin + len(last))
    return None


def _said_in(text: str) -> list[str]:
    """Return what a sentence or a table's row says: of a row, its long cells each by itself.

    The short ones say something together, unless there is only the label.
    """
    if not text.startswith("|"):
        return [text]
    cells = [each.strip() for each in _CELL.split(text) if each.strip()]
    long = [each for each in cells if len(each.split()) >= _CELL_WORDS_MIN]
    short = [each for each in cells if each not in long]
    return [*long, " ".join(short)] if len(short) > 1 else long or [text]


def told(dropped: Sequence[Dropped], *, where: str) -> tuple[str, ...]:
    """Return what to say of sentences that were left out of the ``research`` or the ``answer``."""
    otherwise = [each for each in dropped if each.reason is not None]
    sentences = [
        f"Left out of the {where}, because a source says otherwise "
        f'({_SAID_OTHERWISE[each.reason]}): "{each.text}"'
        for each in otherwise[:_TOLD_MAX]
        if each.reason is not None
    ]
    if len(otherwise) > _TOLD_MAX:
        sentences.append(f"{len(otherwise) - _TOLD_MAX} more were left out of the {where} as well.")
    others = len(dropped) - len(otherwise)
    if others:
        sentences.append(
            f"Sentences left out of the {where} because no source says them: {others}."
        )
    return tuple(sentences)
