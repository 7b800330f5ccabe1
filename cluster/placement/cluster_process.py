"""``python -m cluster.placement.cluster_process --run-dir DIR``: the process of a running cluster.

Started by `cluster.placement.local_cluster`, which holds its lifeline (standard input) and reads
its reports (standard output); logs go to standard error. It ends when the lifeline is cut, however
that came about, and takes everything in its session with it.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import faulthandler
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import NoReturn

from cluster.kernel.errors import ClusterError, PlacementError
from cluster.kernel.tasks import Failure
from cluster.placement.process_table import kill_session
from cluster.placement.reports import Progress, Reporter
from cluster.wire.failure import failure_from_error

STOP_TIMEOUT_S = 15.0
_END_S = 2.0
_POLL_S = 0.005
_PR_SET_CHILD_SUBREAPER = 36

_log = logging.getLogger(__name__)


def main() -> NoReturn:
    """Run until told to stop; never returns."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m cluster.placement.cluster_process")
    parser.add_argument("--run-dir", type=Path, required=True)
    run_dir: Path = parser.parse_args().run_dir
    # For us and for what Ray starts: what is killed half-way leaves nothing elsewhere.
    tempfile.tempdir = os.environ["TMPDIR"] = str(run_dir)
    reporter = Reporter.take_over_stdout()
    lifeline = os.dup(0)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    _adopt_orphans()
    try:
        asyncio.run(_serve_and_end(run_dir, reporter, lifeline))
    finally:
        end(1, run_dir)


async def _serve_and_end(run_dir: Path, reporter: Reporter, lifeline: int) -> NoReturn:
    """Serve, then end without leaving the loop: it would wait for threads that may hang in Ray."""
    end(await serve(run_dir, reporter, lifeline), run_dir)


async def serve(run_dir: Path, reporter: Reporter, lifeline: int) -> int:
    """Start the parts, wait for the end, stop them; return the exit code."""
    is_over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, is_over.set)
    loop.add_reader(lifeline, is_over.set)
    over = asyncio.create_task(is_over.wait())
    running = asyncio.create_task(_run(run_dir, reporter, over))
    await asyncio.wait({over, running}, return_when=asyncio.FIRST_COMPLETED)
    loop.remove_reader(lifeline)  # it stays readable for good
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await running
    except TimeoutError:
        _log.error("the cluster did not stop within %g s and is killed", STOP_TIMEOUT_S)
        return 1
    except ClusterError as error:
        _log.error("%s", error)
        reporter.send(failure_from_error(error))
        return 1
    except Exception as error:  # noqa: BLE001 - contained: it is reported
        _log.exception("the cluster failed")
        reporter.send(Failure("internal", f"the cluster failed: {type(error).__name__}: {error}"))
        return 1
    return 0


async def _run(run_dir: Path, reporter: Reporter, over: asyncio.Task[bool]) -> None:
    # Ray and the client libraries take half a second to import: after the signals are in place.
    from cluster.placement.cluster_parts import ClusterParts
    from cluster.placement.request import Request

    parts = ClusterParts(Request.read(run_dir), run_dir, lambda text: reporter.send(Progress(text)))
    starting = asyncio.create_task(parts.start())
    await asyncio.wait({over, starting}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        return  # what has started so far ends with the session
    try:
        reporter.send(await starting)
    except ClusterError:
        await parts.stop()
        raise
    if await _is_lost(parts.lost(), over):
        raise PlacementError("Ray has died, and with it what restarts the agents")
    await parts.stop()


async def _is_lost(losing: Coroutine[object, object, None], over: asyncio.Task[bool]) -> bool:
    """Wait for the end, and say whether it is that of Ray."""
    lost = asyncio.create_task(losing)
    await asyncio.wait({over, lost}, return_when=asyncio.FIRST_COMPLETED)
    is_lost = lost.done()
    lost.cancel()
    await asyncio.gather(lost, return_exceptions=True)
    return is_lost


def _adopt_orphans() -> None:
    """Become the parent of what loses its own: Ray's processes leave children when killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end(code: int, run_dir: Path) -> NoReturn:
    """End this process, and before it all others of its session, and remove the run folder."""
    # Ray can hold the interpreter's lock while it waits for what is killed here (a gcs_server that
    # has not named its port yet): nothing of ours would run for 20 s. This ends us without it.
    faulthandler.dump_traceback_later(3 * _END_S, exit=True)
    if os.getsid(0) == os.getpid():
        kill_session(os.getpid(), _END_S)
    _reap(_END_S)
    logging.shutdown()
    shutil.rmtree(run_dir, ignore_errors=True)
    # Not by way of the interpreter's end, which waits for threads and for Ray.
    os._exit(code)


def _reap(timeout_s: float) -> None:
    """Wait for the killed to be gone: with no parent left to do so they would stay as zombies."""
    give_up_at = time.monotonic() + timeout_s
    try:
        while time.monotonic() < give_up_at:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(_POLL_S)
    except ChildProcessError:
        return


if __name__ == "__main__":
    main()
