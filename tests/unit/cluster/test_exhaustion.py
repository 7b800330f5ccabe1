"""What the machine has refused, told by an error and by trying."""

from __future__ import annotations

import errno
import threading

import pytest

from cluster.exhaustion import why_exhausted

AGAIN = BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
PROCESSES = "no more processes or threads may be started"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "`ulimit -n`"),
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (MemoryError(), "the memory of this machine"),
    ],
)
def test_an_error_tells_what_was_refused(error: Exception, said: str) -> None:
    assert said in why_exhausted(error)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOENT, "No such file"), AGAIN, RuntimeError("odd"), ValueError("odd")]
)
def test_other_errors_tell_nothing(error: Exception) -> None:
    assert why_exhausted(error) == ""


@pytest.mark.parametrize("error", [AGAIN, RuntimeError("can't start new thread")])
def test_that_no_process_can_be_started_is_found_by_trying(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)

    assert why_exhausted(error).startswith(PROCESSES)
