"""`POST /v1/responses` over a real server, as the official client sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import openai
import pytest
from openai.types.responses import Response

from cluster.kernel.conversation import ChatMessage
from cluster.kernel.events import Answered, Clarified, Failed, Spent, Thought
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Answer, Citation, Failure
from cluster.serving import responses
from tests.support.fake_desk import At, FakeDesk, Scene, Until, app_of, at_answer
from tests.support.http_server import official_client

TEXT = "Kestrels hover [1]. They eat voles."
ANSWER = Answer(TEXT, (Citation("birds/kestrel.md", 3, 4, "hover in the wind"),))
SCENE: Scene = (
    At(StepId("r1"), Thought("Where do they hunt?")),
    *at_answer(Thought("Kestrels hover [1].", is_final=True), Spent("model", 0.5, 120, 40)),
    Answered(ANSWER),
)
GOAL = "How do kestrels hunt?"


@pytest.fixture
async def desk() -> AsyncIterator[FakeDesk]:
    """A desk whose tasks answer about kestrels."""
    desk = FakeDesk(SCENE)
    yield desk
    await desk.aclose()


@pytest.fixture
async def client(desk: FakeDesk) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official client, which repeats nothing by itself."""
    async with official_client(app_of(desk)) as client:
        yield client


async def asked(client: openai.AsyncOpenAI, **more: object) -> Response:
    """A response in one piece."""
    response = await client.responses.create(model="fleetmind", input=GOAL, **more)  # type: ignore[call-overload] # whatever the test says
    assert isinstance(response, Response)
    return response


async def test_a_response_in_one_piece_has_thoughts_and_the_answer(
    client: openai.AsyncOpenAI,
) -> None:
    response = await asked(client)

    assert response.output_text == TEXT
    assert [item.type for item in response.output] == ["reasoning", "message"]
    assert response.status == "completed"
    assert response.usage is not None
    assert response.usage.total_tokens == 160


async def test_a_response_cites_files(client: openai.AsyncOpenAI) -> None:
    response = await asked(client)

    message = response.output[-1]
    assert message.type == "message"
    assert message.content[0].type == "output_text"
    [citation] = message.content[0].annotations
    assert citation.type == "file_citation"
    assert citation.filename == "birds/kestrel.md"
    assert TEXT[citation.index :].startswith("[1]")


async def test_the_events_of_a_stream_add_up_to_the_response(client: openai.AsyncOpenAI) -> None:
    async with client.responses.stream(model="fleetmind", input=GOAL) as stream:
        kinds = [event.type async for event in stream]
        response = await stream.get_final_response()

    assert response.output_text == TEXT
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert "response.reasoning_summary_text.delta" in kinds


async def test_the_events_of_a_stream_are_numbered_from_0(client: openai.AsyncOpenAI) -> None:
    stream = await client.responses.create(model="fleetmind", input=GOAL, stream=True)

    numbers = [event.sequence_number async for event in stream]

    assert numbers == list(range(len(numbers)))


async def test_a_late_failure_is_told_and_raised(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[*at_answer(Thought("It", is_final=True)), Failed(Failure("model", "it broke"))]]
    stream = await client.responses.create(model="fleetmind", input=GOAL, stream=True)
    events = aiter(stream)
    while (event := await anext(events)).type != "response.failed":
        pass

    assert event.response.error is not None
    with pytest.raises(openai.APIError, match="a model that the server asks has failed"):
        await anext(events)


async def test_a_failure_has_a_status_where_the_response_comes_in_one_piece(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[Failed(Failure("model", "it broke"))]]

    with pytest.raises(
        openai.APIStatusError, match="a model that the server asks has failed"
    ) as failed:
        await asked(client)

    assert failed.value.status_code == 502


async def test_a_stream_in_the_foreground_that_is_left_ends_its_task(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[Until(asyncio.Event())]]
    stream = await client.responses.create(model="fleetmind", input=GOAL, stream=True)
    await anext(aiter(stream))

    await stream.close()

    await desk.task_closed()
    assert desk.running == []


async def test_a_stream_in_the_background_that_is_left_leaves_its_task(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    told = asyncio.Event()
    desk.scenes = [[Until(told), *SCENE]]
    stream = await client.responses.create(
        model="fleetmind", input=GOAL, stream=True, background=True
    )
    first = await anext(aiter(stream))
    assert first.type == "response.created"

    await stream.close()
    told.set()

    resumed = await client.responses.retrieve(first.response.id, stream=True)
    assert [event.type async for event in resumed][-1] == "response.completed"
    assert desk.closed == []


async def test_a_question_to_the_user_is_the_text_of_a_response(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[Clarified("Which kestrel?")]]

    assert (await asked(client)).output_text == "Which kestrel?"


async def test_messages_and_instructions_are_the_conversation(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    await client.responses.create(
        model="fleetmind/coder",
        instructions="Be brief.",
        input=[
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi."},
            {"role": "user", "content": [{"type": "input_text", "text": "And owls?"}]},
        ],
    )

    order = desk.orders[0]
    assert (order.goal, order.role) == ("And owls?", "coder")
    assert order.conversation == (
        ChatMessage("system", "Be brief."),
        ChatMessage("user", "Hello"),
        ChatMessage("assistant", "Hi."),
    )


async def test_a_response_goes_on_where_the_one_before_has_ended(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    first = await asked(client, instructions="Be brief.")

    await client.responses.create(
        model="fleetmind", input="And owls?", previous_response_id=first.id, instructions="Rhyme."
    )

    assert desk.orders[1].goal == "And owls?"
    assert desk.orders[1].conversation == (
        ChatMessage("system", "Rhyme."),
        ChatMessage("user", GOAL),
        ChatMessage("assistant", TEXT),
    )


async def test_a_response_that_was_deleted_is_said_to_be_none_by_all_that_name_it(
    client: openai.AsyncOpenAI,
) -> None:
    first = await asked(client)
    await client.responses.delete(first.id)

    with pytest.raises(openai.NotFoundError) as continued:
        await asked(client, previous_response_id=first.id)
    with pytest.raises(openai.NotFoundError, match="no such response") as retrieved:
        await client.responses.retrieve(first.id)

    before = continued.value
    assert (before.code, before.param) == ("previous_response_not_found", "previous_response_id")
    assert retrieved.value.code == "response_not_found"


async def test_a_response_without_an_answer_is_not_continued(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[Until(asyncio.Event())]]
    running = await asked(client, background=True)

    with pytest.raises(openai.BadRequestError, match="previous_response_id"):
        await asked(client, previous_response_id=running.id)


async def test_a_response_before_that_cannot_be_read_in_time_is_said_to_be_late(
    desk: FakeDesk, client: openai.AsyncOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await asked(client)

    async def silent(*_: object) -> AsyncIterator[object]:
        await asyncio.Event().wait()
        yield None

    monkeypatch.setattr(desk, "watch", silent)
    monkeypatch.setattr(responses, "FIRST_WAIT_S", 0.01)

    with pytest.raises(openai.InternalServerError) as late:
        await asked(client, previous_response_id=first.id)
    assert (late.value.status_code, late.value.code) == (504, "deadline")


async def test_output_that_is_sent_back_is_read_as_the_conversation(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    first = await asked(client)
    items = [item.model_dump(exclude_none=True) for item in first.output]

    await client.responses.create(
        model="fleetmind",
        input=[{"role": "user", "content": GOAL}, *items, {"role": "user", "content": "Owls?"}],  # type: ignore[list-item] # as an SDK sends them
    )

    assert desk.orders[1].conversation == (
        ChatMessage("user", GOAL),
        ChatMessage("assistant", TEXT),
    )
