"""The leader of a cluster's session: it forks the process that works, and sees to the end of all.

Ray can hold the interpreter's lock for half a minute (its start waits so for a process of its own),
and a process that is killed ends nothing else. So who watches is one in which nothing but this
runs. It ends the session when the work is done or has died, when it is told to, and when its
starter is gone, however that ended. A second child waits for the leader's own death, for it may be
killed together with the starter; in all other cases it is ended with the rest. Used by
`cluster.placement.local.cluster_process`.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from cluster.placement.local.process_table import kill_session

ORDERLY_S = 16.0
"""What an end may take that the starter waits for; it gives the whole session some seconds more."""
ORPHANED_S = 8.0
"""What it may take where nobody does: it is only about what the store has not written yet."""
_END_S = 2.0
_LOOK_UP_S = 1.0
_POLL_S = 0.005
_FIRST_OF_OURS = 3
"""The descriptor behind those that every process has."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def lead(work: Callable[[int], NoReturn], lifeline: int, run_dir: Path) -> NoReturn:
    """Have a child do the work, and end the session after it; called before there are threads.

    Args:
        work: runs in the child. Its argument is a lifeline of its own, which can be read from when
            it is to end: Ray replaces the handlers of signals.
        lifeline: can be read from when the starter wants the end, or is gone.
        run_dir: removed in the end.
    """
    leader, starter = os.getpid(), os.getppid()
    # What loses its parent becomes ours: Ray's processes leave children when they are killed.
    _control(_PR_SET_CHILD_SUBREAPER, 1)
    successors_end, own = os.pipe()
    if os.fork() == 0:
        _succeed(successors_end, run_dir)
    os.close(successors_end)
    workers_end, held = os.pipe()
    worker = os.fork()
    if worker == 0:
        for other in (own, held, lifeline):
            os.close(other)
        _work(work, workers_end, leader)
    os.close(workers_end)
    code = 1
    try:
        code = _Watch(worker, held, lifeline, starter).until_ended()
    finally:
        _end_session(code, run_dir)


class _Watch:
    """Waits for a worker's end, asks for it when its time has come, and forces it in the end."""

    def __init__(self, worker: int, held: int, lifeline: int, starter: int) -> None:
        self._worker = worker
        self._held: int | None = held
        self._lifeline = lifeline
        self._starter = starter
        self._code: int | None = None
        self._signals, wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def until_ended(self) -> int:
        """Return the worker's exit code, below zero where a signal ended it."""
        while not (self._has_ended() or self._held is None or self._is_over()):
            self._wait(_LOOK_UP_S, self._lifeline)
        self._ask()
        asked_at = time.monotonic()
        while not self._has_ended():
            limit_s = ORPHANED_S if self._is_orphaned() else ORDERLY_S
            left_s = asked_at + limit_s - time.monotonic()
            if left_s < -_END_S:
                break  # not even SIGKILL ends it
            if left_s <= 0:
                os.kill(self._worker, signal.SIGKILL)
            self._wait(min(max(left_s, _POLL_S), _LOOK_UP_S))
        return 1 if self._code is None else self._code

    def _ask(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Cut the worker's lifeline; once, for a signal may come at any time."""
        held, self._held = self._held, None
        if held is not None:
            os.close(held)

    def _wait(self, timeout_s: float, *handles: int) -> None:
        """Wait for a signal, or until one of the handles can be read from."""
        select.select([self._signals, *handles], [], [], timeout_s)
        with suppress(BlockingIOError):
            os.read(self._signals, select.PIPE_BUF)

    def _is_over(self) -> bool:
        """Say whether the starter has let go, or is gone: what it has forked may still hold on."""
        readable, _, _ = select.select([self._lifeline], [], [], 0)
        return bool(readable) or self._is_orphaned()

    def _is_orphaned(self) -> bool:
        return os.getppid() != self._starter

    def _has_ended(self) -> bool:
        """Say whether the worker has; takes note of the others too whose parents have died."""
        with suppress(ChildProcessError):
            while self._code is None:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                if pid == self._worker:
                    self._code = os.waitstatus_to_exitcode(status)
        return self._code is not None


def _succeed(leaders_death: int, run_dir: Path) -> NoReturn:
    """End the session once the leader has died, which can be told by a pipe that it alone holds."""
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        # Whoever reads the leader's reports is to see that it has gone.
        os.dup2(leaders_death, _FIRST_OF_OURS)
        os.closerange(_FIRST_OF_OURS + 1, os.sysconf("SC_OPEN_MAX"))
        os.read(_FIRST_OF_OURS, 1)
        kill_session(os.getsid(0), _END_S)
        shutil.rmtree(run_dir, ignore_errors=True)
    finally:
        os._exit(1)


def _work(work: Callable[[int], NoReturn], lifeline: int, leader: int) -> NoReturn:
    _control(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        if os.getppid() == leader:  # else it has died before it could take us along
            work(lifeline)
    finally:
        os._exit(1)


def _end_session(code: int, run_dir: Path) -> NoReturn:
    """End all others of the session, remove the run folder, and end."""
    if os.getsid(0) == os.getpid():
        kill_session(os.getpid(), _END_S)
    _reap(_END_S)
    shutil.rmtree(run_dir, ignore_errors=True)
    os._exit(max(code, 0) or int(code < 0))


def _reap(timeout_s: float) -> None:
    """Wait for the killed to be gone: with no parent left to do so they would stay as zombies."""
    give_up_at = time.monotonic() + timeout_s
    try:
        while time.monotonic() < give_up_at:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(_POLL_S)
    except ChildProcessError:
        return


def _control(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)
