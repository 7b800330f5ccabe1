"""Has files that are more than text read by a process of their own, which is bounded.

Used by `cluster.memory.knowledge.documents`, from worker threads, one call at a time. The process
is started with the first such file, reads all of them, and is replaced when a file was its end.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from contextlib import suppress

from cluster.kernel.errors import UsageError
from cluster.memory.child_process import start_child
from cluster.memory.knowledge.conversion.converted import Converted, Unconvertible, from_line
from cluster.memory.knowledge.omissions import Omission

WALL_S_MAX = 120.0
"""For one file; the child's limit of CPU time comes first, unless it waits for the processor."""
REPLY_BYTES_MAX = 60_000_000
"""Of a reply: as many characters as the text of a file may have, and what JSON escapes."""


class Converter:
    """Reads files; may be closed at any time, also from another thread, and is then of no use."""

    def __init__(self, wall_s_max: float = WALL_S_MAX) -> None:
        self._wall_s_max = wall_s_max
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        """Held while a child is started or ended: none is started after `close`."""
        self._is_closed = False

    @property
    def process_id(self) -> int:
        """The process that reads; 0 while there is none."""
        return 0 if self._child is None else self._child.pid

    def convert(self, data: bytes, file_format: str) -> Converted:
        """Return the text of a file.

        Raises:
            Unconvertible: it has none, or can't be read within the bounds.
            UsageError: the process can't be started.
        """
        child = self._started()
        is_late = threading.Event()
        alarm = threading.Timer(self._wall_s_max, _end_late, (child, is_late))
        alarm.daemon = True
        alarm.start()
        try:
            line = _asked(child, data, file_format)
        finally:
            alarm.cancel()
        with suppress(ValueError, KeyError, TypeError):
            return from_line(line)
        raise Unconvertible(self._why_ended(child, is_late=is_late.is_set()))

    def close(self) -> None:
        """End the process at once, whatever it does."""
        with self._lock:
            self._is_closed = True
            child, self._child = self._child, None
        if child is not None:
            _end(child)

    def _started(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._is_closed:
                raise UsageError("the reading of the knowledge was given up")
            if self._child is None:
                try:
                    self._child = start_child("cluster.memory.knowledge.conversion.child")
                except OSError as error:
                    raise UsageError(f"no process can be started to read files: {error}") from error
            return self._child

    def _why_ended(self, child: subprocess.Popen[bytes], *, is_late: bool) -> Omission:
        """End a child that gave no reply, and say what became of it."""
        with self._lock:
            if self._child is child:
                self._child = None
        with suppress(subprocess.TimeoutExpired):
            child.wait(1.0)  # it closed its output because it is ending
        code = child.poll()
        _end(child)
        if is_late or code == -signal.SIGXCPU:
            return Omission.TOO_SLOW
        return Omission.UNPACKS_TOO_LARGE if code == -signal.SIGKILL else Omission.BROKEN


def _asked(child: subprocess.Popen[bytes], data: bytes, file_format: str) -> bytes:
    """Return the child's line; one that isn't whole where it has ended."""
    assert child.stdin is not None
    assert child.stdout is not None
    request = {"format": file_format, "size": len(data)}
    with suppress(OSError, ValueError):  # it ended, or was closed
        child.stdin.write(json.dumps(request).encode() + b"\n" + data)
        child.stdin.flush()
        return child.stdout.readline(REPLY_BYTES_MAX)
    return b""


def _end_late(child: subprocess.Popen[bytes], is_late: threading.Event) -> None:
    is_late.set()
    child.kill()


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
