"""What a machine refuses a process, in a sentence: more processes and threads, files, memory.

Asked where an error ends that nobody has foreseen. The error alone often doesn't tell: Python
raises a RuntimeError where no thread can be started, and EAGAIN has other causes than a limit.
"""

from __future__ import annotations

import errno
import threading

_NO_PROCESSES = (
    "no more processes or threads may be started: raise the limit of this user (`ulimit -u`) or of "
    "its container (pids.max, TasksMax)"
)
_BY_NUMBER = {
    errno.EMFILE: "no more files may be opened: raise the limit of this user (`ulimit -n`)",
    errno.ENFILE: "the machine has as many files open as it may: raise fs.file-max",
    errno.ENOMEM: "the memory of this machine, or of its container, is used up: give it more",
    errno.ENOSPC: "the disk is full: make room, or set TMPDIR and XDG_DATA_HOME to other disks",
}


def why_exhausted(error: BaseException) -> str:
    """Say what was refused that this error comes of, empty where it comes of something else."""
    match error:
        case RuntimeError() | OSError(errno=errno.EAGAIN) if not _may_start_thread():
            return _NO_PROCESSES
        case MemoryError():
            return _BY_NUMBER[errno.ENOMEM]
        case OSError(errno=number):
            return _BY_NUMBER.get(number or 0, "")
        case _:
            return ""


def _may_start_thread() -> bool:
    try:
        thread = threading.Thread(target=lambda: None)
        thread.start()
    except RuntimeError:
        return False
    thread.join()
    return True
