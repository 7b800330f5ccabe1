"""What a Researcher's answer is built on: the passages that were found for its step, laid out.

Used by `agents.researcher` alone, in its turns and before them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.evidence.backing import texts_of
from agents.evidence.extraction import EXTRACTED_MAX, Extract, extracts
from agents.evidence.features import Sources
from agents.planning.intent import questions
from cluster.kernel.lookup import Lookup
from cluster.kernel.vocabulary import Assignment, Passage, Prepare

_QUERIES_MAX = 5


@dataclass(frozen=True, slots=True)
class Ground:
    """What an answer can be built on: passages, laid out, with their sentences that answer best."""

    passages: list[Passage]
    sources: Sources
    found: Sequence[Extract]


@dataclass(frozen=True, slots=True)
class Sought:
    """What was found before the step could start; other steps' findings are no part of it."""

    collection: str
    queries: Sequence[str]
    lookups: Sequence[Lookup]
    ground: Ground


def queries_of(assignment: Assignment | Prepare) -> list[str]:
    """Return what to search for: the instruction's questions and the goal's, each once.

    A sentence that only asks for a program finds programs, and not what explains them. What is
    asked in the user's own words may name its subject only in what was said before.
    """
    asked = [*questions(assignment.instruction), *questions(assignment.goal)]
    if isinstance(assignment, Assignment) and assignment.instruction == assignment.goal:
        before = [each.content for each in assignment.conversation if each.role == "user"]
        asked += [f"{text} {assignment.goal}" for text in before[-1:]]
    queries = dict.fromkeys(each.strip() for each in asked if each.strip())
    return list(queries)[:_QUERIES_MAX]


def laid_out(passages: Sequence[Passage]) -> Sources:
    """Return passages laid out for looking sentences up in them."""
    return Sources(texts_of(passages))


def ground_of(assignment: Assignment | Prepare, passages: list[Passage]) -> Ground:
    """Return passages laid out, with the sentences of them that answer a step's questions."""
    sources = laid_out(passages)
    return Ground(passages, sources, best_extracts(assignment, passages, sources))


def best_extracts(
    assignment: Assignment | Prepare, passages: Sequence[Passage], sources: Sources
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
