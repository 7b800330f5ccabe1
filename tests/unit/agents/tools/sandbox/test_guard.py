"""The guard over groups of processes, tried on shells that wait for ever."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import pytest

from agents.tools.sandbox.guard import SandboxGuard, guarded

# Says that it runs, then waits for somebody to close its stdout, which nobody does.
WAITING = ["/bin/sh", "-c", "echo running; exec sleep 1000"]


@pytest.fixture
def guard() -> Iterator[SandboxGuard]:
    guard = SandboxGuard()
    yield guard
    guard.close()


def started(guard: SandboxGuard) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        guarded(WAITING), stdin=guard.handle, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"running\n"
    return process


def test_what_is_left_is_killed_when_the_guards_pipe_closes() -> None:
    guard = SandboxGuard()
    with started(guard) as first, started(guard) as second:
        guard.close()

        assert first.wait() == second.wait() == -signal.SIGKILL


def test_what_was_released_is_left_alone() -> None:
    guard = SandboxGuard()
    with started(guard) as released, started(guard) as left:
        guard.release(released.pid)
        guard.close()

        assert left.wait() == -signal.SIGKILL
        assert released.poll() is None
        released.kill()


def test_its_folder_goes_with_it_and_with_all_that_is_in_it() -> None:
    guard = SandboxGuard()
    (guard.folder / "program").touch()

    guard.close()

    assert not guard.folder.exists()


def test_the_command_reads_nothing(guard: SandboxGuard) -> None:
    process = subprocess.run(
        guarded(["/bin/cat"]),
        stdin=guard.handle,
        capture_output=True,
        check=True,
        start_new_session=True,
    )

    assert process.stdout == b""


def test_a_killed_guard_is_replaced(guard: SandboxGuard) -> None:
    shell = guard._shell  # noqa: SLF001 - nobody else has a reason to know it
    shell.kill()
    shell.wait()
    guard.release(1)

    with started(guard) as process:
        guard.release(process.pid)
        process.kill()


def test_a_release_that_was_never_announced_changes_nothing() -> None:
    guard = SandboxGuard()
    with started(guard) as left:
        for _ in range(40):  # each of these once doubled the list, until the guard was lost in it
            guard.release(999_999_999)
        guard.close()

        assert left.wait() == -signal.SIGKILL
