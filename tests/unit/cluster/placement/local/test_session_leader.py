"""The end of a session: how its leader comes to it, and that nothing of the session is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.placement.local.process_table import kill_session, session_members
from tests.support.commands import until

PROGRAM = """
import ctypes, os, subprocess, sys, time
from pathlib import Path
from cluster.placement.local import session_leader

def work(lifeline):
    subprocess.Popen(["/bin/sh", "-c", "sleep 600 & wait"])
    print(os.getpid(), flush=True)
    {work}

session_leader.ORDERLY_S = session_leader.ORPHANED_S = {patience_s}
session_leader.lead(work, os.dup(0), Path(sys.argv[1]))
"""
LISTENS = "os.read(lifeline, 1); os._exit(0)"
HOLDS_THE_LOCK = "ctypes.PyDLL(None).sleep(600)"
Leader = subprocess.Popen[bytes]


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    made = tmp_path / "run"
    made.mkdir()
    return made


@contextmanager
def leader(run_dir: Path, work: str, patience_s: float = 60.0) -> Iterator[tuple[Leader, int]]:
    """Start one, and give its process and its worker's number."""
    program = PROGRAM.format(work=work, patience_s=patience_s)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(run_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline())
        finally:
            kill_session(process.pid, 5.0)


def cut(process: Leader, _worker: int) -> None:
    assert process.stdin is not None
    process.stdin.close()


def tell(process: Leader, _worker: int) -> None:
    process.terminate()


def kill(_process: Leader, worker: int) -> None:
    os.kill(worker, signal.SIGKILL)


def nothing(_process: Leader, _worker: int) -> None:
    return None


@pytest.mark.parametrize(
    ("work", "happens", "code"),
    [
        ("os._exit(3)", nothing, 3),
        ("raise ValueError", nothing, 1),
        (LISTENS, cut, 0),
        (LISTENS, tell, 0),
        (LISTENS, kill, 1),
    ],
)
def test_all_of_a_session_ends_with_its_worker(
    run_dir: Path, work: str, happens: Callable[[Leader, int], None], code: int
) -> None:
    with leader(run_dir, work) as (process, worker):
        happens(process, worker)

        assert process.wait() == code
        assert session_members(process.pid) == []
    assert not run_dir.exists()


@pytest.mark.parametrize("happens", [cut, tell])
def test_a_worker_that_holds_the_interpreters_lock_is_killed(
    run_dir: Path, happens: Callable[[Leader, int], None]
) -> None:
    with leader(run_dir, HOLDS_THE_LOCK, patience_s=0.0) as (process, worker):
        happens(process, worker)

        assert process.wait() == 1
        assert session_members(process.pid) == []


async def test_nothing_outlives_a_leader_that_is_killed(run_dir: Path) -> None:
    with leader(run_dir, HOLDS_THE_LOCK) as (process, _worker):
        process.kill()
        process.wait()

        await until(lambda: not session_members(process.pid))
        await until(lambda: not run_dir.exists())


def test_who_reads_what_the_worker_prints_sees_that_it_has_been_killed(run_dir: Path) -> None:
    with leader(run_dir, HOLDS_THE_LOCK) as (process, _worker):
        process.kill()

        assert process.stdout is not None
        assert process.stdout.read() == b""
