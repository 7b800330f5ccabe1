"""Answers of before: the very same question finds its own, and no other does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.kernel.conversation import ChatMessage
from cluster.kernel.vocabulary import Answer, Citation
from cluster.memory.kept_answers import (
    BYTES_MAX,
    KeptAnswer,
    Question,
    StoredAnswers,
    purge_answers,
)
from cluster.memory.store.local import LocalStore
from cluster.wire.messages import MessageCodec
from tests.support.clock import ManualClock

QUESTION = Question("why?", "docs@3", "openai:m", "anna", (ChatMessage("user", "hello"),))
KEPT = KeptAnswer(Answer("So [1].", (Citation("a.md", 1, 2, "so"),)), 1_700_000_000.5)


@pytest.fixture
def answers() -> StoredAnswers:
    return StoredAnswers(LocalStore(ManualClock()), MessageCodec())


async def test_what_was_kept_is_found_whole(answers: StoredAnswers) -> None:
    await answers.keep(QUESTION, KEPT)

    assert await answers.find(QUESTION) == KEPT


async def test_the_latest_answer_counts(answers: StoredAnswers) -> None:
    newer = KeptAnswer(Answer("Otherwise."), 1_700_000_001.0)

    await answers.keep(QUESTION, KEPT)
    await answers.keep(QUESTION, newer)

    assert await answers.find(QUESTION) == newer


@pytest.mark.parametrize(
    "other",
    [
        replace(QUESTION, goal="why ?"),
        replace(QUESTION, collection="docs@4"),
        replace(QUESTION, model="openai:n"),
        replace(QUESTION, owner="bob"),
        replace(QUESTION, conversation=()),
        Question("why?"),
    ],
)
async def test_another_question_finds_nothing(answers: StoredAnswers, other: Question) -> None:
    await answers.keep(QUESTION, KEPT)

    assert await answers.find(other) is None


async def test_an_answer_that_is_too_long_is_not_kept(answers: StoredAnswers) -> None:
    await answers.keep(QUESTION, KeptAnswer(Answer("x" * BYTES_MAX), 0.0))

    assert await answers.find(QUESTION) is None


async def test_purging_leaves_no_answer_and_nothing_else_is_touched() -> None:
    store = LocalStore(ManualClock())
    answers = StoredAnswers(store, MessageCodec())
    await store.put_many({"answers": b"of somebody else"})
    await answers.keep(QUESTION, KEPT)

    await purge_answers(store)
    await purge_answers(store)

    assert await answers.find(QUESTION) is None
    assert await store.items("") == {"answers": b"of somebody else"}
