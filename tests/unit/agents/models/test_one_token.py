"""A call of one token: answered, refused, or late."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agents.models import one_token
from agents.models.one_token import timed_token
from agents.models.port import Delta, Finish
from agents.models.uri import build_model
from cluster.kernel.errors import ModelError, UsageError
from cluster.kernel.sections import ModelSettings
from tests.conformance.model_contract import ScriptedModel


@asynccontextmanager
async def never() -> AsyncIterator[str]:
    """A server that is never ready."""
    await asyncio.Event().wait()
    yield ""


async def test_a_model_that_answers_tells_how_long_it_took() -> None:
    assert await timed_token(ModelSettings(uri="simulated:"), "", 5.0, build_model) >= 0


async def test_a_model_that_can_not_be_used_is_refused_as_by_a_run() -> None:
    with pytest.raises(UsageError, match="needs a key"):
        await timed_token(ModelSettings(uri="openai:x"), "", 5.0, build_model)


async def test_an_endpoint_that_is_not_there_is_the_error_of_a_call() -> None:
    nowhere = ModelSettings(uri="openai:x", base_url="http://127.0.0.1:1/v1")

    with pytest.raises(ModelError, match="refuses connections"):
        await timed_token(nowhere, "", 5.0, build_model)


async def test_a_local_model_that_takes_too_long_to_load_is_said_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(one_token, "local_server", lambda *_: never())

    with pytest.raises(ModelError, match=r"not loaded within 0\.01 s: it is large, or"):
        await timed_token(ModelSettings(uri="llama:/large.gguf"), "", 0.01, build_model)


async def test_a_model_that_begins_with_a_thought_is_not_asked_for_the_rest_of_it() -> None:
    thinking = ScriptedModel([(Delta("Hm", is_reasoning=True), Finish("length", 7, 1))])

    await timed_token(ModelSettings(uri="openai:x"), "key", 5.0, lambda *_, **__: thinking)

    assert [call.tokens_max for call in thinking.calls] == [1]
