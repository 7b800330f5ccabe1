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
    RELEVANCE_MIN,
    Extract,
    lies_in,
    nearest_lines,
)
from agents.evidence.features import Sources
from agents.evidence.markdown import CitationList, judged, with_citations
from agents.evidence.topic import topic_of
from agents.evidence.words import words
from agents.ground import Ground, Sought, ground_of, queries_of
from agents.models.port import Message
from agents.models.reply import Author
from agents.prompts import (
    RESEARCHER,
    RESEARCHER_STRICT,
    RESEARCHER_UNAIDED,
    continuing,
    fitting,
    research_prompt,
)
from cluster.kernel.errors import DeadlinePassed, ModelError
from cluster.kernel.events import FellBack, FindingReady, Spent
from cluster.kernel.ids import StepId
from cluster.kernel.lookup import Lookup
from cluster.kernel.preparing import PrepareContext
from cluster.kernel.time_shares import RESEARCH_SHARE
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import (
    Assignment,
    Basis,
    Claim,
    Finding,
    Passage,
    Prepare,
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
    "Nothing of what the model wrote could be confirmed; the documents' own lines stand in its "
    "place."
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
_NAMING = frozenset(("number", "name", "mixed", "code"))
_CERTAIN_RELEVANCE = 0.5
"""From here on, sentences are offered even where a weak model says that it found nothing."""


class Researcher(Agent):
    """Answers questions from the passages of a knowledge base, with citations."""

    purpose = "Answers a question from the documents of the task, with citations."

    @handles(Assignment, pure=True)
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
        prompt = continuing(assignment.conversation, prompt)
        text = await self._ask(turn, RESEARCHER_UNAIDED, prompt)
        return Finding(text, degraded=(UNBACKED,), basis=Basis.MODEL)

    async def _ask(
        self, turn: Turn, system: str, prompt: Message, author: Author | None = None
    ) -> str:
        return await self.think(turn, system, prompt, tokens_max=TOKENS_MAX, author=author)

    async def warm(self) -> None:
        """As any agent; and a sentence is judged, for which lists and weights are loaded."""
        await asyncio.gather(super().warm(), asyncio.to_thread(_judge_once))

    async def prepare(self, prepare: Prepare, _: PrepareContext) -> Sought | None:
        """Search for what a step asks, and lay out what is found, before it can start.

        The turn searches again where the documents are others by then.
        """
        if not prepare.collection:
            return None
        queries = queries_of(prepare)
        lookups = await self._searched(prepare.collection, queries)
        ground = await asyncio.to_thread(ground_of, prepare, self._merged(lookups, ()))
        return Sought(prepare.collection, queries, lookups, ground)

    async def _from_passages(self, assignment: Assignment, turn: Turn) -> Finding:
        ground, lookups = await self._ground(assignment, turn)
        finding = await self._from(ground, assignment, turn)
        _note_cited(finding, lookups, turn)
        stale_s = max((each.stale_s for each in lookups), default=0.0)
        if not stale_s:
            return finding
        return replace(finding, degraded=(*finding.degraded, STALE.format(stale_s=stale_s)))

    async def _from(self, ground: Ground, assignment: Assignment, turn: Turn) -> Finding:
        passages, sources, found = ground.passages, ground.sources, ground.found
        if not passages:
            return Finding(NOTHING_FOUND, degraded=(NO_RESEARCH,), basis=Basis.NOTHING)
        shown = fitting(passages, self.parts.passage_chars_max)
        prompt = research_prompt(assignment.instruction, assignment.goal, shown)
        prompt = continuing(assignment.conversation, prompt)
        author = self.parts.author()
        try:
            # Who answers in place of another model is not told more strictly, but held to it.
            role = RESEARCHER_STRICT if self.parts.is_strict else RESEARCHER
            text = await self._ask(turn, role, prompt, author)
        except (ModelError, DeadlinePassed) as error:
            if not found:
                raise
            turn.emit(FellBack("research", str(error)))
            reason = f"The research shows sentences of the documents as they stand: {error}."
            return extracted(found, passages, reason)
        support, is_embedded = self.parts.support, author.is_embedded
        is_strict = support.is_strict(is_embedded=is_embedded)
        finding = await asyncio.to_thread(
            grounded,
            text,
            assignment,
            passages,
            sources,
            is_strict=is_strict,
            may_turn_strict=support.may_turn_strict(is_embedded=is_embedded),
        )
        if finding.citations:
            is_short = finding.degraded if is_strict else _is_doubtful(finding)
            return with_best(finding, found) if is_short else finding
        found = found or nearest_lines(passages, sources)
        if is_strict:
            # Nothing vouches for the model, not even that the documents have to do with it.
            found = [
                each
                for each in found
                if each.relevance or _is_on(each, assignment, passages, sources)
            ]
        certain = _CERTAIN_RELEVANCE if is_strict else RELEVANCE_MIN
        return self._floor(finding, found, passages, turn, certain)

    def _floor(
        self,
        finding: Finding,
        found: Sequence[Extract],
        passages: Sequence[Passage],
        turn: Turn,
        certain: float,
    ) -> Finding:
        """Return the documents' own sentences, where none of the model's was confirmed.

        Where it says that they are silent, only what is relevant from ``certain`` on.
        """
        if finding.claims:
            turn.emit(FellBack("research", UNCONFIRMED))
            return beside(finding, found, passages)
        is_denied = finding.basis is Basis.NOTHING
        relevance = max((each.relevance for each in found), default=0.0)
        if not found or (is_denied and relevance < certain):
            return Finding(NOTHING_FOUND, degraded=(NO_RESEARCH,), basis=Basis.NOTHING)
        reason = DENIED if is_denied else NOT_SUPPORTED
        turn.emit(FellBack("research", reason))
        return extracted(found, passages, reason)

    async def _ground(self, assignment: Assignment, turn: Turn) -> tuple[Ground, Sequence[Lookup]]:
        """Return the best passages for each question of the instruction and the goal, each once.

        Beside them: the look-ups that found them.
        """
        collection = assignment.collection
        queries = queries_of(assignment) if collection else []
        left_s = turn.remaining_s()
        try:
            async with asyncio.timeout(left_s * RESEARCH_SHARE):
                ready = self._still_so(await turn.prepared(), collection, queries)
                lookups = ready.lookups if ready else await self._searched(collection, queries)
        except TimeoutError as error:
            raise DeadlinePassed("the search in the documents took too long") from error
        turn.emit(Spent(on="tool", seconds=left_s - turn.remaining_s()))
        passages = self._merged(lookups, _earlier(assignment))
        if ready and ready.ground.passages == passages:
            return ready.ground, lookups
        return await asyncio.to_thread(ground_of, assignment, passages), lookups

    def _still_so(self, ready: object, collection: str, queries: Sequence[str]) -> Sought | None:
        """Return what was prepared, if a search would find the same now."""
        if not isinstance(ready, Sought):
            return None
        is_asked = (ready.collection, ready.queries) == (collection, queries)
        is_current = self.parts.knowledge.is_current
        return ready if is_asked and all(is_current(each) for each in ready.lookups) else None

    async def _searched(self, collection: str, queries: Sequence[str]) -> Sequence[Lookup]:
        search = self.parts.knowledge.search
        return await asyncio.gather(*(search(collection, query) for query in queries))

    def _merged(self, lookups: Sequence[Lookup], earlier: Sequence[Passage]) -> list[Passage]:
        """Return the passages of look-ups, the best of each first, then what others have quoted."""
        found = [each.passages for each in lookups]
        ranked = [each for row in zip_longest(*found) for each in row if each is not None]
        merged: dict[tuple[str, int, int, int], Passage] = {}
        for passage in (*ranked, *earlier):
            if passage.kind == "text" and len(merged) < self.parts.passages_max:
                place = (passage.source, passage.page, passage.start_line, passage.end_line)
                merged.setdefault(place, passage)
        return list(merged.values())


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


def _judge_once() -> None:
    text = "A cache holds what was read."
    asked = Assignment(StepId("warm"), text, text)
    ground = ground_of(asked, [Passage("warm", 1, 1, text)])
    grounded(f"{text} [1]", asked, ground.passages, ground.sources, is_strict=False)


def _is_relevant(judge: PassageJudge, known: str) -> bool:
    """Say whether a passage that backs something has a word of what is asked about."""
    asked = topic_of(known)
    return not asked or any(
        not asked.isdisjoint(topic_of(f"{passage.text}\n{place_of(passage)}"))
        for passage in judge.passages
    )


def _is_on(
    found: Extract, assignment: Assignment, passages: Sequence[Passage], sources: Sources
) -> bool:
    """Say whether the passage of a line has enough of the question's words, anywhere in it.

    A number or a name of the question is enough.
    """
    at = next(at for at, each in enumerate(passages) if lies_in(found.citation, each))
    lines = f"{place_of(passages[at])}\n{passages[at].text}".replace("_", " ").splitlines()
    there = {word.key for line in lines for word in words(line, sources.languages[at])}
    asked = words(assignment.instruction, sources.languages[at])
    keys = {word.key for word in asked if word.has_content and not word.guard}
    named = {word.key for word in asked if word.kind in _NAMING}
    return bool(named & there) or (bool(keys) and len(keys & there) >= RELEVANCE_MIN * len(keys))


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
