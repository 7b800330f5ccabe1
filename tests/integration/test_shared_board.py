"""Agents in processes of their own, on a real store, fill one board."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cluster import Cluster
from cluster.kernel.events import FellBack, StateConflicted
from cluster.settings import Configuration, Flag, load
from tests.support.notice_board import Board

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


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


TEARING = """
from cluster.kernel.vocabulary import Answer, ComposeRequest, Finding
from tearing_board import Scroll
from tests.support.disputing_agents import DisputingAgent

class TearingAgent(DisputingAgent):
    async def handle(self, message, turn):
        return Answer("torn") if isinstance(message, ComposeRequest) else await super().handle(
            message, turn
        )

    async def _write(self, verdict, turn, other=None):
        async with turn.state(Scroll) as scroll:
            scroll.word = verdict
            if other is not None:
                await turn.ask("coder", other)
        return Finding(verdict)

def build(_class_path, **_parts):
    return TearingAgent()
"""
TEARING_BOARD = """
from typing import Annotated
from cluster.state import SharedState, merge

def tear(base, mine, theirs):
    raise ZeroDivisionError("no way")

class Scroll(SharedState):
    word: Annotated[str, merge.by(tear)]
"""


async def test_where_a_user_s_own_policy_fails_it_is_said_and_the_manager_sees_the_conflict(
    configuration: Configuration, tmp_path: Path
) -> None:
    (tmp_path / "tearing.py").write_text(TEARING, encoding="utf-8")
    (tmp_path / "tearing_board.py").write_text(TEARING_BOARD, encoding="utf-8")
    settings = replace(configuration.settings, python_path=(str(tmp_path),))
    tearing = built_by(replace(configuration, settings=settings), "tearing:build")
    async with Cluster(configuration=tearing) as cluster:
        task = await cluster.submit("Yes or no?")
        await task
        told = {each.kind: each.detail async for each in task}

    assert isinstance(told["conflict"], StateConflicted)
    assert told["conflict"].field == "word"
    assert isinstance(told["fell_back"], FellBack)
    assert "tearing_board:tear raised ZeroDivisionError('no way')" in told["fell_back"].reason


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
