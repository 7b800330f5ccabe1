"""A model that answers in place of another one is held to its own rules, whatever the settings say.

What is asked follows the settings: who will answer isn't known before.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from agents import Agent, Answer, Assignment, Finding, Parts, Passage, Program
from agents.coder import Coder
from agents.evidence.strictness import SupportMode
from agents.manager import Manager
from agents.models.build import EmbeddedModel
from agents.models.policies.fallback import FallbackModel, Rung
from agents.models.port import Delta, Finish, Model, Request, Restarted, StreamItem
from agents.prompts import RESEARCHER, RESEARCHER_STRICT
from agents.researcher import Researcher
from cluster.kernel.errors import ModelError
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Absence
from tests.support.fake_tools import FakeKnowledge, FakeSandbox
from tests.support.recording_turn import RecordingTurn
from tests.support.scripted_model import Reply, ScriptedModel
from tests.unit.agents.answers import test_verification
from tests.unit.agents.answers.test_writing import QUOTED, REQUEST, ShownTurn
from tests.unit.agents.test_coder import BAD, GOAL, PLAIN, WORKED, block, outcome

DOWN = ModelError("it is down")
LIMITS = Passage("docs/zephyr.md", 10, 10, "The Zephyr cache holds 512 entries.")
QUESTION = "How many entries does the Zephyr cache hold?"
FREE = "Few users ever complain."
MARKED = "Few users ever complain [unverified]."


def ladder(first: Model, then: Model) -> Model:
    return FallbackModel([Rung("[model]", "deep", first), Rung("here", "local", then)])


def capable(reply: Reply | list[Reply]) -> ScriptedModel:
    return ScriptedModel(dict.fromkeys(("manager", "researcher", "coder"), reply))


def embedded(reply: Reply | list[Reply]) -> Model:
    return EmbeddedModel(capable(reply))


def parts_of(
    model: Model, *, support: SupportMode = SupportMode.AUTO, is_embedded: bool = False
) -> Parts:
    """Return parts; ``is_embedded`` says what the model of the settings is."""
    sandbox = FakeSandbox(outcome)
    return Parts(model, FakeKnowledge(LIMITS), sandbox, support=support, is_embedded=is_embedded)


async def found(parts: Parts) -> Finding:
    sent = Assignment(StepId("r1"), QUESTION, "the goal", (), "c")
    finding = await Researcher(parts).handle(sent, RecordingTurn("researcher-0", "r1"))
    assert isinstance(finding, Finding)
    return finding


async def answered(agent: Agent, turn: RecordingTurn | None = None) -> Answer:
    answer = await agent.handle(REQUEST, turn or RecordingTurn("manager-0", "answer"))
    assert isinstance(answer, Answer)
    return answer


async def programmed(parts: Parts) -> Program:
    program = await Coder(parts).handle(
        Assignment(StepId("c1"), GOAL, GOAL, (), "c"), RecordingTurn("coder-0", "c1")
    )
    assert isinstance(program, Program)
    return program


BEGUN = ("Few people have said mu", DOWN)
"""Of an answer that breaks off: what came of it is void."""


@pytest.mark.parametrize("first", [DOWN, BEGUN])
async def test_only_quotes_of_the_embedded_model_are_found_though_a_capable_one_was_asked(
    first: Reply,
) -> None:
    parts = parts_of(ladder(capable(first), embedded(f"{QUOTED} {FREE}")))

    assert (await found(parts)).text == QUOTED


@pytest.mark.parametrize("first", [DOWN, BEGUN])
async def test_only_quotes_of_the_embedded_model_are_answered_though_a_capable_one_was_asked(
    first: Reply,
) -> None:
    parts = parts_of(ladder(capable(first), embedded(f"{QUOTED} {FREE}")))

    assert (await answered(Manager(parts))).text == QUOTED


PARAPHRASE = "At most 512 entries are held by the Zephyr cache"


async def test_a_sentence_in_words_of_its_own_has_a_citation_only_of_a_capable_model() -> None:
    text = f"{QUOTED} {PARAPHRASE} [1]."

    capables = await answered(Manager(parts_of(ladder(capable(text), embedded(DOWN)))))
    embeddeds = await answered(Manager(parts_of(ladder(capable(DOWN), embedded(text)))))

    assert f"{PARAPHRASE} [2]." in capables.text
    assert embeddeds.text == QUOTED


async def test_a_capable_model_is_not_gagged_where_the_embedded_one_was_to_answer() -> None:
    model = ladder(capable(f"{QUOTED} {FREE}"), embedded(DOWN))
    parts = parts_of(model, is_embedded=True)

    assert MARKED in (await found(parts)).text
    assert MARKED in (await answered(Manager(parts))).text


@pytest.mark.parametrize(
    ("support", "is_shown"), [(SupportMode.STRICT, False), (SupportMode.MARKED, True)]
)
async def test_where_the_settings_decide_it_does_not_matter_who_answers(
    support: SupportMode,
    is_shown: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    text = f"{QUOTED} {FREE}"
    models = ladder(capable(DOWN), embedded(text)), ladder(capable(text), embedded(DOWN))

    for model in models:
        parts = parts_of(model, support=support)
        assert (MARKED in (await found(parts)).text) is is_shown
        assert (MARKED in (await answered(Manager(parts))).text) is is_shown


@pytest.mark.parametrize(("is_embedded", "told"), [(False, RESEARCHER), (True, RESEARCHER_STRICT)])
async def test_what_is_asked_follows_the_settings(
    is_embedded: bool,  # noqa: FBT001 - a parameter of the test
    told: str,
) -> None:
    asked = capable(QUOTED)

    await found(parts_of(ladder(capable(DOWN), EmbeddedModel(asked)), is_embedded=is_embedded))

    assert asked.requests[0].messages[0].text == told


class FallingModel(ScriptedModel):
    """Begins, falls back on the embedded model, and goes on once something of that is shown."""

    def __init__(self, turn: ShownTurn) -> None:
        super().__init__({})
        self._turn = turn

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        yield Delta(f"{FREE} It is said that")
        yield Restarted("here answers in place of [model]")
        yield Delta(f"{FREE} {QUOTED} Ada Byron wrote the", is_embedded=True)
        await self._turn.has_shown.wait()
        yield Delta(" Zephyr cache in 2019 [2].", is_embedded=True)
        yield Finish("stop")


async def test_what_is_shown_while_the_embedded_model_writes_is_quoted() -> None:
    turn = ShownTurn()

    answer = await answered(Manager(parts_of(FallingModel(turn))), turn)

    assert turn.final() == [QUOTED]
    assert answer.text == f"{QUOTED} Ada Byron wrote the Zephyr cache in 2019 [2]."


async def test_a_doubtful_program_of_the_embedded_model_is_not_offered() -> None:
    capables = await programmed(parts_of(ladder(capable(block(PLAIN)), embedded(DOWN))))
    embeddeds = await programmed(parts_of(ladder(capable(DOWN), embedded(block(PLAIN)))))

    assert (capables.source, capables.run) == (PLAIN, WORKED)
    assert (embeddeds.source, embeddeds.absence) == ("", Absence.WITHHELD)


async def test_a_capable_models_program_is_offered_though_the_embedded_one_repairs_it() -> None:
    replies: list[Reply] = [block(PLAIN), DOWN]
    first = capable(replies)

    program = await programmed(parts_of(ladder(first, embedded(block(BAD)))))

    assert (program.source, program.run) == (PLAIN, WORKED)


async def test_the_embedded_model_corrects_no_answer() -> None:
    said = test_verification.said(test_verification.KEEPS)
    bench = test_verification.Bench(said)
    bench.agent = Manager(parts_of(ladder(capable(DOWN), embedded(said))))

    nothing = await bench.look()

    assert await bench.look(test_verification.PASSAGE) == nothing
