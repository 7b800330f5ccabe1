"""What an endpoint's model says of a stream, whose connection and clock are scripted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from types import SimpleNamespace

import aiohttp
import pytest

from agents.models.endpoint.http_client import HttpClient
from agents.models.endpoint.openai_compatible import STALL_S, OpenAIModel
from agents.models.port import Delta, Finish, Request, Restarted, StreamItem
from cluster.kernel.errors import ModelError
from tests.simulation.loop import VirtualLoop

ALIVE = b": ping\n\n"
DONE = b"data: [DONE]\n\n"
BROKEN = b"the connection breaks"
NEVER_S = 1e6
Blocks = Sequence[tuple[float, bytes]]
"""After how long each comes; the body ends after the last one."""


def said(text: str, reason: str | None = None) -> bytes:
    chunk = {"choices": [{"delta": {"content": text}, "finish_reason": reason}]}
    return f"data: {json.dumps(chunk)}\n\n".encode()


class Content:
    def __init__(self, blocks: Blocks) -> None:
        self._blocks = list(blocks)

    async def readany(self) -> bytes:
        if not self._blocks:
            return b""
        after_s, block = self._blocks.pop(0)
        loop = asyncio.get_running_loop()
        due = loop.create_future()
        timer = loop.call_later(after_s, due.set_result, None)
        try:
            await due
        finally:
            timer.cancel()
        if block == BROKEN:
            raise aiohttp.ClientPayloadError
        return block


class Asked:
    """What a call of an endpoint came to that answers with one body after another."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *bodies: Blocks,
        timeout_s: float = 600.0,
        model: str = "m",
        is_in_use: bool = False,
    ) -> None:
        self._model = model
        self.items: list[StreamItem] = []
        self.failure = ""
        self.requests = 0
        self._bodies = list(bodies)

        async def post(*_: object) -> SimpleNamespace:
            self.requests += 1
            content = Content(self._bodies.pop(0) if self._bodies else bodies[-1])
            kind = "text/event-stream"
            return SimpleNamespace(content=content, content_type=kind, close=lambda: None)

        monkeypatch.setattr(HttpClient, "post", post)
        loop = VirtualLoop()
        try:
            request = Request((), timeout_s=timeout_s)
            request.commitment.is_made = is_in_use
            loop.run_until_complete(self._ask(request))
            self.took_s = loop.time()
        finally:
            loop.close()

    @property
    def text(self) -> str:
        """What is left when all that is void is taken out."""
        text = ""
        for item in self.items:
            if isinstance(item, Restarted):
                text = ""
            elif isinstance(item, Delta):
                text += item.text
        return text

    async def _ask(self, request: Request) -> None:
        model = OpenAIModel(self._model, "http://127.0.0.1:9/v1")
        try:
            async for item in model.stream(request):
                self.items.append(item)
        except ModelError as error:
            self.failure = str(error)


@pytest.mark.parametrize(
    ("timeout_s", "sentence"),
    [
        (4.0, "was still answering when the 4 s for it were over"),
        (2 * STALL_S, f"was silent for {STALL_S:g} s"),
    ],
)
def test_a_silent_stream_is_told_by_what_it_was_waited_for(
    timeout_s: float, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = [(0.1, said("Ni")), (NEVER_S, b"")]

    asked = Asked(monkeypatch, body, timeout_s=timeout_s)

    assert sentence in asked.failure
    assert asked.requests == 1


def test_a_pause_with_signs_of_life_in_it_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    alive = [(STALL_S / 2, ALIVE)] * 5
    body = [*alive, (1.0, said("Ni")), *alive, (1.0, said("ne", "stop")), (0.0, DONE)]

    asked = Asked(monkeypatch, body)

    assert asked.text == "Nine"
    assert asked.took_s > 5 * STALL_S


def test_signs_of_life_do_not_keep_a_call_beyond_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch, [(0.1, said("Ni")), *[(5.0, ALIVE)] * 100], timeout_s=60.0)

    assert "was still answering when the 60 s for it were over" in asked.failure
    assert asked.took_s == pytest.approx(60.0)


def test_signs_of_life_do_not_keep_an_answer_that_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = [(0.1, said("Ni")), (0.1, said("ne", "stop")), *[(0.5, ALIVE)] * 100]

    asked = Asked(monkeypatch, body)

    assert asked.text == "Nine"
    assert asked.took_s < 5.0


