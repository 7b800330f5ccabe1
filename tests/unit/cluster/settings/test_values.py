"""What follows from the settings."""

from __future__ import annotations

from cluster.kernel.sections import ModelSettings
from cluster.settings.values import AgentSettings, Settings


def test_no_role_is_limited_where_the_model_is_not() -> None:
    assert Settings().role_calls_max == {}


def test_each_replica_has_calls_of_its_own() -> None:
    agents = {"researcher": AgentSettings("x:R", replicas=3), "coder": AgentSettings("x:C")}
    settings = Settings(ModelSettings(calls_max=2), agents=agents)

    assert settings.role_calls_max == {"researcher": 6, "coder": 2}
