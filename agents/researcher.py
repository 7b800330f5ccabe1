"""The Researcher: answers from the knowledge of a task, and only what that says.

Sentences of the model that no passage supports are dropped. Where none is left, the sentences of
the passages that answer best are the finding.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, zip_longest

from agents.agent import Agent, handles
from agents.claims import qualifiers, read
from agents.extraction import EXTRACTED_MAX, Extract, Support, extracts, support_for
from agents.grounding import evidence_of
from agents.prompts import NOT_FOUND, RESEARCHER, RESEARCHER_UNAIDED, research_prompt
from agents.prose import CitationList, judged, with_citations
from agents.wishes import questions, subject
from cluster.kernel.errors import DeadlinePassed, ModelError
from cluster.kernel.events import FellBack, FindingReady, Spent
from cluster.kernel.tasks import Assignment, Finding, Passage
from cluster.kernel.turn import Turn

UNBACKED = "No documents back the research: it is what the model says by itself."
NOTHING_FOUND = "The documents have nothing on this question."
PASSAGES_MAX = 6
TOKENS_MAX = 700
_SEARCH_SHARE = 0.3
"""Of the turn's time left, what the search may take."""
_CERTAIN_RELEVANCE = 0.6
"""From here on, sentences are offered even where the model found nothing in them."""


class Researcher(Agent):
    """Answers questions from the passages of a knowledge base, with citations."""

    purpose = "Answers a question from the documents of the task, with citations."

    @handles(Assignment)
    async def research(self, assignment: Assignment, turn: Turn) -> Finding:
        """Return a finding; every sentence of it is supported by the quotes it cites.

        Without documents, it is the model's own answer and says so.

        Raises:
            ModelError, DeadlinePassed: the model failed, and there is nothing to offer without it.
            StoreUnavailable: the documents can't be searched.
        """
        if not assignment.collection and not _earlier(assignment):
            finding = await self._unaided(assignment, turn)
        else:
            finding = await self._from_passages(assignment, turn)
        turn.emit(FindingReady(finding))
        return finding

    async def _unaided(self, assignment: Assignment, turn: Turn) -> Finding:
        prompt = research_prompt(assignment.instruction, assignment.goal, ())
        text = await self._ask(turn, RESEARCHER_UNAIDED, prompt)
        return Finding(text, degraded=(UNBACKED,))

    async def _ask(self, turn: Turn, system: str, prompt: str) -> str:
        return await self.think(turn, system, prompt, tokens_max=TOKENS_MAX)

    async def _from_passages(self, assignment: Assignment, turn: Turn) -> Finding:
        passages = await self._passages(assignment, turn)
        if not passages:
            return Finding(NOTHING_FOUND, degraded=(NOTHING_FOUND,))
        found = best_extracts(assignment, passages)
        passages = fitting(passages, self.parts.passage_chars_max)
        prompt = research_prompt(assignment.instruction, assignment.goal, passages)
        try:
            text = await self._ask(turn, RESEARCHER, prompt)
        except (ModelError, DeadlinePassed) as error:
            if not found:
                raise
            turn.emit(FellBack("research", str(error)))
            reason = f"The research shows sentences of the documents as they stand: {error}."
            return extracted(found, reason)
        finding = grounded(text, assignment, passages)
        if finding.citations:
            return with_best(finding, found) if finding.degraded else finding
        return self._floor(text, found, turn)

    def _floor(self, text: str, found: Sequence[Extract], turn: Turn) -> Finding:
        """Return the extracts, where the model's text came to nothing."""
        is_denied = text.strip().upper().startswith(NOT_FOUND)
        if is_denied and max((each.relevance for each in found), default=0) < _CERTAIN_RELEVANCE:
            found = ()
        if not found:
            return Finding(NOTHING_FOUND, degraded=(NOTHING_FOUND,))
        reason = (
            "The research shows sentences of the documents as they stand: the documents did not "
            "support what the model wrote."
        )
        turn.emit(FellBack("research", reason))
        return extracted(found, reason)

    async def _passages(self, assignment: Assignment, turn: Turn) -> list[Passage]:
        """Return the best passages for the instruction and for the goal, each once."""
        queries = dict.fromkeys((assignment.instruction.strip(), assignment.goal.strip()))
        searches = (
            self.parts.knowledge.search(assignment.collection, query)
            for query in queries
            if query and assignment.collection
        )
        left_s = turn.remaining_s()
        try:
            async with asyncio.timeout(left_s * _SEARCH_SHARE):
                results = await asyncio.gather(*searches)
        except TimeoutError as error:
            raise DeadlinePassed("the search in the documents took too long") from error
        turn.emit(Spent(on="tool", seconds=left_s - turn.remaining_s()))
        ranked = [each for row in zip_longest(*results) for each in row if each is not None]
        merged: dict[tuple[str, int, int], Passage] = {}
        for passage in (*ranked, *_earlier(assignment)):
            if passage.kind == "text" and len(merged) < PASSAGES_MAX:
                place = (passage.source, passage.start_line, passage.end_line)
                merged.setdefault(place, passage)
        return list(merged.values())


