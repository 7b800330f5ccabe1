"""Every policy around a model is a model itself: it keeps the promises of the port."""

from __future__ import annotations

import pytest

from agents.models.policies.breaking import BreakerModel
from agents.models.policies.fallback import FallbackModel, Rung
from agents.models.policies.fitted import FittedModel
from agents.models.policies.hedged import HedgedModel
from agents.models.policies.limited import LimitedModel
from agents.models.policies.measured import MeasuredModel
from agents.models.policies.priced import PricedModel
from agents.models.policies.uncapped import UncappedModel
from tests.conformance.model_contract import PROMISES, Promise, Wrap

WRAPS: dict[str, Wrap] = {
    "bare": lambda model: model,
    "fitted": lambda model: FittedModel(model, window=4_096),
    "uncapped": UncappedModel,
    "limited": lambda model: LimitedModel(model, 20),
    "measured": MeasuredModel,
    "breaking": BreakerModel,
    "hedged": lambda model: HedgedModel([model]),
    "priced": lambda model: PricedModel(model, 0.0, 0.0),
    "fallback": lambda model: FallbackModel([Rung("m", "deep", model)]),
    "all": lambda model: HedgedModel(
        [BreakerModel(MeasuredModel(LimitedModel(UncappedModel(FittedModel(model)), 20)))]
    ),
}


@pytest.mark.parametrize("name", WRAPS)
@pytest.mark.parametrize("promise", [pytest.param(each, id=each.__name__) for each in PROMISES])
async def test_a_policy_keeps_the_promises_of_a_model(name: str, promise: Promise) -> None:
    await promise(WRAPS[name])
