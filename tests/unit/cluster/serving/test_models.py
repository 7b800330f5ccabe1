"""The models there are, as the official client lists them."""

from __future__ import annotations

import openai
import pytest

from tests.support.fake_desk import FakeDesk, app_of
from tests.support.http_server import official_client


async def test_the_team_and_each_role_are_models() -> None:
    async with official_client(app_of(FakeDesk([]))) as client:
        models = [model.id async for model in client.models.list()]
        one = await client.models.retrieve("fleetmind/researcher")
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("gpt-4")

    assert models[0] == "fleetmind"
    assert one.id in models
