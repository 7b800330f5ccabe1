"""Texts are learned by those who may, in the namespaces that are theirs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from cluster.serving.documents import SOURCE_CHARS_MAX, TEXT_CHARS_MAX
from cluster.serving.ports import Caller
from tests.support.fake_desk import FakeDesk, FakeGate, app_of

CALLERS = {
    "teacher": Caller("teacher", frozenset({"learn"}), namespaces=("handbook",)),
    "alice": Caller("alice", frozenset({"ask"})),
}


class Api:
    """The application before a desk that learns."""

    def __init__(self) -> None:
        self.desk = FakeDesk([])
        transport = httpx.ASGITransport(app_of(self.desk, FakeGate(CALLERS)))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")

    async def post(
        self, body: object, name: str = "handbook", caller: str = "teacher"
    ) -> httpx.Response:
        return await self.client.post(
            f"/v1/namespaces/{name}/documents",
            json=body,
            headers={"authorization": f"Bearer {caller}"},
        )

    async def delete(
        self, source: str, name: str = "handbook", caller: str = "teacher"
    ) -> httpx.Response:
        return await self.client.delete(
            f"/v1/namespaces/{name}/documents/{source}",
            headers={"authorization": f"Bearer {caller}"},
        )


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    made = Api()
    yield made
    await made.client.aclose()


async def test_a_text_is_learned_and_its_version_said(api: Api) -> None:
    answer = await api.post({"source": "retries.md", "text": "Try again."})

    assert (answer.status_code, answer.json()) == (
        201,
        {"object": "document", "namespace": "handbook", "source": "retries.md", "version": "v1"},
    )
    assert api.desk.learnt == [("handbook", "retries.md", "Try again.")]


async def test_a_text_is_forgotten_once_and_then_there_is_none(api: Api) -> None:
    await api.post({"source": "faq/retries.md", "text": "Try again."})
    await api.post({"source": "faq", "text": "Ask."})

    first, again = await api.delete("faq/retries.md"), await api.delete("faq/retries.md")

    assert (first.status_code, first.json()) == (
        200,
        {
            "object": "document",
            "namespace": "handbook",
            "source": "faq/retries.md",
            "deleted": True,
        },
    )
    assert (again.status_code, again.json()["error"]["code"]) == (404, "document_not_found")
    assert api.desk.learnt == [("handbook", "faq", "Ask.")]


@pytest.mark.parametrize(
    ("source", "name", "token", "status"),
    [
        ("a", "secrets", "teacher", 403),
        ("a", "handbook", "alice", 403),
        ("a", "handbook", "nobody", 401),
        ("a%09b", "handbook", "teacher", 400),
        ("a" * (SOURCE_CHARS_MAX + 1), "handbook", "teacher", 400),
        ("a", "paths:0123", "teacher", 400),
    ],
)
async def test_what_may_not_be_forgotten_stays(
    api: Api, source: str, name: str, token: str, status: int
) -> None:
    await api.post({"source": "a", "text": "b"})

    answer = await api.delete(source, name, token)

    assert (answer.status_code, set(answer.json())) == (status, {"error"})
    assert api.desk.learnt == [("handbook", "a", "b")]


@pytest.mark.parametrize(
    ("name", "token", "status"),
    [("secrets", "teacher", 403), ("handbook", "alice", 403), ("handbook", "nobody", 401)],
)
async def test_who_may_not_teaches_nothing(api: Api, name: str, token: str, status: int) -> None:
    answer = await api.post({"source": "a", "text": "b"}, name, token)

    assert answer.status_code == status
    assert api.desk.learnt == []


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"source": "", "text": "b"}, "handbook"),
        ({"source": "a\nb", "text": "b"}, "handbook"),
        ({"source": "a\x00", "text": "b"}, "handbook"),
        ({"source": "a" * (SOURCE_CHARS_MAX + 1), "text": "b"}, "handbook"),
        ({"source": "a", "text": ""}, "handbook"),
        ({"source": "a", "text": "b" * (TEXT_CHARS_MAX + 1)}, "handbook"),
        ({"source": "a"}, "handbook"),
        ({"source": "a", "text": "b", "path": "/etc/passwd"}, "handbook"),
        ([], "handbook"),
        ({"source": "a", "text": "b"}, "Handbook"),
        ({"source": "a", "text": "b"}, "paths:0123"),
    ],
)
async def test_what_is_no_document_is_refused(api: Api, body: object, name: str) -> None:
    answer = await api.post(body, name)

    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    assert api.desk.learnt == []
