"""Processes as the kernel lists them in /proc: who is who, what belongs together, and its end.

Everything a cluster starts shares one process session (setsid), whose members the kernel names
exactly, also after their parents have died; so nothing is ever looked for by name.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
# Positions in /proc/PID/stat, counted from the field behind the command's closing parenthesis.
_STATE, _SESSION, _STARTED = 0, 3, 19
_POLL_S = 0.01


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process that no other one is taken for: its number and when it started.

    Numbers are given out again; ``started`` is in clock ticks since the machine's start.
    """

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """Return the running process of that number; None where there is none, or a zombie."""
        fields = _stat(pid)
        return None if fields is None else cls(pid, int(fields[_STARTED]))

    @property
    def is_alive(self) -> bool:
        """Say whether this very process still runs."""
        return ProcessId.of(self.pid) == self

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        with suppress(ProcessLookupError):
            if self.is_alive:
                os.kill(self.pid, number)


def session_members(session: int) -> list[int]:
    """Return the running processes of a session, zombies left out."""
    members = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields is not None and int(fields[_SESSION]) == session:
                members.append(int(entry.name))
    return members


def kill_session(session: int, timeout_s: float) -> bool:
    """Kill all processes of a session but this one; blocks, at most ``timeout_s`` seconds.

    Returns:
        False where some were still running at the end of the time.
    """
    give_up_at = time.monotonic() + timeout_s
    while members := set(session_members(session)) - {os.getpid()}:
        if time.monotonic() >= give_up_at:
            return False
        for pid in members:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_S)
    return True


def _stat(pid: int) -> list[str] | None:
    """Return the fields after the command's name, None for what doesn't run."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[_STATE] in {"Z", "X"} else fields
