"""Which policies are around which models."""

from __future__ import annotations

import pytest

from agents.models.build import model_of, tier_of
from agents.models.policies.fallback import FallbackModel
from agents.models.policies.limited import LimitedModel
from agents.models.policies.priced import PricedModel
from agents.models.port import Model
from cluster.kernel.sections import ModelEntry, ModelSettings
from tests.support.scripted_model import ScriptedModel

KEYS: dict[str, str] = {}


def adapter(uri: str, *, base_url: str = "", api_key: str = "") -> Model:
    KEYS[uri] = api_key
    return ScriptedModel({"": f"{uri} at {base_url}"})


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (ModelSettings("openai:m"), ScriptedModel),
        (ModelSettings("openai:m", calls_max=2), LimitedModel),
        (ModelSettings("openai:m", price_prompt=0.1), PricedModel),
    ],
)
def test_one_model_has_the_policies_that_its_settings_name(
    settings: ModelSettings, kind: type
) -> None:
    assert type(model_of(settings, "", {}, {}, adapter)) is kind


def test_each_of_several_models_is_built_with_its_own_key() -> None:
    entries = {"small": ModelEntry("openai:s"), "other": ModelEntry("openai:o")}

    made = model_of(ModelSettings("openai:m"), "one", entries, {"small": "two"}, adapter)

    assert isinstance(made, FallbackModel)
    assert {"openai:m": "one", "openai:s": "two", "openai:o": ""}.items() <= KEYS.items()


@pytest.mark.parametrize(
    ("uri", "tier"), [("openai:m", "deep"), ("simulated:", "deep"), ("llama:m", "local")]
)
def test_the_main_model_is_for_hard_goals_unless_it_runs_here(uri: str, tier: str) -> None:
    assert tier_of(ModelSettings(uri)) == tier
