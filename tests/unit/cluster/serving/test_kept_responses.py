"""Responses that are made in the background, as the official client sees them from any replica."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import openai
import pytest
from openai.types.responses import ResponseCompletedEvent, ResponseFailedEvent

from cluster.kernel.events import Answered, Event, Spent, Thought
from cluster.kernel.feed import Cursor, Gap
from cluster.kernel.ids import NO_AGENT, NO_STEP, StepId, TaskId
from cluster.kernel.vocabulary import Answer
from cluster.serving.ports import Caller
from tests.support.fake_desk import At, FakeDesk, FakeGate, Scene, Until, app_of, at_answer
from tests.support.http_server import official_client

TEXT = "Kestrels hover. They eat voles."
SCENE: Scene = (
    At(StepId("r1"), Thought("Where do they hunt?")),
    *at_answer(Thought("Kestrels hover.", is_final=True)),
    Answered(Answer(TEXT)),
)
ASKED = {"model": "fleetmind", "input": "How do kestrels hunt?"}


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


async def begun(client: openai.AsyncOpenAI, *, background: bool = True) -> str:
    """The id of a response that is made."""
    response = await client.responses.create(**ASKED, background=background)  # type: ignore[call-overload] # plain text
    return str(response.id)


async def ended(client: openai.AsyncOpenAI) -> str:
    """The id of a response in the background that was made."""
    response = await begun(client)
    async for _ in await client.responses.retrieve(response, stream=True):
        pass
    return response


async def only_a_gap(task: TaskId, after: Cursor) -> AsyncIterator[tuple[Cursor, Event]]:
    """What is left of a feed a day after the end of its task."""
    gap = Gap(str(after), "")
    yield Cursor(1, 9), Event(0.0, task, NO_AGENT, NO_STEP, gap)


async def test_a_response_in_the_background_is_answered_before_it_is_made(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[Until(asyncio.Event())]]

    response = await client.responses.retrieve(await begun(client))

    assert response.status == "in_progress"
    assert response.background is True
    assert response.output == []


async def test_a_response_that_was_made_is_retrieved_whole(client: openai.AsyncOpenAI) -> None:
    response = await client.responses.retrieve(await ended(client))

    assert response.status == "completed"
    assert response.output_text == TEXT


async def test_a_stream_taken_up_after_any_event_has_what_follows_it(
    client: openai.AsyncOpenAI,
) -> None:
    response = await ended(client)
    whole = [event async for event in await client.responses.retrieve(response, stream=True)]

    for seen in whole:
        rest = await client.responses.retrieve(
            response, stream=True, starting_after=seen.sequence_number
        )
        assert [event async for event in rest] == whole[seen.sequence_number + 1 :]


async def test_a_stream_that_was_seen_to_its_end_has_nothing_more(
    client: openai.AsyncOpenAI,
) -> None:
    response = await ended(client)
    whole = [event async for event in await client.responses.retrieve(response, stream=True)]
    last = whole[-1].sequence_number

    rest = await client.responses.retrieve(response, stream=True, starting_after=last)

    assert [event async for event in rest] == []


async def test_an_event_beyond_the_end_is_refused_once_the_response_has_ended(
    client: openai.AsyncOpenAI,
) -> None:
    response = await ended(client)
    whole = [event async for event in await client.responses.retrieve(response, stream=True)]
    last = whole[-1].sequence_number

    with pytest.raises(openai.BadRequestError, match=f"its last event is {last}") as refused:
        await client.responses.retrieve(response, stream=True, starting_after=last + 1)

    assert refused.value.param == "starting_after"


@pytest.mark.parametrize("after", [None, 0, 1, 400])
async def test_a_stream_that_is_kept_no_longer_says_so_wherever_it_is_taken_up(
    desk: FakeDesk, client: openai.AsyncOpenAI, monkeypatch: pytest.MonkeyPatch, after: int | None
) -> None:
    response = await ended(client)
    monkeypatch.setattr(desk, "watch", only_a_gap)
    query = "" if after is None else f"&starting_after={after}"

    answer = await client.get(f"/responses/{response}?stream=true{query}", cast_to=httpx.Response)

    assert answer.status_code == 200
    [told] = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    assert json.loads(told)["error"]["code"] == "gap"


async def test_a_cancelled_responses_stream_ends_as_failed_with_its_status_and_no_error(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[Until(asyncio.Event())]]
    response = await begun(client)
    await client.responses.cancel(response)

    events = [event async for event in await client.responses.retrieve(response, stream=True)]

    assert isinstance(events[-1], ResponseFailedEvent)
    assert events[-1].response.status == "cancelled"


async def test_the_last_event_of_a_stream_says_what_was_used(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[Spent("model", 1.0, 40, 9), *SCENE]]
    response = await begun(client)

    events = [each async for each in await client.responses.retrieve(response, stream=True)]

    last = events[-1]
    assert isinstance(last, ResponseCompletedEvent)
    assert last.response.usage is not None
    assert (last.response.usage.input_tokens, last.response.usage.output_tokens) == (40, 9)
    assert last.response.usage == (await client.responses.retrieve(response)).usage


async def test_another_replica_numbers_the_events_alike(desk: FakeDesk) -> None:
    async def stream(number: int, response: str) -> str:
        async with httpx.AsyncClient(transport=replicas[number], base_url="http://localhost") as it:
            return (await it.get(f"/v1/responses/{response}?stream=true")).text

    replicas = [httpx.ASGITransport(app_of(desk)) for _ in range(2)]
    async with httpx.AsyncClient(transport=replicas[0], base_url="http://localhost") as it:
        response = (await it.post("/v1/responses", json={**ASKED, "background": True})).json()["id"]

    assert await stream(0, response) == await stream(1, response)


async def test_a_cancelled_response_ends(desk: FakeDesk, client: openai.AsyncOpenAI) -> None:
    desk.scenes = [[Until(asyncio.Event())]]
    response = await begun(client)

    cancelled = await client.responses.cancel(response)

    assert cancelled.status == "cancelled"
    assert desk.running == []


async def test_cancelling_what_has_ended_changes_nothing(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    response = await ended(client)

    assert (await client.responses.cancel(response)).status == "completed"
    assert desk.cancelled == []


async def test_only_what_is_made_in_the_background_is_cancelled(client: openai.AsyncOpenAI) -> None:
    response = await begun(client, background=False)

    with pytest.raises(openai.BadRequestError, match="in the background"):
        await client.responses.cancel(response)


async def test_a_deleted_response_is_gone(client: openai.AsyncOpenAI) -> None:
    response = await ended(client)

    await client.responses.delete(response)

    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(response)


async def test_what_is_still_made_is_not_deleted(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[Until(asyncio.Event())]]
    response = await begun(client)

    with pytest.raises(openai.ConflictError):
        await client.responses.delete(response)

    assert desk.running == [response]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "?stream=true"), ("POST", "/cancel"), ("DELETE", "")],
)
async def test_anothers_response_is_as_good_as_none(desk: FakeDesk, method: str, path: str) -> None:
    gate = FakeGate({"a": Caller("ann"), "b": Caller("bob")})
    transport = httpx.ASGITransport(app_of(desk, gate))
    body = {**ASKED, "background": True}

    async with httpx.AsyncClient(transport=transport, base_url="http://fleet") as client:
        begun = await client.post("/v1/responses", json=body, headers={"authorization": "Bearer a"})
        found = await client.request(
            method,
            f"/v1/responses/{begun.json()['id']}{path}",
            headers={"authorization": "Bearer b"},
        )

    assert begun.status_code == 200
    assert found.status_code == 404
    assert desk.cancelled == []
