"""A handler declares what its results depend on; nothing else that it reads counts."""

from __future__ import annotations

from typing import Annotated

import pytest

from agents import Agent, Assignment, Parts, Turn, handles, knowledge
from cluster.kernel.errors import UsageError
from cluster.kernel.ids import StepId
from cluster.kernel.reads import SeenField, SeenState
from cluster.state import SharedState, merge
from tests.support.fake_tools import FakeKnowledge, FakeSandbox
from tests.support.recording_turn import RecordingTurn
from tests.support.scripted_model import ScriptedModel


class Board(SharedState):
    facts: Annotated[dict[str, str], merge.by_key]
    draft: Annotated[str, merge.text]


BOARD = "task/t/Board"


class Strict(Agent):
    @handles(Assignment, reads=(Board.facts, knowledge))
    async def do(self, assignment: Assignment, turn: Turn) -> str:
        note(turn)
        return "done"


class Blind(Agent):
    @handles(Assignment, reads=())
    async def do(self, assignment: Assignment, turn: Turn) -> str:
        note(turn)
        return "done"


class Open(Agent):
    @handles(Assignment)
    async def do(self, assignment: Assignment, turn: Turn) -> str:
        note(turn)
        return "done"


def note(turn: Turn) -> None:
    turn.reads.state(BOARD, 4, ["facts", "draft"])
    turn.reads.passages("manuals", 7, [("a.md", "1a")])


async def turn_of(agent_class: type[Agent]) -> RecordingTurn:
    turn = RecordingTurn("worker-0")
    agent = agent_class(Parts(ScriptedModel({}), FakeKnowledge(), FakeSandbox()))
    await agent.handle(Assignment(StepId("s1"), "do it", "goal"), turn)
    return turn


async def test_what_is_declared_counts() -> None:
    saw = (await turn_of(Strict)).reads.saw()
    assert saw.states == (SeenState(BOARD, 4, (SeenField("facts", 4),)),)
    assert [each.namespace for each in saw.namespaces] == ["manuals"]
    assert saw.is_declared


async def test_a_handler_that_declares_nothing_depends_on_nothing() -> None:
    saw = (await turn_of(Blind)).reads.saw()
    assert saw.states == (SeenState(BOARD, 4),)
    assert not any(each.sources for each in saw.namespaces)


async def test_without_a_declaration_all_that_is_read_counts() -> None:
    saw = (await turn_of(Open)).reads.saw()
    assert [each.name for each in saw.states[0].fields] == ["draft", "facts"]
    assert not saw.is_declared


@pytest.mark.parametrize("wrong", ["facts", Board, 3])
def test_what_can_not_be_read_is_refused(wrong: object) -> None:
    with pytest.raises(UsageError, match="names no field of shared state"):
        handles(Assignment, reads=(wrong,))
