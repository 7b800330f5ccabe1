"""A measured model: what a call teaches, and what a failed one does."""

from __future__ import annotations

import pytest

from agents.models.policies.measured import MeasuredModel
from cluster.kernel.errors import ModelError
from tests.conformance.model_contract import ANSWER, ScriptedModel, items_of


async def test_a_call_teaches_first_token_gaps_and_that_it_ended_well() -> None:
    model = MeasuredModel(ScriptedModel([ANSWER]))

    await items_of(model)

    speed = model.speed
    assert (speed.first_s.count, speed.gaps_s.count, speed.calls) == (1, 1, 1)
    assert (speed.tokens_per_s.count, speed.failure_share) == (1, 0.0)


async def test_a_failed_call_is_counted_and_a_refused_one_is_not() -> None:
    refused = ModelError("the prompt is too long")
    refused.is_askers_fault = True
    model = MeasuredModel(ScriptedModel([[ModelError("the endpoint failed")], [refused]]))

    for _ in range(2):
        with pytest.raises(ModelError):
            await items_of(model)

    assert (model.speed.calls, model.speed.failures) == (1, 1)
