"""Agents that decide conflicts of shared state: by a method of their own, or as the Manager."""

from __future__ import annotations

import json

import pytest

from agents import FOR_A_PERSON, Agent, ConflictRequest, Parts, Turn, merges
from agents.manager import Manager
from cluster.kernel.decisions import ConflictDecision, Rival
from cluster.kernel.errors import AgentFailed, ModelError, StateInvalid, UsageError
from tests.support.boards import Board, Fact
from tests.support.fake_tools import FakeKnowledge, FakeSandbox
from tests.support.recording_turn import RecordingTurn
from tests.support.scripted_model import Reply, ScriptedModel

YES = Rival('"yes"', "researcher-0", "r1")
NO = Rival('"no"', "coder-0", "c1")
REMOVED = Rival("", "coder-0", "c1")
VERDICT = ConflictRequest("task/t/Board", "Board", "verdict", rivals=(YES, NO), goal="why?")


def within(key: str, *rivals: Rival) -> ConflictRequest:
    """A conflict on a fact."""
    return ConflictRequest("task/t/Board", "Board", "facts", has_key=True, key=key, rivals=rivals)


class Judge(Agent):
    """Has a method for two fields of the board."""

    @merges(Board.verdict)
    async def either(self, conflict: ConflictRequest, turn: Turn) -> object:
        contents = [each.content for each in conflict.rivals]
        return " or ".join(map(str, contents)) if len(contents) == 2 else 7

    @merges(Board.facts)
    async def last(self, conflict: ConflictRequest, turn: Turn) -> object:
        if conflict.key == "mine":
            return Fact(text="better than both")
        return conflict.rivals[-1]


async def decided_by(agent_class: type[Agent], conflict: ConflictRequest, reply: Reply = "") -> str:
    agent = agent_class(Parts(ScriptedModel({"manager": reply}), FakeKnowledge(), FakeSandbox()))
    decision = await agent.handle(conflict, RecordingTurn("manager-0", "merge/1"))
    assert isinstance(decision, ConflictDecision)
    return decision.value


async def test_a_field_is_decided_by_the_method_that_is_marked_with_it() -> None:
    assert Judge.decides() == ("Board.verdict", "Board.facts")
    assert await decided_by(Judge, VERDICT) == '"yes or no"'


async def test_one_of_the_values_may_be_chosen_as_it_is_a_removal_too() -> None:
    assert await decided_by(Judge, within("a", YES, REMOVED)) == ""
    assert REMOVED.is_removal
    assert REMOVED.content is None


async def test_another_value_of_a_key_is_of_the_type_of_the_dict() -> None:
    value = await decided_by(Judge, within("mine", YES, NO))

    assert json.loads(value) == {"text": "better than both", "votes": []}


async def test_a_value_that_the_field_can_not_have_is_refused() -> None:
    with pytest.raises(StateInvalid, match=r"Board\.verdict can't be written"):
        await decided_by(
            Judge, ConflictRequest("task/t/Board", "Board", "verdict", rivals=(YES, NO, REMOVED))
        )


async def test_a_method_that_raises_is_named_with_its_error() -> None:
    class Hasty(Agent):
        @merges(Board.verdict)
        async def guess(self, conflict: ConflictRequest, turn: Turn) -> object:
            raise ValueError("neither will do")

    with pytest.raises(AgentFailed, match=r"Hasty\.guess raised ValueError\('neither will do'\)$"):
        await decided_by(Hasty, VERDICT)


async def test_a_method_may_leave_a_conflict_to_a_person() -> None:
    class Modest(Agent):
        @merges(Board.verdict)
        async def nobody(self, conflict: ConflictRequest, turn: Turn) -> object:
            return FOR_A_PERSON

    modest = Modest(Parts(ScriptedModel({}), FakeKnowledge(), FakeSandbox()))

    decision = await modest.handle(VERDICT, RecordingTurn("coder-0", "merge/1"))

    assert decision == ConflictDecision(is_left_open=True)


async def test_what_no_method_decides_is_nothing_for_the_agent() -> None:
    unknown = ConflictRequest("task/t/Board", "Board", "status", rivals=(YES, NO))

    with pytest.raises(UsageError, match="Judge handles nothing, and was sent ConflictRequest"):
        await decided_by(Judge, unknown)


async def test_the_manager_has_its_model_choose() -> None:
    assert await decided_by(Manager, VERDICT, 'The second: {"value": 2}') == '"no"'


@pytest.mark.parametrize("reply", ["no idea", '{"value": 3}', '{"value": "yes"}', "[2]"])
async def test_a_choice_of_none_of_them_is_none(reply: str) -> None:
    with pytest.raises(ModelError, match="the model chose"):
        await decided_by(Manager, VERDICT, reply)


def test_a_mark_without_a_field_is_refused() -> None:
    with pytest.raises(UsageError, match=r"@merges needs a field of shared state, as Board\.verd"):
        merges("verdict")


def test_a_method_of_another_form_is_refused() -> None:
    with pytest.raises(UsageError, match=r"it has to be `async def` and take \(self, conflict, "):

        @merges(Board.verdict)  # type: ignore[arg-type]  # which is what the test is about
        def decide(self: Judge, conflict: ConflictRequest) -> None: ...


def test_two_methods_for_one_field_are_refused() -> None:
    with pytest.raises(UsageError, match=r"Twice has two methods that decide Board\.verdict"):

        class Twice(Agent):
            @merges(Board.verdict)
            async def one(self, conflict: ConflictRequest, turn: Turn) -> object: ...

            @merges(Board.verdict)
            async def other(self, conflict: ConflictRequest, turn: Turn) -> object: ...
