"""A model behind a breaker: while its endpoint fails, a sentence says until when it is refused."""

from __future__ import annotations

import pytest

from agents.models.policies.breaking import BreakerModel
from agents.models.port import Delta, Finish
from cluster.kernel.errors import ModelError
from cluster.kernel.tail.breaker import FAILURES_MAX, OPEN_S
from tests.conformance.model_contract import ANSWER, ScriptedModel, items_of
from tests.support.clock import ManualClock

DOWN = ModelError("the endpoint failed")


async def broken(*after: list[Delta | Finish | ModelError]) -> tuple[BreakerModel, ManualClock]:
    """Return a model whose endpoint has failed until it isn't asked any more."""
    clock = ManualClock()
    inner = ScriptedModel([*[[DOWN]] * FAILURES_MAX, *after])
    model = BreakerModel(inner, clock)
    for _ in range(FAILURES_MAX):
        with pytest.raises(ModelError, match="the endpoint failed"):
            await items_of(model)
    return model, clock


async def test_an_endpoint_that_keeps_failing_is_not_asked() -> None:
    model, _ = await broken([DOWN])

    with pytest.raises(ModelError, match=r"failed 5 calls in a row since .* again before") as said:
        await items_of(model)

    assert said.value.retry_after_s == pytest.approx(OPEN_S)


async def test_it_is_asked_again_and_an_answer_makes_all_well() -> None:
    model, clock = await broken(list(ANSWER))  # type: ignore[arg-type]
    clock.advance(OPEN_S)

    assert await items_of(model) == list(ANSWER)
    assert await items_of(model) == list(ANSWER)


@pytest.mark.parametrize("fault", ["is_askers_fault", "is_busy"])
async def test_a_request_that_is_refused_says_nothing_of_the_endpoint(fault: str) -> None:
    refused = ModelError("the prompt is too long")
    setattr(refused, fault, True)
    model = BreakerModel(ScriptedModel([[refused]]), ManualClock())

    for _ in range(2 * FAILURES_MAX):
        with pytest.raises(ModelError, match="too long"):
            await items_of(model)