def test_signs_of_life_do_not_keep_an_answer_that_is_done_without_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Asked(monkeypatch, [(0.1, said("Nine")), (0.1, DONE), *[(0.05, ALIVE)] * 100])

    assert asked.text == "Nine"
    assert asked.took_s < 1.0


def test_a_reason_with_the_last_chunks_ends_an_answer_whose_stream_stays_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = [(0.1, said("Nine ")), (0.1, said("ro", "stop")), (0.1, said("ws", "stop"))]

    asked = Asked(monkeypatch, [*body, (NEVER_S, b"")])

    assert asked.text == "Nine rows"
    assert isinstance(asked.items[-1], Finish)
    assert asked.took_s < 2 * STALL_S


def test_a_reason_with_every_chunk_cuts_no_slow_answer_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = [(20.0, said(word, "stop")) for word in ("Nine ", "bean ", "rows")]

    asked = Asked(monkeypatch, [(0.1, said("", "stop")), *words, (20.0, DONE), (NEVER_S, b"")])

    assert asked.text == "Nine bean rows"
    assert isinstance(asked.items[-1], Finish)


def test_an_answer_without_text_whose_stream_stays_open_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Asked(monkeypatch, [(0.1, said("", "length")), (NEVER_S, b"")])

    assert asked.items == [Finish("length", 0, 0)]
    assert asked.took_s < 2 * STALL_S


def test_an_answer_of_one_chunk_whose_stream_stays_open_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Asked(monkeypatch, [(0.1, said("Nine", "stop")), (NEVER_S, b"")])

    assert asked.text == "Nine"
    assert isinstance(asked.items[-1], Finish)


def test_a_stream_that_breaks_off_is_asked_for_again_and_nothing_of_it_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cut: Blocks = [(0.1, said("Seven "))]
    whole: Blocks = [(0.1, said("Nine ")), (0.1, said("rows", "stop")), (0.0, DONE)]

    asked = Asked(monkeypatch, cut, cut, whole)

    assert asked.text == "Nine rows"
    assert asked.requests == 3
    assert asked.failure == ""


def test_an_answer_that_has_ended_is_whole_however_its_connection_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = [(0.1, said("Ni")), (0.1, said("ne", "stop")), (0.1, BROKEN)]

    asked = Asked(monkeypatch, body)

    assert (asked.text, asked.requests) == ("Nine", 1)


def test_a_stream_that_always_breaks_off_is_given_up_after_three_attempts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Asked(monkeypatch, [(0.1, said("Seven "))])

    assert asked.requests == 3
    assert "cut its stream off before the end of the answer, 3 times; look at" in asked.failure


# ---- all of the text in each chunk -------------------------------------------------------------

VERSE = "I will arise and go now, and go to Innisfree"
REPEATED = [(0.1, said(VERSE[:end])) for end in range(4, 45, 8)] + [(0.1, said(VERSE, "stop"))]


def test_text_that_comes_again_with_each_chunk_is_read_once_and_then_from_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = (Asked(monkeypatch, REPEATED, model="repeating") for _ in range(2))

    assert first.text == second.text == VERSE
    assert first.requests == second.requests == 1
    assert [
        sum(isinstance(item, Restarted) for item in asked.items) for asked in (first, second)
    ] == [1, 0]


def test_an_endpoint_that_repeats_no_more_is_read_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pieces = [(0.1, said("ha")), (0.1, said("ha")), (0.1, said(" ha", "stop"))]

    Asked(monkeypatch, REPEATED, model="changed")
    asked = Asked(monkeypatch, pieces, pieces, model="changed")

    assert asked.text == "haha ha"
    assert asked.failure == ""


def test_text_that_is_in_use_is_not_begun_anew_where_chunks_repeat_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Asked(monkeypatch, REPEATED, model="used", is_in_use=True)

    assert "repeats all of its text in each chunk" in asked.failure
    assert not any(isinstance(item, Restarted) for item in asked.items)
    assert asked.requests == 1


# ---- after the end -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "empty",
    [said(""), said("", "stop"), b'data: {"choices": []}\n\n', ALIVE],
    ids=["text", "reason", "choice", "comment"],
)
def test_nothing_without_text_keeps_an_answer_that_has_ended(
    empty: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = [(0.0, said("Ni")), (0.0, said("ne", "stop")), *[(0.1, empty)] * 5_000]

    asked = Asked(monkeypatch, body)

    assert asked.text == "Nine"
    assert asked.took_s < 2.0
