"""What Python would read as JSON and no other reader would read alike is refused."""

from __future__ import annotations

import httpx
import pytest

from cluster.kernel.events import Answered
from cluster.kernel.vocabulary import Answer
from tests.support.fake_desk import FakeDesk, app_of

JSON = {"content-type": "application/json"}


async def post(content: bytes, headers: dict[str, str] = JSON) -> tuple[httpx.Response, int]:
    """What a body gets, and how many tasks it began."""
    desk = FakeDesk([Answered(Answer("done"))])
    transport = httpx.ASGITransport(app_of(desk))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answer = await client.post("/v1/tasks", content=content, headers=headers)
    await desk.aclose()
    return answer, len(desk.orders)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"goal": "a", "goal": "b"}', "the key 'goal' is there twice"),
        (b'{"goal": "a", "webhook": {"url": "x", "url": "y"}}', "the key 'url' is there twice"),
        (b'{"goal": "a", "deadline_s": NaN}', "NaN is no number of JSON"),
        (b'{"goal": "a", "deadline_s": -Infinity}', "-Infinity is no number of JSON"),
        (b'{"goal": "a"', "the body is no JSON"),
        (b'{"goal": "a"} {"goal": "b"}', "the body is no JSON"),
        (b'{"goal": "\xff"}', "the body can't be read"),
        (b'{"goal": "\\ud800"}', "half of a surrogate pair"),
        (b"[" * 100_000, "the body can't be read"),
        (b"null", "the body must be a JSON object"),
        (b"[]", "the body must be a JSON object"),
        (b"", "the body must be a JSON object"),
    ],
)
async def test_it_is_said_and_nothing_is_started(content: bytes, message: str) -> None:
    answer, begun = await post(content)

    assert (answer.status_code, begun) == (400, 0)
    assert message in answer.json()["error"]["message"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_page_can_not_send_it_as_something_else(kind: str) -> None:
    answer, begun = await post(b'{"goal": "a"}', {"content-type": kind} if kind else {})

    assert (answer.status_code, begun) == (400, 0)


async def test_json_of_any_writer_is_read() -> None:
    answer, begun = await post(
        b'\xef\xbb\xbf {"goal" : "\\u00e9\\ud83d\\ude00", "deadline_s":1e1}\n'
    )

    assert (answer.status_code, begun) == (202, 1)
