"""`submit`: runs a goal as a job of a Ray cluster that was started with `ray start --head`.

The job is ``python -m cluster run ... --address auto`` on the cluster's head; its log is followed
as it is written, and its result comes as the log's last line (`output`).
"""

from __future__ import annotations

import asyncio
import http.client
import os
import sys
import tempfile
import urllib.error
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cluster.kernel.errors import DeadlinePassed, PlacementError, UsageError
from cluster.kernel.loopback import is_loopback_url, opener_for
from cluster.placement.jobs.files import JobRequest, JobSpec, prepare
from cluster.placement.jobs.output import JobResult

DEFAULT_URL = "http://127.0.0.1:8265"
START_ALLOWANCE_S = 120.0
"""What a job may take on top of its task's deadline: to be uploaded, started and ended."""
_PROBE_S = 5.0


async def submit(
    request: JobRequest, write: Callable[[str], None], on_line: Callable[[str], None]
) -> int:
    """Run a goal as a Ray job and return its exit code; a cancellation stops the job.

    Args:
        request: what is wanted.
        write: gets what the run put on standard output, when it has ended.
        on_line: is told each line of the job's log as it comes.

    Raises:
        UsageError: something in the request can't be sent.
        PlacementError: no Ray dashboard answers, it refuses our token, or the job failed.
        DeadlinePassed: it took longer than its deadline and `START_ALLOWANCE_S`; it was stopped.
    """
    url = dashboard_url(request.address, os.environ)
    await asyncio.to_thread(check_dashboard, url)
    deadline_s = request.configuration.settings.task.deadline_s
    with tempfile.TemporaryDirectory(prefix="fleetmind-job-") as name:
        folder = Path(name)
        python = sys.executable if is_loopback_url(url) else "python"
        job = await asyncio.to_thread(prepare, request, folder, python)
        for note in job.notes:
            on_line(note)
        result = await _run(url, job, folder, on_line, deadline_s + START_ALLOWANCE_S)
    write(job.as_named(result.stdout))
    return result.exit_code


async def _run(
    url: str, job: JobSpec, folder: Path, on_line: Callable[[str], None], timeout_s: float
) -> JobResult:
    # Ray takes half a second to import: after everything that may be wrong before it.
    from cluster.placement.jobs.client import JobClient

    client = await JobClient.connect(url)
    runtime_env: dict[str, Any] = {"working_dir": str(folder), "env_vars": job.env_vars}
    try:
        async with asyncio.timeout(timeout_s):
            return await client.run(job.entrypoint, runtime_env, on_line)
    except TimeoutError:
        raise DeadlinePassed(
            f"the job took longer than {timeout_s:g} s, its deadline and the time to start it, "
            "and was stopped"
        ) from None


def dashboard_url(address: str, environment: Mapping[str, str]) -> str:
    """Return the URL of the dashboard: the given one, else Ray's variables, else this machine's.

    Raises:
        UsageError: it is no URL of a web server.
    """
    named = address or environment.get("RAY_API_SERVER_ADDRESS", "")
    if not named and environment.get("RAY_ADDRESS", "").startswith(("http://", "https://")):
        named = environment["RAY_ADDRESS"]
    url = (named or DEFAULT_URL).rstrip("/")
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise UsageError(
            f"{url!r} is no URL of a Ray dashboard; submit takes one such as {DEFAULT_URL}, "
            "as `ray job submit` does"
        )
    return url


def check_dashboard(url: str) -> None:
    """Return if a Ray dashboard answers, with whatever it thinks of us; blocks for some seconds.

    Ray's own client waits for an answer without a limit.

    Raises:
        PlacementError: nothing answers, or something else does.
    """
    try:
        with opener_for(url).open(f"{url}/api/version", timeout=_PROBE_S) as answer:
            is_ray = b"ray_version" in answer.read(4096)
    except urllib.error.HTTPError as error:
        with error:
            is_ray = error.code in {401, 403}  # it wants a token, which Ray's client sends
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise PlacementError(f"no Ray dashboard answers at {url}: {reason}") from error
    if not is_ray:
        raise PlacementError(f"what answers at {url} is no Ray dashboard")
