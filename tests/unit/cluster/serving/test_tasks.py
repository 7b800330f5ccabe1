"""Tasks over HTTP: handed in, followed, left, rejoined, ended; and nobody else's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.events import (
    Answered,
    Failed,
    Spent,
    StepFinished,
    Thought,
)
from cluster.kernel.ids import TaskId
from cluster.kernel.vocabulary import Answer, Failure
from cluster.serving.ports import Caller
from cluster.serving.sse import BUFFER_BYTES_MAX
from tests.support.asgi import Reader, reading
from tests.support.fake_desk import FakeDesk, FakeGate, Until, app_of

THEIRS = {"authorization": "Bearer bob"}


class Api:
    """The application before a desk, as its clients see it."""

    def __init__(self) -> None:
        self.end = asyncio.Event()
        self.desk = FakeDesk([Thought("hm"), Until(self.end), Answered(Answer("done"))])
        self.app: FastAPI = app_of(self.desk, FakeGate(CALLERS))
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://127.0.0.1",
            headers={"authorization": "Bearer alice"},
        )

    async def post(self, **fields: object) -> str:
        answer = await self.client.post("/v1/tasks", json={"goal": "why?", **fields})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def ended(self) -> str:
        task = await self.post()
        self.end.set()
        await self.client.get(f"/v1/tasks/{task}/events")
        return task

    async def begun(self) -> None:
        for _ in range(1_000):
            if self.desk.running:
                return
            await asyncio.sleep(0)

    def reader(self, task: str, query: str = "", **headers: str) -> Reader:
        made = Reader(self.app, "GET", f"/v1/tasks/{task}/events{query}")
        return made.with_headers({"Authorization": "Bearer alice", **headers})


CALLERS = {
    "alice": Caller("alice", frozenset({"ask"})),
    "bob": Caller("bob", frozenset({"ask"})),
    "root": Caller("root"),
    "teacher": Caller("teacher", frozenset({"learn"})),
}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    made = Api()
    yield made
    await made.client.aclose()
    await made.desk.aclose()


async def turns() -> None:
    """Let everything happen that is about to."""
    for _ in range(200):
        await asyncio.sleep(0)


def events_of(text: str) -> list[tuple[str, str]]:
    """The ids and kinds of server-sent events."""
    blocks = [
        dict(line.split(": ", 1) for line in each.splitlines())
        for each in text.split("\n\n")
        if each
    ]
    return [(block["id"], block["event"]) for block in blocks]


async def test_a_task_is_begun_and_its_answer_says_where_it_is(api: Api) -> None:
    answer = await api.client.post("/v1/tasks", json={"goal": "why?", "deadline_s": 9})

    made = answer.json()
    assert (answer.status_code, made["object"]) == (202, "task")
    assert made["events_url"] == f"/v1/tasks/{made['id']}/events"
    [order] = api.desk.orders
    assert (order.goal, order.timeout_s, order.owner) == ("why?", 9.0, "alice")
    assert api.desk.running == [made["id"]]


async def test_a_task_is_shown_while_it_runs_and_when_it_has_ended(api: Api) -> None:
    task = await api.post()
    running = (await api.client.get(f"/v1/tasks/{task}")).json()
    early = await api.client.get(f"/v1/tasks/{task}/result")
    api.end.set()
    await api.client.get(f"/v1/tasks/{task}/events")
    ended = (await api.client.get(f"/v1/tasks/{task}")).json()
    result = await api.client.get(f"/v1/tasks/{task}/result")

    assert (running["status"], running["ended_at"], running["is_detached"]) == (
        "running",
        None,
        True,
    )
    assert (early.status_code, early.json()["error"]["code"]) == (409, "task_running")
    assert (ended["status"], ended["owner"]) == ("answered", "alice")
    assert (result.status_code, result.json()["answer"]) == (200, "done")


async def test_the_events_are_those_of_the_feed_each_with_its_cursor(api: Api) -> None:
    task = await api.ended()

    answer = await api.client.get(f"/v1/tasks/{task}/events")

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert events_of(answer.text) == [("1.1", "submitted"), ("1.2", "thought"), ("1.3", "answered")]
    data = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    assert [json.loads(line)["kind"] for line in data] == ["submitted", "thought", "answered"]


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?after=1.2", {}),
        ("", {"Last-Event-ID": "1.2"}),
        ("?after=1.1", {"Last-Event-ID": "1.2"}),
        ("?after=1.2", {"Last-Event-ID": ""}),
    ],
)
async def test_a_reader_goes_on_after_what_it_has(
    api: Api, query: str, headers: dict[str, str]
) -> None:
    task = await api.ended()

    answer = await api.client.get(f"/v1/tasks/{task}/events{query}", headers=headers)

    assert events_of(answer.text) == [("1.3", "answered")]


async def test_a_browser_that_has_all_is_told_not_to_come_again(api: Api) -> None:
    task = await api.ended()

    answer = await api.client.get(f"/v1/tasks/{task}/events", headers={"Last-Event-ID": "1.3"})

    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("cursor", ["1.4", "1.400", "9.0", "9.1"])
async def test_a_cursor_beyond_the_end_is_refused_once_the_task_has_ended(
    api: Api, cursor: str
) -> None:
    task = await api.ended()

    answer = await api.client.get(f"/v1/tasks/{task}/events", headers={"Last-Event-ID": cursor})

    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "message": f"Last-Event-ID: the task has ended, and has no event {cursor}",
        "type": "invalid_request_error",
        "param": "Last-Event-ID",
        "code": "invalid_value",
    }


async def test_why_a_task_has_failed_is_told_without_the_servers_addresses(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    failure = Failure("model", "the model endpoint http://10.0.0.7/v1 failed (500)")
    finished = StepFinished("failed", 1, failure)
    api.desk.scenes = [[finished, Failed(failure)]]
    task = await api.post()

    events = (await api.client.get(f"/v1/tasks/{task}/events")).text
    result = await api.client.get(f"/v1/tasks/{task}/result")

    assert result.json()["error"]["kind"] == "model"
    assert result.json()["error"]["message"].startswith("a model that the server asks")
    assert "10.0.0.7" not in events + result.text
    assert "10.0.0.7" in caplog.text


async def test_why_a_task_has_failed_is_logged_once_however_often_it_is_asked_for(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    failure = Failure("model", "the model endpoint http://10.0.0.7/v1 failed (500)")
    api.desk.scenes = [[StepFinished("failed", 1, failure), Failed(failure)]]
    tasks = [await api.post() for _ in range(2)]
    paths = [f"/v1/tasks/{each}/{what}" for each in tasks for what in ("events", "result")]
    paths += [f"/v1/responses/{each}{what}" for each in tasks for what in ("", "?stream=true")]

    for path in paths * 2:
        await api.client.get(path)

    logged = [each for each in caplog.records if "10.0.0.7" in each.getMessage()]
    assert len(logged) == len(tasks)


async def test_a_reader_sees_what_is_there_at_once_and_in_one_write(api: Api) -> None:
    api.desk.scenes = [[Thought("a"), Thought("b"), Spent("model", 1.0), Until(api.end)]]
    task = await api.post()
    await turns()
    reader = api.reader(task)

    async with reading(reader):
        await reader.read(b"id: 1.3")

    assert len(reader.writes) == 1


async def test_a_reader_that_is_cut_fifty_times_and_changes_replicas_sees_all_once(
    api: Api,
) -> None:
    api.desk.scenes = [[*(Thought(str(number)) for number in range(50)), Until(api.end)]]
    task = await api.post()
    replicas = [api.app, app_of(api.desk, FakeGate(CALLERS))]
    await turns()
    last, seen = "", []
    for number in range(50):
        reader = Reader(replicas[number % 2], "GET", f"/v1/tasks/{task}/events").with_headers(
            {"Authorization": "Bearer alice", "Last-Event-ID": last}
        )
        async with reading(reader):
            text = (await reader.read(b"\n\n")).decode()
        last, kind = events_of(text)[0]  # the rest was lost on its way
        seen.append((last, kind))

    assert [cursor for cursor, _ in seen] == [f"1.{number}" for number in range(1, 51)]
    assert api.desk.running == [task]


async def test_readers_come_and_go_and_the_task_goes_on(api: Api) -> None:
    task = await api.post()
    for _ in range(5):
        reader = api.reader(task)
        async with reading(reader):
            await reader.read(b"event: thought")
    api.end.set()
    answer = await api.client.get(f"/v1/tasks/{task}/events?after=1.2")

    assert events_of(answer.text) == [("1.3", "answered")]
    assert (api.desk.cancelled, api.desk.closed) == ([], [])


async def test_a_slow_reader_keeps_nothing_but_itself_waiting(api: Api) -> None:
    piece = "x" * (BUFFER_BYTES_MAX // 4)
    api.desk.scenes = [[*[Thought(piece)] * 12, Answered(Answer("done"))]]
    task = await api.post()
    reader = api.reader(task)
    reader.may_send.clear()

    async with reading(reader):
        await turns()
        assert api.desk.running == []
        reader.may_send.set()
        text = await reader.read(b"event: answered")

    assert text.count(b"event: thought") == 12
    assert max(map(len, reader.writes)) < 2 * BUFFER_BYTES_MAX


async def test_a_feed_that_fails_says_so_and_can_be_taken_up_again(api: Api) -> None:
    api.desk.scenes = [[Thought("a"), StoreUnavailable("the store is away")]]
    task = await api.post()

    text = (await api.client.get(f"/v1/tasks/{task}/events")).text

    last = text.split("\n\n")[-2]
    assert last.startswith("event: error\ndata: ")
    assert json.loads(last.partition("data: ")[2])["error"]["code"] == "store"


async def test_a_list_is_of_the_callers_tasks_page_by_page(api: Api) -> None:
    tasks = [await api.post() for _ in range(3)]
    await api.client.post("/v1/tasks", json={"goal": "mine"}, headers=THEIRS)

    first = (await api.client.get("/v1/tasks?limit=2")).json()
    rest = (await api.client.get(f"/v1/tasks?limit=2&after={first['data'][-1]['id']}")).json()
    ended = (await api.client.get("/v1/tasks?status=answered")).json()

    assert [each["id"] for each in first["data"] + rest["data"]] == tasks[::-1]
    assert (first["has_more"], rest["has_more"], ended["data"]) == (True, False, [])


async def test_an_admin_sees_and_ends_the_tasks_of_all(api: Api) -> None:
    task = await api.post()
    root = {"authorization": "Bearer root"}

    listed = (await api.client.get("/v1/tasks", headers=root)).json()["data"]
    ended = await api.client.delete(f"/v1/tasks/{task}", headers=root)

    assert [each["owner"] for each in listed] == ["alice"]
    assert ended.json()["status"] == "cancelled"


@pytest.mark.parametrize(
    ("method", "what"),
    [("GET", ""), ("GET", "/result"), ("GET", "/events"), ("DELETE", "")],
)
@pytest.mark.parametrize("state", ["running", "ended"])
async def test_anothers_task_is_none_in_every_verb(
    api: Api, method: str, what: str, state: str
) -> None:
    task = await (api.ended() if state == "ended" else api.post())
    unknown = TaskId("0" * 32)

    theirs = await api.client.request(method, f"/v1/tasks/{task}{what}", headers=THEIRS)
    nobodys = await api.client.request(method, f"/v1/tasks/{unknown}{what}", headers=THEIRS)

    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert theirs.json() == nobodys.json()
    assert api.desk.cancelled == []
    assert (await api.client.get(f"/v1/tasks/{task}")).status_code == 200


@pytest.mark.parametrize("task", ["x", "0" * 31, "0" * 33, "%00", "a%2Fb", "A" * 32, "..%2f"])
async def test_what_is_no_id_is_no_task(api: Api, task: str) -> None:
    assert (await api.client.get(f"/v1/tasks/{task}")).status_code == 404


async def test_deleting_a_task_that_runs_ends_it_and_then_removes_it(api: Api) -> None:
    task = await api.post()

    first = (await api.client.delete(f"/v1/tasks/{task}")).json()
    second = (await api.client.delete(f"/v1/tasks/{task}")).json()
    third = await api.client.delete(f"/v1/tasks/{task}")

    assert (first["status"], first["deleted"]) == ("cancelled", False)
    assert (second["status"], second["deleted"]) == ("cancelled", True)
    assert third.status_code == 404


async def test_who_waits_gets_the_result(api: Api) -> None:
    api.end.set()

    answer = await api.client.post("/v1/tasks", json={"goal": "why?", "wait": True})

    assert (answer.status_code, answer.json()["answer"]) == (200, "done")


@pytest.mark.parametrize(("what", "cancelled"), [("cancel", 1), ("continue", 0)])
async def test_who_waits_and_goes_ends_it_only_if_it_was_to_be_so(
    api: Api, what: str, cancelled: int
) -> None:
    order = {"goal": "why?", "wait": True, "on_disconnect": what}
    reader = Reader(api.app, "POST", "/v1/tasks", order)
    reader.with_headers({"Authorization": "Bearer alice"})

    async with reading(reader):
        await api.begun()

    assert len(api.desk.cancelled) == cancelled
    assert len(api.desk.running) == 1 - cancelled


@pytest.mark.parametrize("what", ["cancel", "continue"])
async def test_a_server_that_cancels_the_request_has_the_same_effect(api: Api, what: str) -> None:
    order = {"goal": "why?", "wait": True, "on_disconnect": what}
    reader = Reader(api.app, "POST", "/v1/tasks", order)
    reader.with_headers({"Authorization": "Bearer alice"})

    answering = asyncio.create_task(reader.run())
    await api.begun()
    answering.cancel()
    await asyncio.gather(answering, return_exceptions=True)

    assert bool(api.desk.running) == (what == "continue")


async def test_a_token_without_the_scope_may_do_nothing_here(api: Api) -> None:
    teacher = {"authorization": "Bearer teacher"}

    answers = [
        await api.client.get("/v1/tasks", headers=teacher),
        await api.client.post("/v1/tasks", json={"goal": "why?"}, headers=teacher),
    ]

    assert [each.status_code for each in answers] == [403, 403]
    assert api.desk.orders == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("/events?after=1", "after"),
        ("/events?after=1.2.3", "after"),
        ("/events?after=-1.2", "after"),
        (f"/events?after={'9' * 19}.1", "after"),
    ],
)
async def test_a_bad_cursor_is_the_readers_fault(api: Api, query: str, param: str) -> None:
    task = await api.post()

    answer = await api.client.get(f"/v1/tasks/{task}{query}")

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
