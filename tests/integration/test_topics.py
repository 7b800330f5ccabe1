"""Agents in processes of their own publish and subscribe, on a real store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cluster import Cluster
from cluster.settings import Flag, load
from cluster.settings.values import AgentSettings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


async def test_a_subscriber_has_acted_on_all_that_was_published_when_the_answer_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    loaded = load(flags=[Flag("model.uri", "simulated:", "test")], environment={})
    classes = {"manager": "Market", "seller": "Seller", "buyer": "Buyer"}
    agents = {
        role: AgentSettings(f"tests.support.topic_agents:{name}") for role, name in classes.items()
    }
    configuration = replace(loaded, settings=replace(loaded.settings, agents=agents))

    async with Cluster(configuration=configuration) as cluster:
        answer = await (await cluster.submit("Who sells for less?"))

    assert "'a': 10" in answer.text
    assert answer.text.endswith(" True")
    assert answer.degraded == ()
