"""Sentences of an answer are judged, and shown where they are sure, while it is being written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import partial

import pytest

from agents import Parts
from agents.answers.composition import Grounds
from agents.answers.draft import AnswerDraft
from agents.answers.writing import AnswerWriting
from agents.evidence.strictness import SupportMode
from agents.manager import Manager
from agents.models.port import Delta, Finish, Request, Restarted, StreamItem
from agents.models.reply import Author
from cluster.kernel.errors import ModelError
from cluster.kernel.events import AgentDetail, FellBack, Routed, StepPlanned, Thought
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Answer, ComposeRequest, Plan, Step, StepResult
from tests.support.fake_tools import FakeKnowledge, FakeSandbox
from tests.support.recording_turn import RecordingTurn
from tests.support.scripted_model import ScriptedModel
from tests.unit.agents.answers.test_composition import AUTHOR, FINDING, QUESTION, outcomes

QUOTED = "The Zephyr cache holds 512 entries [1]."
BEGUN = f"{QUOTED} Ada Byron wrote the"
WHOLE = f"{BEGUN} Zephyr cache in 2019 [2]."
REQUEST = ComposeRequest(
    QUESTION,
    Plan((Step(StepId("r1"), "researcher", "a"), Step(StepId("r2"), "researcher", "b"))),
    (
        StepResult(StepId("r1"), "researcher", FINDING),
        StepResult(StepId("r2"), "researcher", AUTHOR),
    ),
)


class ShownTurn(RecordingTurn):
    """Says when something final was shown."""

    def __init__(self) -> None:
        super().__init__("manager-0", "answer")
        self.has_shown = asyncio.Event()

    def emit(self, detail: AgentDetail | StepPlanned | Routed) -> None:
        super().emit(detail)
        if isinstance(detail, Thought) and detail.is_final:
            self.has_shown.set()

    def final(self) -> list[str]:
        return [thought.text for thought in self.all(Thought) if thought.is_final]


class WaitingModel(ScriptedModel):
    """Goes on after its first words once something was shown of them."""

    def __init__(self, turn: ShownTurn, *later: StreamItem | Exception) -> None:
        super().__init__({})
        self._turn, self._later = turn, later

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        yield Delta(BEGUN)
        await self._turn.has_shown.wait()
        for item in self._later:
            if isinstance(item, Exception):
                raise item
            yield item


async def composed_of(turn: ShownTurn, *later: StreamItem | Exception) -> Answer:
    model = WaitingModel(turn, *later)
    parts = Parts(model, FakeKnowledge(), FakeSandbox(), support=SupportMode.AUTO)
    answer = await Manager(parts).handle(REQUEST, turn)
    assert isinstance(answer, Answer)
    return answer


def writing_of(turn: ShownTurn, *, is_shown: bool = True) -> AnswerWriting:
    results = outcomes(r1=FINDING, r2=AUTHOR)
    lay_out = partial(Grounds, QUESTION, results)
    draft = AnswerDraft(lay_out, SupportMode.MARKED)
    return AnswerWriting(draft, turn, Author(is_embedded=False), is_shown=is_shown)


async def test_a_sentence_is_shown_while_the_model_writes_the_next_one() -> None:
    turn = ShownTurn()

    answer = await composed_of(turn, Delta(WHOLE[len(BEGUN) :]), Finish("stop"))

    assert turn.final() == [QUOTED]
    assert answer.text == WHOLE


@pytest.mark.parametrize(
    "later",
    [
        (ModelError("cut off"),),
        (
            Restarted("it stalled"),
            Delta("Ada Byron wrote the Zephyr cache in 2019 [2]."),
            Finish("stop"),
        ),
    ],
)
async def test_what_was_shown_stands_in_the_answer_though_the_stream_breaks(
    later: tuple[StreamItem | Exception, ...],
) -> None:
    turn = ShownTurn()

    answer = await composed_of(turn, *later)

    assert answer.text == f"{QUOTED}\n\nAda Byron wrote the Zephyr cache in 2019 [2]."
    assert len(answer.citations) == 2
    assert bool(answer.degraded) == isinstance(later[0], ModelError)
    assert len(turn.all(FellBack)) == 1


async def test_nothing_is_shown_early_where_it_may_be_void() -> None:
    turn = ShownTurn()
    async with writing_of(turn, is_shown=False) as writing:
        assert not writing(WHOLE)

        answer = await writing.answer(WHOLE)

    assert answer is not None
    assert answer.text == WHOLE
    assert turn.final() == []


async def test_nothing_is_judged_early_where_that_is_switched_off() -> None:
    turn = ShownTurn()
    parts = Parts(
        ScriptedModel({"manager": WHOLE}), FakeKnowledge(), FakeSandbox(), judges_early=False
    )

    answer = await Manager(parts).handle(REQUEST, turn)

    assert isinstance(answer, Answer)
    assert answer.text == WHOLE
    assert turn.final() == []


async def test_no_look_is_left_of_a_writing_that_is_given_up() -> None:
    async with writing_of(ShownTurn()) as writing:
        writing(BEGUN)


async def test_text_that_was_forgotten_is_in_no_answer() -> None:
    async with writing_of(ShownTurn(), is_shown=False) as writing:
        writing("Few users ever complain. And so on and on")
        writing.reset()
        writing(WHOLE)

        answer = await writing.answer(WHOLE)

    assert answer is not None
    assert answer.text == WHOLE
