"""What stays after `up`: ``python -m cluster.placement.resident.process``.

Holds a `LocalCluster` open until SIGTERM or SIGINT, or until it ends by itself; until `up` lets it
go, it ends with `up`. As the starter of the cluster's process it notices that one's death and
cleans up after it, and the other way round; so even SIGKILL to either leaves nothing behind but
what the store has: the next cluster has the same scope there, and goes on with the tasks.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import fcntl
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.kernel.errors import ClusterError, UsageError
from cluster.memory.kept_scope import kept_scope
from cluster.placement.local.child_process import LET_GO
from cluster.placement.local.handover import take_over
from cluster.placement.local.local_cluster import LocalCluster
from cluster.placement.local.process_table import ProcessId
from cluster.placement.local.reports import Progress, Reporter
from cluster.placement.local.request import StartRequest
from cluster.placement.resident.file import ResidentRecord, remove_file, state_dir, write_file
from cluster.settings import Configuration
from cluster.wire.failure import failure_from_error

ALREADY_UP = "a cluster is up already on this machine; `fleetmind down` stops it"
OWN_SCOPE = (
    "another cluster of yours runs on the same data folder: the tasks of this one are not found "
    "any more when it has ended"
)
_LIFELINE = 0
_log = logging.getLogger(__name__)


def main() -> int:
    """Stay until told to leave; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m cluster.placement.resident.process")
    parser.add_argument("--request", type=int, required=True)
    text = take_over(parser.parse_args().request)
    reporter = Reporter.take_over_stdout()
    try:
        request = StartRequest.from_json(text)
        configuration = Configuration(request.settings, request.secrets)
        with _only_one(), kept_scope() as scope:
            if not scope:
                reporter.send(Progress(OWN_SCOPE))
            secrets = dataclasses.replace(configuration.secrets, scope=scope)
            configuration = dataclasses.replace(configuration, secrets=secrets)
            asyncio.run(_stay(configuration, reporter))
    except ClusterError as error:
        _log.error("%s", error)
        reporter.send(failure_from_error(error))
        return 1
    except asyncio.CancelledError:
        _log.info("stopped")
    return 0


async def _stay(configuration: Configuration, reporter: Reporter) -> None:
    """Run the cluster until this task is cancelled, which the first signal does."""
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None

    def leave(reason: str) -> None:
        _log.info("stopping on %s", reason)
        for handled in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(handled, lambda: None)  # stopping is not interrupted
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, leave, number.name)

    def look() -> None:
        loop.remove_reader(_LIFELINE)
        if os.read(_LIFELINE, len(LET_GO)) != LET_GO:
            leave("the end of `up`")

    loop.add_reader(_LIFELINE, look)

    def say(text: str) -> None:
        _log.info("%s", text)
        reporter.send(Progress(text))

    async with LocalCluster(
        configuration, on_progress=say, has_dashboard=True, is_resident=True
    ) as cluster:
        write_file(_resident(cluster))
        try:
            reporter.send(cluster.ready)
            reporter.close()
            _log.error("the cluster has died, the reason: %s", await cluster.ended())
        finally:
            remove_file()


def _resident(cluster: LocalCluster) -> ResidentRecord:
    own = ProcessId.of(os.getpid())
    assert own is not None
    return ResidentRecord(
        process=own,
        session=cluster.process,
        since_s=time.time(),
        settings_json=cluster.settings.public_json(),
        secrets_path=str(cluster.secrets_path),
        ray_address=cluster.ready.ray_address,
        dashboard_url=cluster.ready.dashboard_url,
        agents=cluster.ready.agents,
    )


@contextmanager
def _only_one() -> Iterator[None]:
    """Hold this machine's lock; the kernel lets go of it however this process ends.

    Raises:
        UsageError: another resident cluster holds it.
    """
    with (state_dir() / "lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(ALREADY_UP) from None
        yield


if __name__ == "__main__":
    sys.exit(main())
