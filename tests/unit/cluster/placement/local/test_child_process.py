"""The starter's end of a child: its reports, its end, what it may see."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cluster.kernel.errors import PlacementError, StoreUnavailable
from cluster.placement.local.child_process import LET_GO, ChildProcess, last_words
from cluster.placement.local.process_table import session_members
from tests.support.commands import until
from tests.support.placement import READY

STOP_S = 10.0


async def started(behaviour: str, log: Path | None, request: str = "") -> ChildProcess:
    return await ChildProcess.start("tests.support.placement", behaviour, request=request, log=log)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


async def test_progress_is_passed_on_until_the_child_is_ready(log: Path) -> None:
    child = await started("serves", log)
    heard: list[str] = []

    assert await child.ready(heard.append, STOP_S) == READY

    assert heard == ["warming up"]
    await child.stop(STOP_S)
    assert session_members(child.id.pid) == []


async def test_what_others_print_goes_to_the_log(log: Path) -> None:
    child = await started("serves", log)
    await child.ready(lambda _: None, STOP_S)

    assert last_words(log) == "something that others print"
    await child.stop(STOP_S)


async def test_without_a_log_its_words_are_kept_all_the_same() -> None:
    child = await started("serves", None)
    await child.ready(lambda _: None, STOP_S)

    assert child.last_words == "something that others print"
    await child.stop(STOP_S)


async def test_what_it_is_asked_for_reaches_the_child(log: Path) -> None:
    child = await started("fails as it is asked", log, request="a request")

    with pytest.raises(StoreUnavailable, match="a request"):
        await child.ready(lambda _: None, STOP_S)
    await child.stop(STOP_S)


async def test_a_child_that_is_let_go_is_told(log: Path) -> None:
    child = await started("serves", log)
    await child.ready(lambda _: None, STOP_S)

    child.let_go()

    await until(lambda: f"was told {LET_GO!r}" in last_words(log))
    await until(lambda: not session_members(child.id.pid))


async def test_the_childs_failure_is_raised_as_the_error_it_was(log: Path) -> None:
    child = await started("fails", log)

    with pytest.raises(StoreUnavailable, match="there is no store"):
        await child.ready(lambda _: None, STOP_S)
    await child.stop(STOP_S)


async def test_a_child_that_dies_is_quoted(log: Path) -> None:
    child = await started("dies", log)

    with pytest.raises(PlacementError, match=r"it was warming up.*these are its last words"):
        await child.ready(lambda _: None, STOP_S)
    await child.stop(STOP_S)


async def test_a_child_that_takes_too_long_is_given_up(log: Path) -> None:
    child = await started("hangs", log)

    with pytest.raises(PlacementError, match="was not ready within"):
        await child.ready(lambda _: None, 0.0)
    await child.stop(0.0)


async def test_a_child_that_does_not_listen_is_killed_with_its_own_children(log: Path) -> None:
    child = await started("is deaf", log)
    await child.ready(lambda _: None, STOP_S)

    await child.stop(0.0)

    assert session_members(child.id.pid) == []


async def test_the_end_of_a_child_is_noticed(log: Path) -> None:
    child = await started("serves", log)
    await child.ready(lambda _: None, STOP_S)

    os.kill(child.id.pid, 9)

    assert await child.ended() == "none was given"

    await child.stop(STOP_S)


async def test_a_log_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PlacementError, match="the cluster can't be started"):
        await started("serves", tmp_path / "missing" / "log")


def test_a_log_that_is_not_there_has_no_words(tmp_path: Path) -> None:
    assert last_words(tmp_path / "log") == "none"
