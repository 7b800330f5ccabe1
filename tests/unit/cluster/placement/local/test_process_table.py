"""Processes as the kernel lists them."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from cluster.placement.local.process_table import ProcessId, kill_session, session_members
from tests.support.placement import SHELL


@pytest.fixture
def leader() -> Iterator[subprocess.Popen[bytes]]:
    """The leader of a session, a shell with a child in a process group of its own."""
    with subprocess.Popen(
        [SHELL, "-mc", "sleep 600 & echo $!; wait"], start_new_session=True, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        kill_session(process.pid, 5.0)


def test_a_process_is_told_from_another_of_the_same_number() -> None:
    own = ProcessId.of(os.getpid())
    assert own is not None

    assert own.is_alive
    assert not ProcessId(own.pid, own.started - 1).is_alive


def test_no_process_has_the_number_zero() -> None:
    assert ProcessId.of(0) is None


def test_a_signal_for_a_process_that_has_ended_goes_nowhere() -> None:
    ProcessId(os.getpid(), 0).send(signal.SIGKILL)


def test_all_of_a_session_are_its_members(leader: subprocess.Popen[bytes]) -> None:
    assert leader.pid in session_members(leader.pid)
    assert len(session_members(leader.pid)) == 2


def test_killing_a_session_ends_all_of_it(leader: subprocess.Popen[bytes]) -> None:
    assert kill_session(leader.pid, 5.0)

    assert session_members(leader.pid) == []
    leader.wait(5)  # killed, or ended by itself where its child was killed before it


def test_what_its_leader_left_behind_is_found(leader: subprocess.Popen[bytes]) -> None:
    leader.kill()
    leader.wait()
    assert len(session_members(leader.pid)) == 1

    assert kill_session(leader.pid, 5.0)


def test_a_zombie_is_no_running_process(leader: subprocess.Popen[bytes]) -> None:
    process = ProcessId.of(leader.pid)
    assert process is not None

    kill_session(leader.pid, 5.0)

    assert not process.is_alive
