"""The starter's end of a process of the cluster: start it, follow its reports, end its session.

The child gets a session of its own: Ctrl-C in the terminal reaches only the starter, and all that
the child leaves behind can be found. Its standard input is its lifeline: it stops by itself as soon
as the starter is gone, however that ended, unless it was let go before.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Self

from cluster.child_environment import WORKING_FOLDER, environment
from cluster.exhaustion import why_exhausted
from cluster.kernel.errors import PlacementError
from cluster.kernel.vocabulary import Failure
from cluster.placement.local.handover import hand_over
from cluster.placement.local.process_table import ProcessId, kill_session
from cluster.placement.local.reports import Progress, Ready, report_from_line
from cluster.wire.failure import error_from_failure

LET_GO = b"."
"""What comes over its lifeline to a child that is to outlive its starter."""
_LOG_LINES = 6
_LOG_BYTES = 8192
_POLL_S = 0.01
_KILL_S = 5.0


class ChildProcess:
    """A running process of the cluster; whoever started it stops it or lets it go."""

    def __init__(
        self, process: subprocess.Popen[bytes], reports: asyncio.StreamReader, words: BinaryIO
    ) -> None:
        self.id = ProcessId.of(process.pid) or ProcessId(process.pid, 0)
        self._process = process
        self._reports = reports
        self._words = words

    @classmethod
    async def start(
        cls, module: str, *arguments: str, request: str, log: Path | None = None
    ) -> Self:
        """Start ``python -m module`` in its own session.

        Args:
            module: which sends reports.
            arguments: for people too, in lists of processes.
            request: for `take_over`; ``--request``, added to the arguments, says where from.
            log: what its standard error is added to; a file without a name where not given, which
                goes with the last who has it open.

        Raises:
            PlacementError: it can't be started, or the log can't be written.
        """
        try:
            words: BinaryIO = log.open("a+b") if log else TemporaryFile()  # noqa: SIM115 - kept
            kept = hand_over(request)
            try:
                # Popen and not the loop's: that one kills what still runs when the loop is closed.
                process = subprocess.Popen(  # noqa: ASYNC220 - takes a millisecond
                    [sys.executable, "-P", "-m", module, *arguments, "--request", str(kept)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=words,
                    env=environment(os.environ),
                    cwd=WORKING_FOLDER,
                    start_new_session=True,
                    pass_fds=(kept,),
                )
            finally:
                os.close(kept)
        except OSError as error:
            reason = why_exhausted(error) or error
            raise PlacementError(f"the cluster can't be started: {reason}") from error
        reports = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reports), process.stdout
        )
        return cls(process, reports, words)

    async def ready(self, on_progress: Callable[[str], None], timeout_s: float) -> Ready:
        """Pass on what it is doing until it is ready.

        Raises:
            ClusterError: what the child says has failed; PlacementError where it ended without a
                word, or took longer than ``timeout_s`` (its log's last lines are quoted).
        """
        doing = "starting"
        try:
            async with asyncio.timeout(timeout_s):
                while line := await self._reports.readline():
                    match report_from_line(line):
                        case Progress(text):
                            doing = text
                            on_progress(text)
                        case Ready() as ready:
                            return ready
                        case Failure() as failure:
                            raise error_from_failure(failure)
                        case None:
                            continue
        except TimeoutError:
            outcome = f"was not ready within {timeout_s:g} s"
        else:
            outcome = "ended"
        raise PlacementError(
            f"the cluster's process {outcome} (it was {doing}); its last words: {self.last_words}"
        )

    async def ended(self) -> str:
        """Return when it has given the reason of its end, has ended, or closed its reports."""
        while line := await self._reports.readline():
            report = report_from_line(line)
            if isinstance(report, Failure):
                return report.message
        return "none was given"

    async def stop(self, timeout_s: float) -> None:
        """Cut its lifeline; kill what is left of its session after a while.

        Raises:
            PlacementError: even then something still runs.
        """
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._words.close()
        try:
            async with asyncio.timeout(timeout_s):
                while self._process.poll() is None:  # noqa: ASYNC110 - no event tells
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            pass  # killed below, with all others of its session
        is_clean = await asyncio.to_thread(kill_session, self._process.pid, _KILL_S)
        if self._process.poll() is None or not is_clean:
            raise PlacementError(
                f"some processes of the cluster can't be killed: `ps -s {self._process.pid}` "
                "lists them"
            )

    def let_go(self) -> None:
        """Leave it running by itself, as it waits to be told; its reports are not read any more."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as lifeline:
            lifeline.write(LET_GO)
        self._words.close()
        self._process.returncode = 0  # else Popen complains of a child that outlives it

    @property
    def last_words(self) -> str:
        """The last lines of its standard error."""
        return last_words(Path(f"/proc/self/fd/{self._words.fileno()}"))


def last_words(log: Path) -> str:
    """Return the last lines of a log in one, for an error's sentence."""
    try:
        text = log.read_bytes()[-_LOG_BYTES:].decode("utf-8", "replace")
    except OSError:
        return "none"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-_LOG_LINES:]) or "none"
