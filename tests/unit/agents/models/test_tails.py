"""A text is used as soon as it is whole; the rest of its stream is read beside the turn, or cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

import pytest

from agents import Agent, Parts, Turn, handles
from agents.models import tails
from agents.models.bill import Bill
from agents.models.port import (
    Deed,
    Delta,
    Finish,
    Message,
    Note,
    Request,
    Restarted,
    StreamItem,
)
from cluster.kernel.errors import ModelError
from cluster.kernel.events import Spent
from tests.support.fake_tools import FakeKnowledge, FakeSandbox
from tests.support.recording_turn import RecordingTurn
from tests.support.scripted_model import ScriptedModel


@dataclass(frozen=True)
class Ask:
    """What the agent is sent."""


class HeldModel(ScriptedModel):
    """Says the first items, and the others once it is let."""

    def __init__(self, first: list[StreamItem], later: list[StreamItem | Exception]) -> None:
        super().__init__({})
        self._first, self._later = first, later
        self.may_end = asyncio.Event()

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        try:
            for item in self._first:
                yield item
            await self.may_end.wait()
            for each in self._later:
                if isinstance(each, Exception):
                    raise each
                yield each
        finally:
            self.closed_streams += 1


class Asking(Agent):
    """Uses a text that ends with a brace, then waits for what a test says."""

    purpose = "Asks."

    def __init__(self, model: HeldModel, *, returns_early: bool = True) -> None:
        super().__init__(Parts(model, FakeKnowledge(), FakeSandbox(), returns_early=returns_early))
        self.model = model
        self.has_text = asyncio.Event()
        self.may_return = asyncio.Event()

    @handles(Ask)
    async def answer(self, ask: Ask, turn: Turn) -> str:
        text = await self.think(turn, "s", "u", wants_json=True, is_enough=lambda p: "}" in p)
        self.has_text.set()
        await self.may_return.wait()
        return text


WHOLE: list[StreamItem] = [Delta("{"), Delta("}")]


def asking(*later: StreamItem | Exception, first: list[StreamItem] = WHOLE) -> Asking:
    return Asking(HeldModel(first, list(later)))


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_turn_goes_on_with_a_whole_text_while_its_stream_is_open() -> None:
    agent, turn = asking(Delta("\n"), Finish("stop", 7, 9)), RecordingTurn("asking-0")
    handling = asyncio.create_task(agent.handle(Ask(), turn))

    await agent.has_text.wait()
    assert turn.all(Spent) == []
    turn.now = 1.5
    agent.model.may_end.set()
    await settled()
    agent.may_return.set()

    assert await handling == "{}"
    assert turn.all(Spent) == [Spent("model", 0.0, 7, 9, wasted_tokens=1, saved_s=1.5)]
    assert turn.thoughts() == "{}"
    assert agent.model.closed_streams == 1


async def test_the_end_of_a_turn_waits_for_the_bill_of_a_stream_that_only_ends() -> None:
    agent, turn = asking(Finish("stop", 7, 2)), RecordingTurn("asking-0")
    agent.may_return.set()
    handling = asyncio.create_task(agent.handle(Ask(), turn))

    await agent.has_text.wait()
    agent.model.may_end.set()

    assert await handling == "{}"
    assert turn.all(Spent) == [Spent("model", 0.0, 7, 2)]


async def test_a_stream_that_does_not_end_in_time_is_estimated_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tails, "_BILL_WAIT_S", 0.0)
    agent, turn = asking(Finish("stop", 7, 9)), RecordingTurn("asking-0")
    agent.may_return.set()

    assert await agent.handle(Ask(), turn) == "{}"
    agent.model.may_end.set()
    await settled()

    assert turn.all(Spent) == [Spent("model", 0.0, 0, 2)]
    assert agent.model.closed_streams == 1


async def test_a_stream_that_says_more_is_cut_with_its_turn() -> None:
    agent = asking(first=[*WHOLE, Delta(" And now"), Delta(" for something else")])
    turn = RecordingTurn("asking-0")
    handling = asyncio.create_task(agent.handle(Ask(), turn))
    await agent.has_text.wait()
    await settled()

    agent.may_return.set()
    await handling
    await settled()

    assert agent.model.closed_streams == 1
    assert turn.all(Spent) == [Spent("model", 0.0, 0, 4, wasted_tokens=2)]


@pytest.mark.parametrize("more", [Delta("and so on " * 30), Restarted("it stalled")])
async def test_a_tail_that_is_not_worth_reading_is_cut(more: StreamItem) -> None:
    agent = asking(first=[*WHOLE, more])
    handling = asyncio.create_task(agent.handle(Ask(), RecordingTurn("asking-0")))

    await agent.has_text.wait()
    await settled()

    assert agent.model.closed_streams == 1
    agent.may_return.set()
    assert await handling == "{}"


async def test_what_policies_do_in_a_tail_is_counted() -> None:
    agent = asking(first=[*WHOLE, Note(Deed.CUT_SHORT, saved_tokens=40), Finish("stop", 7, 2)])
    turn = RecordingTurn("asking-0")
    agent.may_return.set()

    await agent.handle(Ask(), turn)

    assert turn.all(Spent) == [Spent("model", 0.0, 7, 2, saved_tokens=40)]


@pytest.mark.parametrize("has_text", [True, False])
async def test_nothing_is_left_of_a_turn_that_is_cancelled(
    has_text: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    agent = asking(first=WHOLE if has_text else WHOLE[:1])
    turn = RecordingTurn("asking-0")
    handling = asyncio.create_task(agent.handle(Ask(), turn))
    await settled()

    handling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handling

    assert agent.model.closed_streams == 1
    assert [each.wasted_tokens for each in turn.all(Spent)] == [0 if has_text else 1]


async def test_a_text_that_is_taken_back_in_time_voids_what_was_made_of_it() -> None:
    withdrawal = ModelError("the endpoint withdrew its answer")
    withdrawal.is_withdrawal = True
    agent = asking(withdrawal)
    handling = asyncio.create_task(agent.handle(Ask(), RecordingTurn("asking-0")))
    await agent.has_text.wait()

    agent.model.may_end.set()
    await settled()
    agent.may_return.set()

    with pytest.raises(ModelError, match="withdrew"):
        await handling


async def test_other_trouble_of_a_tail_is_no_trouble() -> None:
    agent, turn = asking(ModelError("cut off")), RecordingTurn("asking-0")
    agent.may_return.set()
    agent.model.may_end.set()

    assert await agent.handle(Ask(), turn) == "{}"
    assert [each.wasted_tokens for each in turn.all(Spent)] == [0]


async def test_text_that_may_be_reasoning_is_read_to_its_end() -> None:
    agent = asking(Delta("</think>{2}"), Finish("stop"), first=[Delta("Say "), *WHOLE])
    agent.may_return.set()
    handling = asyncio.create_task(agent.handle(Ask(), RecordingTurn("asking-0")))
    await settled()
    assert not agent.has_text.is_set()

    agent.model.may_end.set()

    assert await handling == "{2}"


async def test_a_stream_is_read_to_its_end_where_returning_early_is_switched_off() -> None:
    agent = Asking(HeldModel(WHOLE, [Finish("stop", 7, 2)]), returns_early=False)
    agent.may_return.set()
    handling = asyncio.create_task(agent.handle(Ask(), RecordingTurn("asking-0")))
    await settled()
    assert not agent.has_text.is_set()

    agent.model.may_end.set()

    assert await handling == "{}"


async def test_closing_an_agent_ends_what_outlives_its_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tails, "_BILL_WAIT_S", 0.0)
    agent = asking()
    agent.may_return.set()
    await agent.handle(Ask(), RecordingTurn("asking-0"))
    assert agent.model.closed_streams == 0

    await agent.close()

    assert agent.model.closed_streams == 1


def test_what_of_a_prompt_was_not_sent_is_not_counted_but_by_the_attempt_that_was_sent_all() -> (
    None
):
    bill = Bill(Request((Message("user", "x" * 4_000),)))

    bill.note(Note(Deed.FITTED, "left out of the prompt: 1 of 2 passages", unsent_characters=3_000))
    fitted = bill.spent(0.0, is_used=True)
    bill.void()

    assert fitted.prompt_tokens == 250
    assert bill.spent(0.0, is_used=True).prompt_tokens == 1_000


def test_what_was_said_before_a_restart_is_wasted_and_not_counted_twice() -> None:
    bill = Bill(Request(()), deltas=3)

    bill.void()
    bill.deltas += 2
    spent = bill.spent(0.0, is_used=True)

    assert (spent.completion_tokens, spent.wasted_tokens) == (5, 3)


@pytest.mark.parametrize("shown", [0, 3])
def test_what_an_endpoint_has_written_in_vain_counts_though_not_all_of_it_was_shown(
    shown: int,
) -> None:
    bill = Bill(Request(()), deltas=shown)

    bill.void(is_counted=True)
    bill.finish = Finish("stop", 7, 2, void_tokens=900)

    assert bill.spent(0.0, is_used=True).completion_tokens == 902


@pytest.mark.parametrize("shown", [0, 3])
def test_what_another_endpoint_has_lost_counts_beside_what_this_one_has_written_in_vain(
    shown: int,
) -> None:
    bill = Bill(Request(()), deltas=100)
    bill.void()
    bill.deltas += shown
    bill.void(is_counted=True)

    bill.finish = Finish("stop", 7, 2, void_tokens=300)

    assert bill.spent(0.0, is_used=True).completion_tokens == 402


def test_what_is_void_counts_by_its_deltas_where_no_end_counts_it() -> None:
    bill = Bill(Request(()), deltas=5)
    bill.void(is_counted=True)

    bill.finish = Finish("stop", 7, 2)

    assert bill.spent(0.0, is_used=True).completion_tokens == 7
