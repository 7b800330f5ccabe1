"""How long a text may be, by how it comes."""

from __future__ import annotations

import pytest

from agents.models.call import Thinking
from agents.models.port import Asker, Request
from cluster.kernel.errors import ModelError
from tests.support.recording_turn import RecordingTurn
from tests.support.scripted_model import Reply, ScriptedModel

LONG = "words to an end. " * 12_000


async def text_of(reply: Reply) -> str:
    request = Request((), asker=Asker(agent="reviewer"))
    return await Thinking(RecordingTurn("reviewer-0"), request).run(
        ScriptedModel({"reviewer": reply})
    )


async def test_a_long_text_that_came_at_once_and_ended_is_a_text() -> None:
    assert await text_of(LONG) == LONG.strip()


async def test_a_long_text_that_goes_on_is_none() -> None:
    with pytest.raises(ModelError, match="characters and come to no end"):
        await text_of((LONG, "and more"))
