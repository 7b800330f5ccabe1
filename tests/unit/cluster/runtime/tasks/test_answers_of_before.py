"""Answers of before: which are kept, what is said of them, and that looking never fails."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.events import Submitted
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Answer, Plan, Step
from cluster.memory.kept_answers import KeptAnswer, Question
from cluster.runtime.tasks import answers_of_before
from cluster.runtime.tasks.answers_of_before import AnswersOfBefore, ago

ASKED = Submitted("why?", "docs@3")
ANSWER = Answer("So.")


class Shelf:
    """Keeps answers in memory, unless it is broken or hangs."""

    def __init__(self, *, is_broken: bool = False, hangs: bool = False) -> None:
        self.kept: dict[Question, KeptAnswer] = {}
        self._is_broken = is_broken
        self._hangs = hangs

    async def keep(self, question: Question, kept: KeptAnswer) -> None:
        if self._is_broken:
            raise StoreUnavailable("away")
        self.kept[question] = kept

    async def find(self, question: Question) -> KeptAnswer | None:
        if self._is_broken:
            raise StoreUnavailable("away")
        if self._hangs:
            await asyncio.Event().wait()
        return self.kept.get(question)


async def test_the_same_question_gets_its_answer_with_its_age_and_why() -> None:
    answers = AnswersOfBefore(Shelf(), "m")

    await answers.keep(ASKED, ANSWER, 1000.0)

    said = "This is the answer that the same question had 2 minutes ago: the model is down."
    assert await answers.find(ASKED, "the model is down.", 1130.0) == replace(
        ANSWER, degraded=(said,)
    )


async def test_another_model_has_no_answer_of_before() -> None:
    shelf = Shelf()
    await AnswersOfBefore(shelf, "m").keep(ASKED, ANSWER, 0.0)

    assert await AnswersOfBefore(shelf, "n").find(ASKED, "it is down", 1.0) is None


async def test_an_answer_from_which_something_was_left_out_is_not_kept() -> None:
    shelf = Shelf()

    await AnswersOfBefore(shelf, "m").keep(ASKED, Answer("So.", degraded=("a step failed",)), 0.0)

    assert shelf.kept == {}


async def test_a_declared_workflow_neither_gives_nor_gets_an_answer_of_before() -> None:
    shelf = Shelf()
    answers = AnswersOfBefore(shelf, "m")
    alone = replace(ASKED, workflow=Plan((Step(StepId("coder"), "coder", "why?"),)))

    await answers.keep(alone, ANSWER, 0.0)
    kept = dict(shelf.kept)
    await answers.keep(ASKED, ANSWER, 0.0)

    assert kept == {}
    assert await answers.find(ASKED, "it is down", 1.0) is not None
    assert await answers.find(alone, "it is down", 1.0) is None


async def test_a_store_that_is_away_costs_nothing_but_the_answer() -> None:
    answers = AnswersOfBefore(Shelf(is_broken=True), "m")

    await answers.keep(ASKED, ANSWER, 0.0)

    assert await answers.find(ASKED, "it is down", 1.0) is None


async def test_nobody_waits_long_for_an_answer_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers_of_before, "FIND_S_MAX", 0.0)

    assert await AnswersOfBefore(Shelf(hangs=True), "m").find(ASKED, "it is down", 1.0) is None


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (5.0, "less than a minute"),
        (60.0, "1 minute"),
        (7_300.0, "2 hours"),
        (90_000.0, "1 day"),
        (200_000.0, "2 days"),
    ],
)
def test_how_long_ago_is_said_in_one_unit(seconds: float, said: str) -> None:
    assert ago(seconds) == said
