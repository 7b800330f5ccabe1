"""A task is handed in once, with what its request says and no more than its caller may have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from cluster.kernel.conversation import ChatMessage
from cluster.kernel.errors import DeadlinePassed, Overloaded, StoreUnavailable, UsageError
from cluster.kernel.events import Answered
from cluster.kernel.ids import TaskId
from cluster.kernel.vocabulary import Answer, Coherence
from cluster.memory.store.local import LocalStore
from cluster.serving.app import build_app
from cluster.serving.ingress import Ingress, OrderDefaults
from cluster.serving.ports import Caller, LimitReached, TaskOrder
from cluster.serving.webhooks import Webhooks, sending
from tests.support.clock import ManualClock
from tests.support.fake_desk import FakeDesk, FakeGate, Until, ingress_of

HOOK = {"url": "https://example.org/hook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}


class Desk(FakeDesk):
    """One whose Managers refuse, or whose answer is lost."""

    def __init__(self, end: asyncio.Event) -> None:
        super().__init__([Until(end), Answered(Answer("done"))])
        self.refuses: Exception | None = None
        self.fails_after: Exception | None = None
        self.turns = 0
        """Of the event loop, that pass before a task is known."""

    async def start(self, order: TaskOrder, task: TaskId) -> None:
        for _ in range(self.turns):
            await asyncio.sleep(0)
        if self.refuses is not None:
            raise self.refuses
        await super().start(order, task)
        if self.fails_after is not None:
            raise self.fails_after


async def nobody(*_: object) -> int:
    return 204


class Api:
    """The application before a desk that may refuse."""

    def __init__(self) -> None:
        self.end = asyncio.Event()
        self.desk = Desk(self.end)
        self.gate = FakeGate(
            {
                "alice": Caller("alice", frozenset({"ask"})),
                "bob": Caller("bob", frozenset({"ask"}), namespaces=("handbook", "faq")),
            }
        )
        self.store = LocalStore(ManualClock())
        webhooks = Webhooks(self.store, self.desk, ManualClock(), nobody)
        defaults = OrderDefaults(deadline_s=60.0, deadline_s_max=600.0, tokens_max=1_000)
        made = ingress_of(self.desk, self.gate)
        self.ingress: Ingress = replace(made, webhooks=webhooks, defaults=defaults)
        self.client = self.replica()

    def replica(self) -> httpx.AsyncClient:
        """A client of another replica of the ingress."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(build_app(self.ingress)), base_url="http://127.0.0.1"
        )

    async def post(self, key: str = "", caller: str = "alice", **fields: object) -> httpx.Response:
        headers = {"authorization": f"Bearer {caller}"}
        if key:
            headers["idempotency-key"] = key
        return await self.client.post("/v1/tasks", json={"goal": "why?", **fields}, headers=headers)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    made = Api()
    yield made
    await made.client.aclose()
    await made.desk.aclose()


async def test_a_request_says_all_that_an_order_has(api: Api) -> None:
    await api.post(
        namespace="handbook",
        conversation=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"}],
        deadline_s=30,
        tokens_max=500,
        cost_max=0.5,
        coherence="broadcast",
        agent="researcher",
    )

    assert api.desk.orders == [
        TaskOrder(
            "why?",
            30.0,
            (ChatMessage("user", "hi"), ChatMessage("assistant", "yes?")),
            owner="alice",
            namespace="handbook",
            role="researcher",
            tokens_max=500,
            cost_max=0.5,
            coherence=Coherence.BROADCAST,
        )
    ]


async def test_what_it_does_not_say_is_the_servers(api: Api) -> None:
    await api.post()
    await api.post(tokens_max=5_000)

    assert [(each.timeout_s, each.tokens_max) for each in api.desk.orders] == [(60.0, 1_000)] * 2


async def test_the_same_key_is_the_same_task_and_the_same_response(api: Api) -> None:
    first = await api.post("k1")
    second = await api.post("k1")
    api.end.set()
    await asyncio.sleep(0)
    third = await api.post("k1")

    assert first.content == second.content == third.content
    assert {each.status_code for each in (first, second, third)} == {202}
    assert len(api.desk.orders) == 1


async def test_the_same_key_at_the_same_moment_at_two_replicas_is_one_task(api: Api) -> None:
    async with api.replica() as other:
        asked = {
            "json": {"goal": "why?"},
            "headers": {"authorization": "Bearer alice", "idempotency-key": "k1"},
        }
        answers = await asyncio.gather(
            *(api.post("k1") for _ in range(10)),
            *(other.post("/v1/tasks", **asked) for _ in range(10)),  # type: ignore[arg-type]
        )

    assert len({each.content for each in answers}) == 1
    assert len(api.desk.orders) == 1
    assert len(api.gate.counted) == 1


async def test_the_same_key_with_another_body_is_a_conflict(api: Api) -> None:
    await api.post("k1")
    other = await api.post("k1", goal="why not?")

    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_key_reused")
    assert len(api.desk.orders) == 1


async def test_a_key_is_its_tokens(api: Api) -> None:
    mine, theirs = await api.post("k1"), await api.post("k1", caller="bob", goal="other")

    assert mine.json()["id"] != theirs.json()["id"]