def fitting(passages: list[Passage], chars_max: int | None) -> list[Passage]:
    """Return the first passages that fit, and always the very first."""
    if chars_max is None:
        return passages
    sizes = accumulate(len(passage.text) for passage in passages)
    count = sum(size <= chars_max for size in sizes)
    return passages[: max(1, count)]


def _earlier(assignment: Assignment) -> list[Passage]:
    """Return what the findings that the step builds on have quoted."""
    return [
        Passage(citation.source, citation.start_line, citation.end_line, citation.quote)
        for result in assignment.results
        if isinstance(result.value, Finding)
        for citation in result.value.citations
    ]


def grounded(text: str, assignment: Assignment, passages: Sequence[Passage]) -> Finding:
    """Return what of a model's text the passages support, with citations numbered from 1.

    Nothing, where the passages that support it have no word of what is asked about.
    """
    judge = _PassageJudge(assignment, passages)
    result = judged(text, judge)
    if not judge.is_relevant:
        return Finding("")
    degraded = []
    if result.dropped:
        degraded.append(
            "Sentences of the research left out because the documents do not support them: "
            f"{result.dropped}."
        )
    return Finding(result.text, judge.citations.all(), tuple(degraded))


def with_best(finding: Finding, found: Sequence[Extract]) -> Finding:
    """Return a finding that lost sentences with the best sentence of the passages in it."""
    best = max(found, key=lambda each: each.relevance, default=None)
    if best is None or best.support.citation in finding.citations:
        return finding
    citations = (*finding.citations, best.support.citation)
    sentence = with_citations(best.text, [len(citations)])
    return replace(finding, text=f"{finding.text}\n\n{sentence}", citations=citations)


def extracted(found: Sequence[Extract], reason: str) -> Finding:
    """Return sentences of the passages as a finding; ``reason`` says why it is no more."""
    citations = CitationList()
    sentences = [
        with_citations(each.text, [citations.number(each.support.citation)]) for each in found
    ]
    return Finding(" ".join(sentences), citations.all(), (reason,))


def best_extracts(assignment: Assignment, passages: Sequence[Passage]) -> list[Extract]:
    """Return the sentences of the passages that answer the step's questions, or else the goal's."""
    for text in dict.fromkeys((assignment.instruction, assignment.goal)):
        found: dict[str, Extract] = {}
        for question in questions(text):
            for extract in extracts(question, passages):
                found.setdefault(extract.text, extract)
        if found:
            return list(found.values())[:EXTRACTED_MAX]
    return []


class _PassageJudge:
    """Lets a sentence pass where a passage supports it, the cited ones first."""

    def __init__(self, assignment: Assignment, passages: Sequence[Passage]) -> None:
        self.citations = CitationList()
        self._passages = passages
        self._last: Support | None = None
        said = [read(assignment.instruction), read(assignment.goal)]
        for passage in passages:
            said += (each.claim for each in evidence_of(passage.text, passage.title))
        self._known = {token.key for claim in said for token in claim.content}
        self._lines = {line.strip() for each in passages for line in each.text.splitlines()}
        self._subject = subject(assignment.instruction) | subject(assignment.goal)
        self.is_relevant = not self._subject
        """Whether a passage that supports a sentence has a word of what is asked about."""

    def sentence(self, text: str, cited: Sequence[int]) -> Sequence[int] | None:
        named = [self._passages[n - 1] for n in cited if 0 < n <= len(self._passages)]
        others = [passage for passage in self._passages if passage not in named]
        self._last = support_for(text, [*named, *others], self._last)
        if self._last is None:
            return None
        self.is_relevant = self.is_relevant or self._is_asked_about(self._last.passage)
        return [self.citations.number(self._last.citation)]

    def _is_asked_about(self, passage: Passage) -> bool:
        said = evidence_of(passage.text, passage.title)
        keys = {token.key.lower() for each in said for token in each.claim.content}
        title = (token.key for token in read(passage.title).content)
        return not self._subject.isdisjoint(keys.union(title))

    def frame(self, text: str) -> bool:
        claim = read(text)
        return not qualifiers(claim.tokens) and all(
            token.key in self._known for token in claim.content
        )

    def code(self, body: str) -> bool:
        lines = [line.strip() for line in body.splitlines() if line.strip()]
        return bool(lines) and all(line in self._lines for line in lines)
