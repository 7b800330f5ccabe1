"""``fleetmind`` as a process in surroundings of its own, and what it leaves behind in them."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from cluster.placement.local.process_table import ProcessId

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 150.0
GONE_S = 40.0
_POLL_S = 0.01
_MARK = "FLEETMIND_TEST_MARK"
_PROC = Path("/proc")


@dataclass(frozen=True)
class Ended:
    """How a command ended; a signal that ended it is below zero."""

    exit_code: int | None
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What it wrote to stderr."""
        return self.err.splitlines()


class Surroundings:
    """Folders, environment and processes of the commands that one test runs."""

    def __init__(self, folder: Path, temp: Path) -> None:
        self.folder = folder
        self.temp = temp
        self.python = [sys.executable]
        self.command = [*self.python, "-m", "cluster"]
        self._mark = f"{_MARK}={secrets.token_hex(8)}".encode()
        self._family: set[ProcessId] = set()
        name, _, value = self._mark.decode().partition("=")
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(folder / "home"),
            "TMPDIR": str(temp),
            **{f"XDG_{kind}_HOME": str(folder / kind) for kind in ("STATE", "DATA", "CACHE")},
            name: value,
        }

    async def start(
        self,
        *arguments: str,
        stdin: int = asyncio.subprocess.DEVNULL,
        stdout: int | IO[bytes] = PIPE,
        stderr: int | IO[bytes] = PIPE,
        environment: Mapping[str, str] | None = None,
        prefix: Sequence[str] = (),
    ) -> Process:
        """Start a command as the leader of a group, as a shell does."""
        return await asyncio.create_subprocess_exec(
            *prefix,
            *self.command,
            *arguments,
            cwd=self.folder,
            env={**self.environment, **(environment or {})},
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            process_group=0,
        )

    async def ended(self, process: Process, before: str = "") -> Ended:
        """Wait for a command's end; ``before`` is what of its stderr was read already."""
        async with asyncio.timeout(TIMEOUT_S):
            out, err = await process.communicate()
        return Ended(process.returncode, (out or b"").decode(), before + (err or b"").decode())

    async def fleetmind(self, *arguments: str, **variables: str) -> Ended:
        """Run a command to its end."""
        return await self.ended(await self.start(*arguments, environment=variables))

    async def until_running(self, option: str) -> None:
        """Wait until something that the commands started has an option on its command line."""
        await until(lambda: any(option in _command(pid).split() for pid in self._descendants()))

    async def until_there(self, program: str) -> list[int]:
        """Wait until what the commands started runs a program of that name; return its numbers."""
        found: list[int] = []

        def is_there() -> bool:
            found[:] = [pid for pid in self._descendants() if _program(pid) == program]
            return bool(found)

        await until(is_there)
        return found

    def remember(self) -> None:
        """Note all that runs now: a sandbox carries no mark of ours when its parents have died."""
        found = {ProcessId.of(pid) for pid in self._descendants()}
        self._family |= {process for process in found if process is not None}

    async def nothing_is_left(self) -> None:
        """Wait until nothing of the commands runs; then nothing lies in the temporary folder."""
        try:
            async with asyncio.timeout(GONE_S):
                await until(lambda: not self._running())
        except TimeoutError:
            left = ", ".join(self.running())
            raise AssertionError(f"still running: {left}") from None
        assert self.files() == []

    def files(self) -> list[str]:
        """Return what lies in the temporary folder, but for our own empty folder of runs.

        Folders are named where they are empty. What goes while this looks is gone.
        """
        found: list[Path] = []
        for name, folders, files in os.walk(self.temp):  # passes over a folder that has gone
            folder = Path(name)
            links = [each for each in folders if (folder / each).is_symlink()]
            found += [folder / each for each in (*files, *links)]
            if not (folders or files) and folder.exists():
                found.append(folder)
        allowed = {self.temp, self.temp / f"fleetmind-{os.getuid()}"}
        return sorted(str(path.relative_to(self.temp)) for path in found if path not in allowed)

    def running(self) -> list[str]:
        """Return the command lines of what the commands have started and still runs."""
        return [_command(pid) for pid in self._running()]

    def kill(self) -> None:
        """End what a failed test has left."""
        for pid in self._running():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _running(self) -> set[int]:
        remembered = {process.pid for process in self._family if process.is_alive}
        return remembered | {pid for pid in _pids() if self._has_mark(pid)}

    def _descendants(self) -> set[int]:
        parents = {pid: _parent(pid) for pid in _pids()}
        found: set[int] = set()
        more = self._running()
        while more:
            found |= more
            more = {pid for pid, parent in parents.items() if parent in found} - found
        return found

    def _has_mark(self, pid: int) -> bool:
        try:
            return self._mark in (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
        except OSError:
            return False


@contextmanager
def surroundings(folder: Path | None = None) -> Iterator[Surroundings]:
    """Make surroundings in an empty folder, or one that others than this user can reach too.

    The temporary folder has a short path, as Ray needs it.
    """
    with _folder("f") as temp, _folder("fleetmind-") as own:
        made = Surroundings(folder or Path(own), Path(temp))
        (made.folder / "home").mkdir()
        try:
            yield made
        finally:
            made.kill()


def _folder(prefix: str) -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so that only looking can tell."""
    async with asyncio.timeout(TIMEOUT_S):
        while not is_so():  # noqa: ASYNC110 - as the summary says
            await asyncio.sleep(_POLL_S)


def handles(pid: int, number: signal.Signals) -> bool:
    """Say whether a process has a handler of its own for a signal."""
    for line in (_PROC / str(pid) / "status").read_text(encoding="utf-8").splitlines():
        name, _, mask = line.partition(":")
        if name == "SigCgt":
            return bool(int(mask, 16) >> (number - 1) & 1)
    return False


def children(parent: int) -> list[int]:
    """Return the processes that a process has started."""
    return sorted(pid for pid in _pids() if _parent(pid) == parent)


def _pids() -> list[int]:
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int:
    try:
        stat = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])


def _program(pid: int) -> str:
    return Path(_command(pid).partition(" ")[0]).name


def _command(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
