"""The Researcher: answers from the knowledge of a task, and says what backs each sentence.

Sentences that a passage contradicts are dropped, those that none backs are marked. Where nothing
is left, the sentences of the passages that answer best are the finding.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

from agents.agent import Agent, handles
from agents.evidence.backing import PassageJudge, place_of, told
from agents.evidence.extraction import (
    EXTRACTED_MAX,
    RELEVANCE_MIN,
    Extract,
    extracts,
    lies_in,
    nearest_lines,
)
from agents.evidence.features import Sources
from agents.evidence.markdown import CitationList, judged, with_citations
from agents.evidence.topic import topic_of
from agents.planning.intent import questions
from agents.prompts import (
    RESEARCHER,
    RESEARCHER_STRICT,
    RESEARCHER_UNAIDED,
    fitting,
    research_prompt,
)
from cluster.kernel.errors import DeadlinePassed, ModelError
from cluster.kernel.events import FellBack, FindingReady, Spent
from cluster.kernel.lookup import Lookup
from cluster.kernel.time_shares import RESEARCH_SHARE
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import (
    Assignment,
    Basis,
    Claim,
    Finding,
    Passage,
    Support,
)

UNBACKED = "No documents back the research: it is what the model says by itself."
NOTHING_FOUND = "The documents have nothing on this question."
NO_RESEARCH = "The research found nothing on its question in the documents."
NOT_SUPPORTED = (
    "The research shows sentences of the documents as they stand: the documents did not support "
    "what the model wrote."
)
DENIED = (
    "The model found no answer in the documents; the research shows their sentences nearest to "
    "the question."
)
UNCONFIRMED = (
    "Nothing of what the model wrote could be confirmed; the documents' own lines stand below it."
)
ASTRAY = (
    "Only sentences that stand in the documents are shown: too much of what the model cited is not "
    "there or says otherwise."
)
STALE = (
    "The documents may have changed: the central store hasn't answered for {stale_s:.0f} s, and "
    "what was read before that was searched."
)
TOKENS_MAX = 900
PASSAGES_KEPT = 6
"""Of the best passages, how many go with a finding beside those that it cites."""
_QUERIES_MAX = 5
_CERTAIN_RELEVANCE = 0.5
"""From here on, sentences are offered even where a weak model says that it found nothing."""


class Researcher(Agent):
    """Answers questions from the passages of a knowledge base, with citations."""

    purpose = "Answers a question from the documents of the task, with citations."

    @handles(Assignment)
    async def research(self, assignment: Assignment, turn: Turn) -> Finding:
        """Return a finding; each sentence of it says what backs it.

        Without documents, it is the model's own answer and says so.

        Raises:
            ModelError, DeadlinePassed: the model failed, and there is nothing to offer without it.
            StoreUnavailable: the documents can't be searched.
        """
        if not assignment.collection and not _earlier(assignment):
            finding = await self._unaided(assignment, turn)
        else:
            finding = await self._from_passages(assignment, turn)
        turn.emit(FindingReady(replace(finding, passages=())))
        return finding

    async def _unaided(self, assignment: Assignment, turn: Turn) -> Finding:
        prompt = research_prompt(assignment.instruction, assignment.goal, ())
        text = await self._ask(turn, RESEARCHER_UNAIDED, prompt)
        return Finding(text, degraded=(UNBACKED,), basis=Basis.MODEL)

    async def _ask(self, turn: Turn, system: str, prompt: str) -> str:
        return await self.think(turn, system, prompt, tokens_max=TOKENS_MAX)

    async def _from_passages(self, assignment: Assignment, turn: Turn) -> Finding:
        passages, lookups = await self._passages(assignment, turn)
        finding = await self._from(passages, assignment, turn)
        _note_cited(finding, lookups, turn)
        stale_s = max((each.stale_s for each in lookups), default=0.0)
        if not stale_s:
            return finding
        return replace(finding, degraded=(*finding.degraded, STALE.format(stale_s=stale_s)))

    async def _from(self, passages: list[Passage], assignment: Assignment, turn: Turn) -> Finding:
        if not passages:
            return Finding(NOTHING_FOUND, degraded=(NO_RESEARCH,), basis=Basis.NOTHING)
        sources = await asyncio.to_thread(laid_out, passages)
        found = await asyncio.to_thread(best_extracts, assignment, passages, sources)
        shown = fitting(passages, self.parts.passage_chars_max)
        prompt = research_prompt(assignment.instruction, assignment.goal, shown)
        try:
            role = RESEARCHER_STRICT if self.parts.is_strict else RESEARCHER
            text = await self._ask(turn, role, prompt)
        except (ModelError, DeadlinePassed) as error:
            if not found:
                raise
            turn.emit(FellBack("research", str(error)))
            reason = f"The research shows sentences of the documents as they stand: {error}."
            return extracted(found, passages, reason)
        finding = await asyncio.to_thread(
            grounded,
            text,
            assignment,
            passages,
            sources,
            is_strict=self.parts.is_strict,
            may_turn_strict=self.parts.may_turn_strict,
        )
        if finding.citations:
            is_short = finding.degraded if self.parts.is_strict else _is_doubtful(finding)
            return with_best(finding, found) if is_short else finding
        if not self.parts.is_strict:
            found = found or nearest_lines(passages, sources)
        return self._floor(finding, found, passages, turn)

    def _floor(
        self, finding: Finding, found: Sequence[Extract], passages: Sequence[Passage], turn: Turn
    ) -> Finding:
        """Return the documents' own sentences, where none of the model's was confirmed."""
        if finding.claims:
            turn.emit(FellBack("research", UNCONFIRMED))
            return beside(finding, found, passages)
        is_denied = finding.basis is Basis.NOTHING
        relevance = max((each.relevance for each in found), default=0.0)
        certain = _CERTAIN_RELEVANCE if self.parts.is_strict else RELEVANCE_MIN
        if not found or (is_denied and relevance < certain):
            return Finding(NOTHING_FOUND, degraded=(NO_RESEARCH,), basis=Basis.NOTHING)
        reason = DENIED if is_denied else NOT_SUPPORTED
        turn.emit(FellBack("research", reason))
        return extracted(found, passages, reason)

    async def _passages(
        self, assignment: Assignment, turn: Turn
    ) -> tuple[list[Passage], Sequence[Lookup]]:
        """Return the best passages for each question of the instruction and the goal, each once.

        Beside them: the look-ups that found them.
        """
        searches = (
            self.parts.knowledge.search(assignment.collection, query)
            for query in queries_of(assignment)
            if assignment.collection
        )
        left_s = turn.remaining_s()
        try:
            async with asyncio.timeout(left_s * RESEARCH_SHARE):
                results = await asyncio.gather(*searches)
        except TimeoutError as error:
            raise DeadlinePassed("the search in the documents took too long") from error
        turn.emit(Spent(on="tool", seconds=left_s - turn.remaining_s()))
        found = [each.passages for each in results]
        ranked = [each for row in zip_longest(*found) for each in row if each is not None]
        merged: dict[tuple[str, int, int, int], Passage] = {}
        for passage in (*ranked, *_earlier(assignment)):
            if passage.kind == "text" and len(merged) < self.parts.passages_max:
                place = (passage.source, passage.page, passage.start_line, passage.end_line)
                merged.setdefault(place, passage)
        return list(merged.values()), results


def queries_of(assignment: Assignment) -> list[str]:
    """Return what to search for: the instruction's questions and the goal's, each once.

    A sentence that only asks for a program finds programs, and not what explains them.
    """
    asked = [*questions(assignment.instruction), *questions(assignment.goal)]
    queries = dict.fromkeys(each.strip() for each in asked if each.strip())
    return list(queries)[:_QUERIES_MAX]


def laid_out(passages: Sequence[Passage]) -> Sources:
    """Return passages laid out for looking sentences up in them."""
    return Sources([(passage.text, place_of(passage)) for passage in passages])


def _note_cited(finding: Finding, lookups: Sequence[Lookup], turn: Turn) -> None:
    """Note which of the documents that were found a finding cites.

    What earlier findings cite is theirs to watch: to search again would not mend what they say.
    """
    cited = {(each.source, each.document) for each in finding.citations}
    for lookup in lookups:
        if lookup.namespace:
            found = {(each.source, each.document) for each in lookup.passages}
            turn.reads.passages(lookup.namespace, lookup.version, sorted(cited & found))


def _earlier(assignment: Assignment) -> list[Passage]:
    """Return what the findings that the step builds on have quoted, where it is from documents."""
    return [
        Passage(
            citation.source,
            citation.start_line,
            citation.end_line,
            citation.quote,
            page=citation.page,
            document=citation.document,
        )
        for result in assignment.results
        if isinstance(result.value, Finding) and not result.is_unsourced
        for citation in result.value.citations
    ]


def grounded(
    text: str,
    assignment: Assignment,
    passages: Sequence[Passage],
    sources: Sources,
    *,
    is_strict: bool,
    may_turn_strict: bool = False,
) -> Finding:
    """Return a model's text with what backs each of its sentences, citations numbered from 1.

    Its basis is `Basis.NOTHING` where it only says that the passages are silent. Strictly, only
    what stands in the passages is left, and nothing where those have no word of what is asked.
    """
    known = f"{assignment.instruction}\n{assignment.goal}"
    judge = PassageJudge(passages, known, sources, is_strict=is_strict)
    result = judged(text, judge)
    if may_turn_strict and judge.is_astray:
        strict = grounded(text, assignment, passages, sources, is_strict=True)
        return replace(strict, degraded=(ASTRAY, *strict.degraded))
    is_silent = bool(judge.denials) and not result.claims
    if is_strict and not _is_relevant(judge, known):
        return Finding("", basis=Basis.NOTHING if is_silent else Basis.DOCUMENTS)
    degraded = told(result.dropped, where="research")
    basis = Basis.NOTHING if is_silent else Basis.DOCUMENTS
    citations = judge.citations.all()
    kept = dict.fromkeys((*judge.passages, *passages[:PASSAGES_KEPT]))
    return Finding(result.text, citations, degraded, result.claims, basis, tuple(kept))


def _is_relevant(judge: PassageJudge, known: str) -> bool:
    """Say whether a passage that backs something has a word of what is asked about."""
    asked = topic_of(known)
    return not asked or any(
        not asked.isdisjoint(topic_of(f"{passage.text}\n{place_of(passage)}"))
        for passage in judge.passages
    )


def _is_doubtful(finding: Finding) -> bool:
    """Say whether most of a finding could not be confirmed."""
    unverified = sum(claim.support is Support.UNVERIFIED for claim in finding.claims)
    return unverified * 2 > len(finding.claims)


def with_best(finding: Finding, found: Sequence[Extract]) -> Finding:
    """Return a finding that lost sentences with the best sentence of the passages in it."""
    best = max(found, key=lambda each: each.relevance, default=None)
    if best is None or any(best.citation.quote in each.quote for each in finding.citations):
        return finding
    citations = (*finding.citations, best.citation)
    sentence = with_citations(best.text, [len(citations)])
    claim = Claim(best.text, Support.QUOTED, (len(citations) - 1,))
    text = f"{finding.text}\n\n{sentence}"
    return replace(finding, text=text, citations=citations, claims=(*finding.claims, claim))


def beside(finding: Finding, found: Sequence[Extract], passages: Sequence[Passage]) -> Finding:
    """Return a finding of which nothing was confirmed, with the documents' own lines below it."""
    lines = extracted(found, passages, UNCONFIRMED)
    return replace(
        lines,
        text=f"{finding.text}\n\n{lines.text}",
        degraded=(*finding.degraded, *lines.degraded),
        claims=(*finding.claims, *lines.claims),
    )


def extracted(found: Sequence[Extract], passages: Sequence[Passage], reason: str) -> Finding:
    """Return sentences of the passages as a finding; ``reason`` says why it is no more."""
    citations = CitationList()
    numbers = [citations.number(each.citation) for each in found]
    sentences = [
        with_citations(each.text, [number]) for each, number in zip(found, numbers, strict=True)
    ]
    claims = tuple(
        Claim(each.text, Support.QUOTED, (number - 1,))
        for each, number in zip(found, numbers, strict=True)
    )
    used = tuple(p for p in passages if any(lies_in(each.citation, p) for each in found))
    text = "\n\n".join(sentences)
    return Finding(text, citations.all(), (reason,), claims, passages=used)


def best_extracts(
    assignment: Assignment, passages: Sequence[Passage], sources: Sources
) -> list[Extract]:
    """Return the sentences of the passages that answer the step's questions, or else the goal's."""
    goal = " ".join(questions(assignment.goal))
    for text in dict.fromkeys((assignment.instruction, assignment.goal)):
        found: dict[str, Extract] = {}
        for question in questions(text):
            for extract in extracts(question, passages, sources, goal):
                found.setdefault(extract.text, extract)
        if found:
            return list(found.values())[:EXTRACTED_MAX]
    return []
