"""The HTTP ingress on a real Ray Serve: several replicas, cut, killed and replaced under load."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from openai import AsyncOpenAI

from tests.support.served import ANSWER, Served, events_of, served

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

GOAL = "What is known of the sea?"
WAIT_S = 60.0
DISABLED = {"x-request-disconnect-disabled": "?1"}
"""Tells Serve not to cancel what nobody waits for any more."""


@pytest.fixture(scope="module")
def ingress() -> Iterator[Served]:
    with served() as found:
        yield found


@pytest.fixture
async def client(ingress: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=ingress.url, timeout=WAIT_S) as found:
        yield found


@pytest.fixture
async def openai(ingress: Served) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{ingress.url}/v1", api_key="none") as found:
        yield found


async def begun(client: httpx.AsyncClient, key: str = "") -> str:
    headers = {"Idempotency-Key": key} if key else {}
    response = await client.post("/v1/tasks", json={"goal": GOAL}, headers=headers)
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


async def test_a_chat_is_the_same_streamed_and_in_one_piece(openai: AsyncOpenAI) -> None:
    create = openai.chat.completions.create
    whole = await create(model="fleetmind", messages=[{"role": "user", "content": GOAL}])
    stream = await create(
        model="fleetmind", messages=[{"role": "user", "content": GOAL}], stream=True
    )
    chunks = [chunk async for chunk in stream]

    content = whole.choices[0].message.content or ""
    assert ANSWER.split(".", maxsplit=1)[0] in content
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == content
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize("headers", [{}, DISABLED])
async def test_who_leaves_a_chat_half_way_stops_the_model(
    ingress: Served, openai: AsyncOpenAI, headers: dict[str, str]
) -> None:
    stream = await openai.chat.completions.create(
        model="fleetmind",
        messages=[{"role": "user", "content": GOAL}],
        stream=True,
        extra_headers=headers,
    )
    task = ""
    async for chunk in stream:
        task = task or chunk.model_extra["fleetmind"]["task"]  # type: ignore[index]
        if "salt" in str(chunk.choices[0].delta.model_extra):
            break
    await stream.close()

    async with asyncio.timeout(WAIT_S):
        await ingress.model_is_quiet()
    assert [each["ended"] for each in ingress.model.entries(task)][-1] == "cancelled"


async def test_a_task_that_is_left_again_and_again_shows_every_event_once_and_in_order(
    client: httpx.AsyncClient,
) -> None:
    task = await begun(client)
    seen: list[tuple[str, str]] = []
    async with asyncio.timeout(WAIT_S):
        while not seen or seen[-1][1] != "answered":
            after = seen[-1][0] if seen else ""
            events = await events_of(client, task, after, events_max=2)
            seen += [(event.id, event.data["kind"]) for event in events]

    whole = await events_of(client, task)
    assert seen == [(event.id, event.data["kind"]) for event in whole]
    assert len({cursor for cursor, _ in seen}) == len(seen) > 4


async def test_one_key_at_the_same_moment_at_several_replicas_is_one_task(
    client: httpx.AsyncClient,
) -> None:
    tasks = await asyncio.gather(*(begun(client, "the-same-key") for _ in range(8)))

    assert len(set(tasks)) == 1
    listed = (await client.get("/v1/tasks", params={"limit": 100})).json()["data"]
    assert [each["id"] for each in listed].count(tasks[0]) == 1


async def test_a_task_outlives_the_replica_that_took_it_and_those_that_show_it(
    ingress: Served, client: httpx.AsyncClient
) -> None:
    task = await begun(client)
    for replica in await ingress.replicas():
        await ingress.kill(replica)

    async with asyncio.timeout(WAIT_S):
        while (await client.get(f"/v1/tasks/{task}")).status_code != 200:  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.1)
        events = await events_of(client, task)
    assert events[-1].data["kind"] == "answered"


async def test_replacing_all_replicas_cuts_no_stream(ingress: Served, openai: AsyncOpenAI) -> None:
    async def content() -> str:
        stream = await openai.chat.completions.create(
            model="fleetmind", messages=[{"role": "user", "content": GOAL}], stream=True
        )
        chunks = [chunk async for chunk in stream]
        assert chunks[-1].choices[0].finish_reason == "stop"
        return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)

    before = await ingress.replicas()
    reading = asyncio.gather(*(content() for _ in range(8)))
    await ingress.deploy()

    assert set(map(len, await reading)) != {0}
    assert not set(before) & set(await ingress.replicas())


async def test_what_is_no_request_of_ours_gets_the_shape_that_clients_know(
    client: httpx.AsyncClient,
) -> None:
    bad = await client.post("/v1/chat/completions", content=b"{")
    unknown = await client.get("/nowhere")

    assert (bad.status_code, unknown.status_code) == (400, 404)
    assert bad.json()["error"]["type"] == unknown.json()["error"]["type"] == "invalid_request_error"
    assert len(bad.headers.get_list("x-request-id")) == 1


async def test_a_text_that_is_learned_over_http_is_what_the_next_task_is_answered_from(
    client: httpx.AsyncClient,
) -> None:
    learned = await client.post(
        "/v1/namespaces/sea/documents",
        json={"source": "sea.md", "text": "# Sea\n\nThe sea of Fleetmind has 42 harbours.\n"},
    )
    answered = await client.post(
        "/v1/tasks",
        json={"goal": "How many harbours has the sea?", "namespace": "sea", "wait": True},
    )

    assert learned.status_code < 300, learned.text
    assert any(each["source"] == "sea.md" for each in answered.json()["citations"]), answered.text
