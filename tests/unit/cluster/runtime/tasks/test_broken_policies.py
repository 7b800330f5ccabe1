"""A program's own way of merging that fails: whoever edits by it says so, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from cluster.kernel.events import Answered, Event, FellBack, StateConflicted
from cluster.kernel.ids import StepId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import (
    Answer,
    Assignment,
    Finding,
    Plan,
    PlanProposal,
    PlanRequest,
    Step,
)
from tests.support.hosts import MemoryCluster
from tests.support.notice_board import Torn, torn

PLAN = Plan((Step(StepId("a"), "researcher", "do a"), Step(StepId("b"), "coder", "do b")))


async def manage(message: object, turn: Turn) -> object:
    """Plan, and answer."""
    return PlanProposal(PLAN) if isinstance(message, PlanRequest) else Answer("It is done.")


@pytest.fixture
async def events() -> AsyncIterator[list[Event]]:
    """Those of a task whose two steps write other words at once."""
    both = asyncio.Barrier(2)

    async def write(message: object, turn: Turn) -> object:
        assert isinstance(message, Assignment)
        async with turn.state(Torn) as torn:
            torn.word = torn.other = message.step
            await both.wait()
        return Finding(message.step)

    async with MemoryCluster() as cluster:
        cluster.find_function = {"tests.support.notice_board:torn": torn}.get
        await cluster.add_manager(manage)
        await cluster.add("researcher-0", write)
        await cluster.add("coder-0", write)
        yield [event async for event in await cluster.submit("which one?")]


async def test_a_turn_whose_edit_could_not_be_merged_says_why_once(events: list[Event]) -> None:
    said = [each for each in events if isinstance(each.detail, FellBack)]

    assert said
    assert len({each.agent for each in said}) == len(said)
    detail = said[0].detail
    assert isinstance(detail, FellBack)
    assert detail.what == "merge"
    assert "torn raised ZeroDivisionError('no way')" in detail.reason
    assert f"word of task/{events[0].task}/Torn" in detail.reason


async def test_the_manager_finds_the_policy_and_says_what_is_in_conflict(
    events: list[Event],
) -> None:
    shown = [each.detail for each in events if isinstance(each.detail, StateConflicted)]
    answered = events[-1].detail

    assert {each.field for each in shown} == {"word", "other"}
    assert isinstance(answered, Answered)
    assert len(answered.answer.degraded) == 2