async def test_a_refused_task_is_not_counted_and_its_key_may_be_tried_again(api: Api) -> None:
    api.desk.refuses = Overloaded("no Manager has room", 3.0)
    refused = await api.post("k1", webhook=HOOK)
    counted, wishes = set(api.gate.counted), await api.store.items("webhook/")
    api.desk.refuses = None
    taken = await api.post("k1", webhook=HOOK)

    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
    assert (counted, wishes) == (set(), {})
    assert taken.status_code == 202
    assert list(await api.store.items("webhook/")) == [f"webhook/{taken.json()['id']}"]


async def test_a_task_that_may_have_begun_stays_counted(api: Api) -> None:
    api.desk.fails_after = StoreUnavailable("no answer in time")

    answer = await api.post("k1", webhook=HOOK)

    assert answer.status_code == 503
    assert api.gate.counted == set(api.desk.running)
    assert len(await api.store.items("webhook/")) == 1


async def test_a_task_that_may_yet_begin_keeps_its_count_and_its_webhook(api: Api) -> None:
    api.desk.refuses = DeadlinePassed("nobody has said in time that it is durable")

    failed = await api.post("k1", webhook=HOOK)

    assert failed.status_code == 504
    assert len(api.gate.counted) == len(await api.store.items("webhook/")) == 1


async def test_the_end_of_a_task_that_takes_its_time_to_begin_is_told_too(api: Api) -> None:
    api.desk.turns = 50
    async with sending(api.ingress.webhooks):
        await api.post(webhook=HOOK)
        api.end.set()
        for _ in range(200):
            await asyncio.sleep(0)

    assert await api.store.items("webhook/") == {}


async def test_a_limit_of_the_token_is_said_and_nothing_is_started(api: Api) -> None:
    said = "alice has as many tasks running as it may: 2"
    api.gate.reached = LimitReached(said, 1.0, may_pass_soon=True)

    answer = await api.post()

    assert (answer.status_code, answer.json()["error"]["message"]) == (429, said)
    assert api.desk.orders == []


async def test_a_namespace_is_the_tokens(api: Api) -> None:
    default = await api.post(caller="bob")
    other = await api.post(caller="bob", namespace="faq")
    anothers = await api.post(caller="bob", namespace="secrets")

    assert (default.status_code, other.status_code, anothers.status_code) == (202, 202, 403)
    assert anothers.json()["error"]["param"] == "namespace"
    assert [each.namespace for each in api.desk.orders] == ["handbook", "faq"]


async def test_an_unknown_namespace_is_the_callers_fault(api: Api) -> None:
    api.desk.refuses = UsageError("there is no namespace 'handbok'")

    answer = await api.post(namespace="handbok")

    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"goal": ""}, "goal"),
        ({"goal": " \n"}, "goal"),
        ({"goal": 7}, "goal"),
        ({"goal": None}, "goal"),
        ({"goal": "x" * 100_001}, "goal"),
        ({"goals": "why?"}, "goals"),
        ({"namespace": "/etc/passwd"}, "namespace"),
        ({"namespace": "paths:0123456789abcdef"}, "namespace"),
        ({"conversation": [{"role": "tool", "content": "x"}]}, "conversation.0.role"),
        ({"conversation": {}}, "conversation"),
        ({"deadline_s": 0}, "deadline_s"),
        ({"deadline_s": "9"}, "deadline_s"),
        ({"deadline_s": 601}, "deadline_s"),
        ({"deadline_s": 1e9}, "deadline_s"),
        ({"tokens_max": -1}, "tokens_max"),
        ({"tokens_max": 1.5}, "tokens_max"),
        ({"tokens_max": 10**30}, "tokens_max"),
        ({"cost_max": 0}, "cost_max"),
        ({"coherence": "both"}, "coherence"),
        ({"agent": "plumber"}, "agent"),
        ({"on_disconnect": "cancel"}, "on_disconnect"),
        ({"on_disconnect": "explode", "wait": True}, "on_disconnect"),
        ({"wait": "yes"}, "wait"),
        ({"webhook": {"url": "https://example.org"}}, "webhook.secret"),
        ({"webhook": {**HOOK, "secret": "hush"}}, "webhook.secret"),
        ({"webhook": {**HOOK, "url": "https://127.0.0.1/"}}, "webhook.url"),
        ({"webhook": {**HOOK, "url": "http://example.org/"}}, "webhook.url"),
        ({"webhook": {**HOOK, "url": "gopher://example.org/"}}, "webhook.url"),
    ],
)
async def test_bad_input_names_its_field_and_starts_nothing(
    api: Api, fields: dict[str, Any], param: str
) -> None:
    answer = await api.post(**fields)

    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param)
    assert error["message"].startswith(param)
    assert (api.desk.orders, api.gate.counted) == ([], set())


@pytest.mark.parametrize("key", ["a b", "x" * 256, "\x7f", "\xe9"])
async def test_a_bad_key_is_refused(api: Api, key: str) -> None:
    answer = await api.client.post(
        "/v1/tasks",
        json={"goal": "why?"},
        headers=[(b"authorization", b"Bearer alice"), (b"idempotency-key", key.encode("latin-1"))],
    )

    assert answer.status_code == 400
    assert api.desk.orders == []


async def test_where_no_webhooks_are_sent_none_is_promised() -> None:
    desk = Desk(asyncio.Event())
    transport = httpx.ASGITransport(build_app(ingress_of(desk)))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.post("/v1/tasks", json={"goal": "why?", "webhook": HOOK})

    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "webhook.url: no webhooks are sent from here"
