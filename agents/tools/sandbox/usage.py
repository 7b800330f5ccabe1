"""What a running sandbox uses as a whole; resource limits hold for single processes only.

`job` looks a few times a second and kills what is over. Reads /proc, which here is memory:
no call blocks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from agents.tools.sandbox.machine import PROGRAM
from cluster.kernel.sections import SandboxSettings

_SCRATCH_FOLDERS = ("/tmp", "/dev/shm")  # noqa: S108 - those of the sandbox


@dataclass(frozen=True, slots=True)
class _Process:
    parent: int
    threads: int
    memory_bytes: int


class SandboxUsage:
    """Measures one sandbox, from outside.

    Args:
        init: the process id, seen from here, of the first process in the sandbox. Every other one
            descends from it: orphans become its children.
        foreign: processes that were there before the sandbox; nobody moves into one from outside.
    """

    def __init__(self, init: int, foreign: Iterable[int]) -> None:
        self._init = init
        self._members = {init}
        self._foreign = set(foreign) - {init}

    def excess(self, limits: SandboxSettings) -> str:
        """Name the first limit that is exceeded; empty where none is."""
        processes = self._processes()
        if sum(each.memory_bytes for each in processes) > limits.memory_bytes_max:
            return f"memory limit of {mebibytes(limits.memory_bytes_max)}"
        # The first process is bubblewrap's.
        if sum(each.threads for each in processes) > limits.processes_max + 1:
            return f"limit of {limits.processes_max} processes"
        return self._excess_of_files(limits)

    def _processes(self) -> list[_Process]:
        listed = process_ids()
        self._members.intersection_update(listed)
        self._foreign.intersection_update(listed)
        found = {pid: process for pid in self._members if (process := _read(pid))}
        new = listed - self._members - self._foreign
        unknown = {pid: process for pid in new if (process := _read(pid))}
        while family := {pid for pid, each in unknown.items() if each.parent in self._members}:
            self._members |= family
            found |= {pid: unknown.pop(pid) for pid in family}
        self._foreign.update(unknown)
        return list(found.values())

    def _excess_of_files(self, limits: SandboxSettings) -> str:
        root = f"/proc/{self._init}/root"
        if not os.access(root + PROGRAM, os.F_OK):
            # It has ended, or is not yet complete: then its folders still are those of the machine.
            return ""
        sizes = (limits.tmp_bytes_max, limits.shared_bytes_max)
        for folder, size in zip(_SCRATCH_FOLDERS, sizes, strict=True):
            try:
                found = os.statvfs(root + folder)
            except OSError:
                return ""
            if found.f_files - found.f_ffree > limits.files_max:
                return f"limit of {limits.files_max} files"
            # Only where bubblewrap is too old to limit it; otherwise writing fails at the limit.
            if (found.f_blocks - found.f_bfree) * found.f_frsize > size:
                return f"limit of {mebibytes(size)} of temporary files"
        return ""


def process_ids() -> set[int]:
    """List the processes of this machine."""
    with os.scandir("/proc") as entries:
        return {int(entry.name) for entry in entries if entry.name.isdigit()}


def mebibytes(size: int) -> str:
    """Write a number of bytes for a person."""
    return f"{size / 1024 / 1024:g} MiB"


def _read(pid: int) -> _Process | None:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    facts = dict(line.split(":", 1) for line in lines.splitlines() if ":" in line)
    memory = sum(_kibibytes(facts.get(name, "")) for name in ("RssAnon", "RssShmem"))
    return _Process(int(facts["PPid"]), int(facts["Threads"]), memory * 1024)


def _kibibytes(text: str) -> int:
    # A zombie has no such line.
    return int(text.split(maxsplit=1)[0]) if text else 0
