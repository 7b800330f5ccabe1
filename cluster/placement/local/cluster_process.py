"""The process of a cluster: ``python -m cluster.placement.local.cluster_process --run-dir DIR``.

Started by `cluster.placement.local.local_cluster`, which holds its lifeline (standard input) and
reads its reports (standard output); logs go to standard error.
`cluster.placement.local.session_leader` sees to its end when the lifeline is cut, however that came
about, and takes everything in its session with it; what is here runs in its child.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import tempfile
from pathlib import Path
from typing import NoReturn

from cluster.exhaustion import why_exhausted
from cluster.kernel.errors import ClusterError, PlacementError
from cluster.kernel.vocabulary import Failure
from cluster.placement.local.handover import take_over
from cluster.placement.local.reports import Progress, Reporter
from cluster.placement.local.run_dir import make_run_dir
from cluster.placement.local.session_leader import lead
from cluster.wire.failure import failure_from_error

STOP_TIMEOUT_S = 15.0

_log = logging.getLogger(__name__)


def main() -> NoReturn:
    """Run until told to stop; never returns."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m cluster.placement.local.cluster_process")
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--request", type=int, required=True)
    options = parser.parse_args()
    run_dir: Path = options.run_dir
    request = take_over(options.request)
    reporter = Reporter.take_over_stdout()
    try:
        make_run_dir(run_dir)
    except PlacementError as error:
        reporter.send(failure_from_error(error))
        os._exit(1)
    # For us and for what Ray starts: what is killed half-way leaves nothing elsewhere.
    tempfile.tempdir = os.environ["TMPDIR"] = str(run_dir)
    lifeline = os.dup(0)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)

    def work(held: int) -> NoReturn:
        asyncio.run(_serve_and_end(request, run_dir, reporter, held))
        raise AssertionError  # it ends the process

    lead(work, lifeline, run_dir)


async def _serve_and_end(request: str, run_dir: Path, reporter: Reporter, lifeline: int) -> None:
    """Serve, then end without leaving the loop: it would wait for threads that may hang in Ray."""
    code = await serve(request, run_dir, reporter, lifeline)
    logging.shutdown()
    os._exit(code)


async def serve(request: str, run_dir: Path, reporter: Reporter, lifeline: int) -> int:
    """Start the parts, wait for the end, stop them; return the exit code."""
    is_over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, is_over.set)
    loop.add_reader(lifeline, is_over.set)
    over = asyncio.create_task(is_over.wait())
    running = asyncio.create_task(_run(request, run_dir, reporter, over))
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
        said = why_exhausted(error) or f"the cluster failed: {type(error).__name__}: {error}"
        reporter.send(Failure("internal", said))
        return 1
    return 0


async def _run(request: str, run_dir: Path, reporter: Reporter, over: asyncio.Task[bool]) -> None:
    # Ray and the client libraries take half a second to import: after the signals are in place.
    from cluster.placement.local.cluster_parts import ClusterParts
    from cluster.placement.local.request import SECRETS_FILE, StartRequest, is_stop_ordered

    asked = StartRequest.from_json(request)
    asked.secrets.write_secrets(run_dir / SECRETS_FILE)
    parts = ClusterParts(asked, run_dir, lambda text: reporter.send(Progress(text)))
    starting = asyncio.create_task(parts.start())
    await asyncio.wait({over, starting}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        return  # what has started so far ends with the session
    try:
        reporter.send(await starting)
    except ClusterError:
        await parts.stop()
        raise
    losing = asyncio.create_task(parts.lost())
    await asyncio.wait({over, losing}, return_when=asyncio.FIRST_COMPLETED)
    if losing.done():
        await losing
    losing.cancel()
    await asyncio.gather(losing, return_exceptions=True)
    await parts.stop(is_ordered=is_stop_ordered(run_dir))


if __name__ == "__main__":
    main()
