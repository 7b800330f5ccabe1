"""The short form of `tests.kills`: what is left of a start of which both ends, or `up`, are killed.

The moments are those at which each of them has something to lose; `tests.integration.test_killed`
kills the command alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kills import RECORD, Victim, is_held, killed, victims
from tests.support.commands import Surroundings, surroundings

pytestmark = [
    pytest.mark.usefixtures("signals_of_a_terminal"),
    pytest.mark.integration,
    pytest.mark.timeout(240),
]


async def once_ray_starts(here: Surroundings) -> None:
    await here.until_there("gcs_server")


@pytest.mark.parametrize("victim", ["leader", "up", "command and leader"])
async def test_nothing_is_left_of_a_start_of_which_part_is_killed(victim: Victim) -> None:
    round_ = await killed(victim, once_ray_starts)

    assert round_.left == ()


@pytest.fixture
def here() -> Iterator[Surroundings]:
    with surroundings() as made:
        yield made


def test_of_empty_folders_only_that_of_the_runs_may_stay(here: Surroundings) -> None:
    (here.temp / f"fleetmind-{os.getuid()}").mkdir()
    assert here.files() == []

    (here.temp / "session" / "logs").mkdir(parents=True)
    (here.temp / "link").symlink_to(here.folder)

    assert here.files() == ["link", "session/logs"]


def test_a_lock_that_has_gone_is_not_held(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "lock")


def test_where_up_has_ended_its_resident_is_the_victim(here: Surroundings) -> None:
    record = here.folder / RECORD
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"process": {"pid": 4321}}))
    with subprocess.Popen([sys.executable, "-c", ""]) as up:
        pass

    assert victims("resident", up.pid, here) == [4321]


LEADER = """
import subprocess, sys
sleep = "import sys; print(flush=True); sys.stdin.read()"
subprocess.run([sys.executable, "-c", sleep], start_new_session=True)
"""


@pytest.mark.parametrize("victim", ["worker", "resident", "leader", "command"])
def test_without_its_victim_a_round_kills_the_command(victim: Victim, here: Surroundings) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as command:
        assert victims(victim, command.pid, here) == [command.pid]


def test_a_leader_without_a_worker_is_a_round_that_kills_the_command(here: Surroundings) -> None:
    command = [sys.executable, "-c", LEADER]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()  # its leader runs

        assert victims("worker", process.pid, here) == [process.pid]
        process.communicate()
