"""A server process beside the agents: how it is started, says that it is ready, and ends.

Both ends are here. The parent passes a ready file's path; the child writes its base URL there once
it answers, and dies with its parent. Used for the local model's server, and by benchmarks.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from cluster.kernel.errors import ModelError

_POLL_S = 0.02
_STOP_S = 5.0
_PR_SET_PDEATHSIG = 1
_STDERR_TAIL = 4096


def die_with_parent(parent: int = 0) -> int:
    """Have the kernel kill this process when the thread that started it ends.

    Exits at once where ``parent``, the id of the process that started it, is no longer there.
    Returns the parent's id, for those who also look with `os.getppid` now and then.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    found = os.getppid()
    if parent and found != parent:
        sys.exit(0)
    return found


def write_ready(ready_file: Path, base_url: str) -> None:
    """Tell the parent where the server answers; the file is there whole or not at all."""
    with tempfile.NamedTemporaryFile(
        "w", dir=ready_file.parent, prefix=ready_file.name, delete=False, encoding="utf-8"
    ) as file:
        file.write(base_url)
    Path(file.name).replace(ready_file)


@asynccontextmanager
async def side_process(command: Sequence[str], timeout_s: float = 60.0) -> AsyncIterator[str]:
    """Run a server for as long as the context lasts and give its base URL.

    ``command`` gets ``--ready-file`` and ``--parent`` added.

    Raises:
        ModelError: it ended, or was not ready within ``timeout_s``; with its last words.
    """
    with tempfile.TemporaryDirectory(prefix="fleetmind-") as folder:
        ready_file, words = Path(folder, "ready"), Path(folder, "stderr")
        stderr = os.open(words, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                *("--ready-file", str(ready_file), "--parent", str(os.getpid())),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=stderr,
                # A copy: Ray changes the environment from its own thread, and exec fails then.
                env=dict(os.environ),
            )
        finally:
            os.close(stderr)
        try:
            yield await _base_url(process, ready_file, words, timeout_s)
        finally:
            await _stop(process)


async def _base_url(
    process: asyncio.subprocess.Process, ready_file: Path, words: Path, timeout_s: float
) -> str:
    try:
        async with asyncio.timeout(timeout_s):
            while process.returncode is None:
                if base_url := _content(ready_file):
                    return base_url
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise ModelError(
            f"the model server was not ready within {timeout_s:g} s{_last_words(words)}"
        ) from None
    raise ModelError(f"the model server ended with {process.returncode}{_last_words(words)}")


def _content(ready_file: Path) -> str:
    try:
        return ready_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _last_words(words: Path) -> str:
    lines = words.read_bytes()[-_STDERR_TAIL:].decode("utf-8", "replace").strip().splitlines()
    return f": {lines[-1].strip()}" if lines else ""


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(_STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
