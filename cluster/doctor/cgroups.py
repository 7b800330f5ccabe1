"""What the control groups of this process leave it: a container's memory and its threads.

Both versions of the kernel's interface, as https://docs.kernel.org/admin-guide/cgroup-v2.html and
https://docs.kernel.org/admin-guide/cgroup-v1/ have them. A group is limited by those above it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


class _Files(NamedTuple):
    """The names of a resource's files in a group's folder."""

    controller: str
    """Of version 1; version 2 has all in one folder."""
    limit: str
    used: str
    reclaimed: str
    """In `memory.stat`: what is used but given back when it is needed, the cache of files."""


_MEMORY_1 = _Files(
    "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
)
_MEMORY_2 = _Files("", "memory.max", "memory.current", "inactive_file")
_THREADS_1 = _Files("pids", "pids.max", "pids.current", "")
_THREADS_2 = _Files("", "pids.max", "pids.current", "")


def memory_left(root: Path = _ROOT, own: Path = _OWN) -> int | None:
    """Return how many bytes more this process's groups may use; None where nothing limits them."""
    return _least(root, own, _MEMORY_1, _MEMORY_2)


def threads_left(root: Path = _ROOT, own: Path = _OWN) -> int | None:
    """Return how many threads more this process's groups may have; None where nothing does."""
    return _least(root, own, _THREADS_1, _THREADS_2)


def _least(root: Path, own: Path, *versions: _Files) -> int | None:
    left = [_left(folder, files) for files in versions for folder in _folders(root, own, files)]
    return min((each for each in left if each is not None), default=None)


def _folders(root: Path, own: Path, files: _Files) -> Iterator[Path]:
    """Yield the folder of our group, and those of the groups that it is in.

    A container sees its own group as the root, while the path may be that of the machine.
    """
    for line in _text(own).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if files.controller not in controllers.split(","):
            continue
        top = root / files.controller
        group = top / path.lstrip("/")
        yield from (each for each in (group, *group.parents) if each.is_relative_to(top))


def _left(folder: Path, files: _Files) -> int | None:
    limit, used = _text(folder / files.limit).strip(), _text(folder / files.used).strip()
    if not (limit.isdigit() and used.isdigit()):
        return None  # `max`, or no such file
    given_back = 0
    if files.reclaimed:
        fields = dict(line.split()[:2] for line in _text(folder / "memory.stat").splitlines())
        given_back = int(fields.get(files.reclaimed, "0"))
    return max(0, int(limit) - int(used) + given_back)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
