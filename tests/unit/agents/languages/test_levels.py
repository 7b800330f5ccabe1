"""The tasks in five languages, judged: the same share is quoted in each, and nothing false passes.

What the Researcher makes of its model's reply, and the Manager of its own from that finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest

from agents.answers.composition import composed
from agents.answers.outcomes import outcomes_of
from agents.evidence.languages import language_of
from agents.evidence.words import without_citations
from agents.ground import laid_out
from agents.researcher import grounded
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import (
    UNVERIFIED_MARK,
    Answer,
    Assignment,
    Claim,
    ComposeRequest,
    Finding,
    Plan,
    Step,
    StepResult,
    Support,
)
from tests.support.languages import LANGUAGES, LanguageTask, Reply, tasks_in

TASKS = {(name, task.id): task for name in LANGUAGES for task in tasks_in(name)}
STEP = StepId("r1")
each_task = pytest.mark.parametrize("key", TASKS, ids="-".join)
each_language = pytest.mark.parametrize("language", LANGUAGES)


@cache
def finding_of(key: tuple[str, str]) -> Finding:
    task = TASKS[key]
    passages = [document.passage for document in task.documents]
    asked = Assignment(STEP, task.goal, task.goal, collection="c")
    sources = laid_out(passages)
    return grounded(
        task.research.reply, asked, passages, sources, is_strict=False, may_turn_strict=True
    )


@cache
def answer_of(key: tuple[str, str]) -> Answer:
    """Return the answer; the reply cites the kept sentences of the finding by their places."""
    task, finding = TASKS[key], finding_of(key)
    plan = Plan((Step(STEP, "researcher", task.goal),))
    request = ComposeRequest(task.goal, plan, (StepResult(STEP, "researcher", finding),))
    answer = composed(task.answer.reply, task.goal, outcomes_of(request), may_turn_strict=True)
    assert answer is not None
    return answer


def true_sentences(reply: Reply) -> list[str]:
    return [each.text for each in reply.sentences if each.support != "contradicted"]


def false_sentence(task: LanguageTask) -> str:
    (false,) = (each.text for each in task.research.sentences if each.support == "contradicted")
    return false


def bare(text: str) -> str:
    """Return a text without citations, marks, list items and blanks."""
    lines = (line.removeprefix("- ") for line in without_citations(text).splitlines())
    return "".join("".join(lines).replace(UNVERIFIED_MARK, "").split())


def support_of(claims: Sequence[Claim], text: str) -> Support | None:
    return next((each.support for each in claims if bare(each.text) == bare(text)), None)


def quoted(language: str, *, in_answer: bool) -> int:
    """Return how many of the true sentences of a language are quoted."""
    return sum(
        support_of(made.claims, text) is Support.QUOTED
        for key, task in TASKS.items()
        if key[0] == language
        for made, reply in [
            (answer_of(key), task.answer) if in_answer else (finding_of(key), task.research)
        ]
        for text in true_sentences(reply)
    )


@each_task
def test_every_true_sentence_is_shown_and_none_but_the_models(key: tuple[str, str]) -> None:
    task, finding, answer = TASKS[key], finding_of(key), answer_of(key)
    false = bare(false_sentence(task))

    assert bare(finding.text).replace(false, "") == "".join(
        map(bare, true_sentences(task.research))
    )
    assert bare(answer.text) == "".join(map(bare, true_sentences(task.answer)))
    assert language_of(answer.text) == key[0]


@each_task
def test_no_false_sentence_is_shown_as_backed(key: tuple[str, str]) -> None:
    task, finding = TASKS[key], finding_of(key)

    assert support_of(finding.claims, false_sentence(task)) in (None, Support.UNVERIFIED)
    assert false_sentence(task) not in answer_of(key).text


@each_task
def test_what_is_shown_is_cited_or_marked(key: tuple[str, str]) -> None:
    for made in (finding_of(key), answer_of(key)):
        assert made.citations
        assert all(
            bool(claim.citations) is (claim.support is not Support.UNVERIFIED)
            and all(0 <= at < len(made.citations) for at in claim.citations)
            for claim in made.claims
        )


@each_task
def test_every_quote_stands_verbatim_at_its_lines(key: tuple[str, str]) -> None:
    texts = {each.source: each.text for each in TASKS[key].documents}

    for quote in (*finding_of(key).citations, *answer_of(key).citations):
        lines = texts[quote.source].splitlines()[quote.start_line - 1 : quote.end_line]
        assert quote.quote in "\n".join(lines)


@each_task
def test_what_is_quoted_is_what_was_written_as_a_quote(key: tuple[str, str]) -> None:
    for each in TASKS[key].research.sentences:
        if each.change in ("none", "lead-in"):
            assert support_of(finding_of(key).claims, each.text) is Support.QUOTED


@each_language
def test_as_many_sentences_are_quoted_as_in_english(language: str) -> None:
    assert quoted("en", in_answer=False) == 15
    assert quoted(language, in_answer=False) >= 14
    assert quoted(language, in_answer=True) >= quoted("en", in_answer=True) - 1
