"""What an endpoint's model says of a stream, whose connection and clock are scripted."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from agents.models.endpoint.http_client import HttpClient
from agents.models.endpoint.openai_compatible import STALL_S, OpenAIModel
from agents.models.port import Request, StreamItem
from cluster.kernel.errors import ModelError

SAID = b'data: {"choices": [{"delta": {"content": "Ni"}}]}\n\n'


class Content:
    """Says something, and then nothing until the timer goes off, which it does a bit too early."""

    def __init__(self) -> None:
        self._blocks = [SAID]

    async def readany(self) -> bytes:
        if not self._blocks:
            raise TimeoutError
        return self._blocks.pop()


@pytest.mark.parametrize(
    ("timeout_s", "said"),
    [
        (4.0, "was still answering when the 4 s for it were over"),
        (2 * STALL_S, f"was silent for {STALL_S:g} s"),
    ],
)
async def test_a_silent_stream_is_told_by_what_it_was_waited_for(
    timeout_s: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def post(*_: object) -> SimpleNamespace:
        kind = "text/event-stream"
        return SimpleNamespace(content=Content(), content_type=kind, close=lambda: None)

    monkeypatch.setattr(HttpClient, "post", post)
    model = OpenAIModel("m", "http://127.0.0.1:9/v1")
    heard: list[StreamItem] = []

    with pytest.raises(ModelError, match=said):
        heard += [item async for item in model.stream(Request((), timeout_s=timeout_s))]
