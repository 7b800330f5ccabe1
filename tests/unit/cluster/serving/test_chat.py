"""Chat completions over a real server, as the official client sees them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam

from cluster.kernel.conversation import ChatMessage
from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.events import Answered, Clarified, Failed, Spent, Thought
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Answer, Citation, Failure
from cluster.serving.ports import Caller, LimitReached
from tests.support.fake_desk import At, FakeDesk, FakeGate, Scene, Until, app_of, at_answer
from tests.support.http_server import official_client, served

TEXT = "Kestrels hover [1]. They eat voles.\n\n- and shrews"
ANSWER = Answer(TEXT, (Citation("birds/kestrel.md", 3, 4, "hover in the wind"),))
SCENE: Scene = (
    At(StepId("r1"), Thought("Where do they hunt?")),
    *at_answer(Thought("Kestrels hover [1].", is_final=True), Spent("model", 0.5, 120, 40)),
    Answered(ANSWER),
)
ASKED: list[ChatCompletionMessageParam] = [{"role": "user", "content": "How do kestrels hunt?"}]


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


async def asked(client: openai.AsyncOpenAI, **more: object) -> ChatCompletion:
    """The answer in one piece."""
    answer = await client.chat.completions.create(model="fleetmind", messages=ASKED, **more)  # type: ignore[call-overload] # whatever the test says
    assert isinstance(answer, ChatCompletion)
    return answer


async def streamed(
    client: openai.AsyncOpenAI, **more: object
) -> openai.AsyncStream[ChatCompletionChunk]:
    """The answer as a stream."""
    stream = await client.chat.completions.create(  # type: ignore[call-overload] # as above
        model="fleetmind", messages=ASKED, stream=True, **more
    )
    assert isinstance(stream, openai.AsyncStream)
    return stream


async def chunks(client: openai.AsyncOpenAI, **more: object) -> list[ChatCompletionChunk]:
    """All chunks of the answer."""
    return [chunk async for chunk in await streamed(client, **more)]


def content(found: list[ChatCompletionChunk]) -> str:
    """The content that the chunks join to."""
    return "".join(choice.delta.content or "" for chunk in found for choice in chunk.choices)


async def test_an_answer_in_one_piece_is_the_text_with_its_citations(
    client: openai.AsyncOpenAI,
) -> None:
    answer = await asked(client)

    message = answer.choices[0].message
    assert message.content == TEXT
    assert message.annotations is not None
    mark = message.annotations[0].url_citation
    assert TEXT[mark.start_index : mark.end_index] == "[1]"
    assert mark.url == "birds/kestrel.md#L3-L4"
    assert answer.choices[0].finish_reason == "stop"


async def test_an_answer_in_one_piece_tells_what_it_took(client: openai.AsyncOpenAI) -> None:
    answer = await asked(client)

    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (120, 40)
    assert answer.model_extra is not None
    told = answer.model_extra["fleetmind"]
    assert told["status"] == "answered"
    assert told["timing"]["wall_s"] > 0
    assert told["citations"][0]["quote"] == "hover in the wind"


async def test_thoughts_are_reasoning(client: openai.AsyncOpenAI) -> None:
    answer = await asked(client)

    message = answer.choices[0].message
    assert message.model_extra is not None
    assert "Where do they hunt?" in message.model_extra["reasoning_content"]


async def test_the_chunks_of_a_stream_join_to_the_text(client: openai.AsyncOpenAI) -> None:
    found = await chunks(client)

    assert content(found) == TEXT
    assert found[0].choices[0].delta.role == "assistant"
    assert found[-1].choices[0].finish_reason == "stop"
    assert found[-1].usage is None


async def test_the_last_chunk_has_the_usage_where_it_is_asked_for(
    client: openai.AsyncOpenAI,
) -> None:
    found = await chunks(client, stream_options={"include_usage": True})

    assert found[-1].choices == []
    assert found[-1].usage is not None
    assert found[-1].usage.total_tokens == 160
    assert found[-1].model_extra is not None
    assert found[-1].model_extra["fleetmind"]["timing"]["wall_s"] > 0


async def test_the_synchronous_client_reads_the_same_stream(desk: FakeDesk) -> None:
    def read(url: str) -> str:
        with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
            stream = client.chat.completions.create(model="fleetmind", messages=ASKED, stream=True)
            return content(list(stream))

    async with served(app_of(desk)) as url:
        assert await asyncio.to_thread(read, url) == TEXT


async def test_a_judged_sentence_comes_before_the_answer_is_there(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    told = asyncio.Event()
    desk.scenes = [[*at_answer(Thought("Kestrels hover [1].", is_final=True)), Until(told), *SCENE]]
    stream = await streamed(client)

    found = [await anext(aiter(stream)), await anext(aiter(stream))]

    assert content(found) == "Kestrels hover [1]."
    await stream.close()


async def test_a_stream_that_is_left_half_way_ends_its_task(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[At(StepId("r1"), Thought("hm")), Until(asyncio.Event())]]
    stream = await streamed(client)
    await anext(aiter(stream))

    await stream.close()

    await desk.task_closed()
    assert desk.running == []


async def test_an_answer_in_one_piece_that_is_waited_for_no_longer_ends_its_task(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[Until(asyncio.Event())]]
    asking = asyncio.create_task(asked(client))
    await desk.task_begun()

    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    await desk.task_closed()
    assert desk.running == []


async def test_a_refusal_has_its_status_though_a_stream_was_asked_for(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.refusal = Failure("overloaded", "all agents are busy", retry_after_s=2.5)

    with pytest.raises(openai.RateLimitError, match="all agents are busy") as refused:
        await chunks(client)

    assert refused.value.response.headers["retry-after"] == "3"


async def test_a_late_failure_is_an_error_that_the_client_raises(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[*at_answer(Thought("It", is_final=True)), Failed(Failure("model", "it broke"))]]

    with pytest.raises(openai.APIError, match="a model that the server asks has failed"):
        await chunks(client)


async def test_a_store_that_fails_half_way_is_an_error_that_the_client_raises(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[StoreUnavailable("the store can't be reached")]]

    with pytest.raises(openai.APIError, match="the store of the cluster can't be reached"):
        await chunks(client)


async def test_an_answer_that_is_not_what_was_sent_is_an_error(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[*at_answer(Thought("Owls.", is_final=True)), Answered(ANSWER)]]

    with pytest.raises(openai.APIError, match="does not go on"):
        await chunks(client)


async def test_a_failure_has_a_status_where_the_answer_comes_in_one_piece(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[Failed(Failure("deadline", "no time was left"))]]

    with pytest.raises(openai.APIStatusError) as failed:
        await asked(client)

    assert failed.value.status_code == 504
    assert failed.value.response.headers["x-should-retry"] == "false"


async def test_what_goes_wrong_inside_is_not_told(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[Failed(Failure("agent_failed", "KeyError: 'secret'"))]]

    with pytest.raises(openai.InternalServerError) as failed:
        await asked(client)

    assert "secret" not in str(failed.value)


async def test_a_question_to_the_user_is_content(
    desk: FakeDesk, client: openai.AsyncOpenAI
) -> None:
    desk.scenes = [[Clarified("Which kestrel?")]]

    answer = await asked(client)

    assert answer.choices[0].message.content == "Which kestrel?"
    assert answer.model_extra is not None
    assert answer.model_extra["fleetmind"]["status"] == "clarify"


async def test_the_history_goes_with_the_goal(desk: FakeDesk, client: openai.AsyncOpenAI) -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "And "}, {"type": "text", "text": "owls?"}],
        },
    ]

    await client.chat.completions.create(model="fleetmind/researcher", messages=messages)  # type: ignore[arg-type] # plain dicts

    order = desk.orders[0]
    assert order.goal == "And owls?"
    assert order.role == "researcher"
    assert order.conversation == (
        ChatMessage("system", "Be brief."),
        ChatMessage("user", "Hello"),
        ChatMessage("assistant", "Hi."),
    )


async def test_our_own_options_bound_the_task(desk: FakeDesk, client: openai.AsyncOpenAI) -> None:
    options = {"namespace": "birds", "deadline_s": 7, "tokens_max": 900, "coherence": "broadcast"}

    await asked(client, extra_body={"fleetmind": options})

    order = desk.orders[0]
    assert (order.namespace, order.timeout_s, order.tokens_max) == ("birds", 7.0, 900)
    assert order.coherence == "broadcast"


async def test_a_task_that_is_refused_is_not_counted(
    desk: FakeDesk,
) -> None:
    gate = FakeGate({"t0ken": Caller("ann", namespaces=("birds",))})
    desk.refusal = Failure("overloaded", "all agents are busy")
    transport = httpx.ASGITransport(app_of(desk, gate))

    async with httpx.AsyncClient(transport=transport, base_url="http://fleet") as client:
        refused = await client.post(
            "/v1/chat/completions",
            json={"model": "fleetmind", "messages": ASKED},
            headers={"authorization": "Bearer t0ken"},
        )

    assert refused.status_code == 429
    assert gate.counted == set()
    assert (desk.orders[0].owner, desk.orders[0].namespace) == ("ann", "birds")


async def test_whoever_has_reached_a_limit_gets_a_429_before_anything_begins(
    desk: FakeDesk,
) -> None:
    gate = FakeGate({"t0ken": Caller("ann")})
    gate.reached = LimitReached("ann has used its tokens of today", 7_200.5, may_pass_soon=False)
    transport = httpx.ASGITransport(app_of(desk, gate))

    async with httpx.AsyncClient(transport=transport, base_url="http://fleet") as client:
        refused = await client.post(
            "/v1/chat/completions",
            json={"model": "fleetmind", "messages": ASKED},
            headers={"authorization": "Bearer t0ken"},
        )

    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "7201"
    assert refused.headers["x-should-retry"] == "false"
    assert desk.orders == []
