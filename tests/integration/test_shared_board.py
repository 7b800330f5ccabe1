"""Agents in processes of their own, on a real store, fill one board."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cluster import Cluster
from cluster.kernel.events import StateConflicted
from cluster.settings import Configuration, Flag, load
from tests.support.notice_board import Board

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def built_by(configuration: Configuration, factory: str) -> Configuration:
    """The same with agents of another factory."""
    parts = replace(configuration.settings.parts, factory=factory)
    return replace(configuration, settings=replace(configuration.settings, parts=parts))


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    for name in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    loaded = load(flags=[Flag("model.uri", "simulated:", "test")], environment={})
    return built_by(loaded, "tests.support.board_agents:build")


async def test_two_agents_and_the_manager_share_what_they_write(
    configuration: Configuration,
) -> None:
    async with Cluster(configuration=configuration) as cluster:
        answer = await (await cluster.submit("Why?"))

    assert answer.text == "['a', 'b', 'c'] 30 ['coder-0', 'researcher-0']"


async def test_what_two_agents_disagree_on_is_decided_by_the_one_it_belongs_to(
    configuration: Configuration,
) -> None:
    disputing = built_by(configuration, "tests.support.disputing_agents:build")
    async with Cluster(configuration=disputing) as cluster:
        task = await cluster.submit("Yes or no?")
        answer = await task
        conflicts = [each.detail async for each in task if each.kind == "conflict"]
        async with task.state(Board) as board:
            board.verdict += ", says a person"
        verdict = (await task.open(Board)).verdict

    [shown] = conflicts
    assert isinstance(shown, StateConflicted)
    assert [each.author for each in shown.sides] == ["coder-0", "researcher-0"]
    assert (answer.text, answer.degraded) == ("no and yes", ())
    assert verdict == "no and yes, says a person"
