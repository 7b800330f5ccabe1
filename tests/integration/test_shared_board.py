"""Agents in processes of their own, on a real store, fill one board."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cluster import Cluster
from cluster.settings import Configuration, Flag, load

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    loaded = load(flags=[Flag("model.uri", "simulated:", "test")], environment={})
    parts = replace(loaded.settings.parts, factory="tests.support.board_agents:build")
    return replace(loaded, settings=replace(loaded.settings, parts=parts))


async def test_two_agents_and_the_manager_share_what_they_write(
    configuration: Configuration,
) -> None:
    async with Cluster(configuration=configuration) as cluster:
        answer = await (await cluster.submit("Why?"))

    assert answer.text == "['a', 'b', 'c'] 30 ['coder-0', 'researcher-0']"
