"""Ray's job submission client, with deadlines, one sentence an error, and the log as lines."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Self, TypeVar, cast

import aiohttp
from ray.exceptions import AuthenticationError
from ray.job_submission import JobDetails, JobSubmissionClient

from cluster.kernel.errors import PlacementError
from cluster.kernel.loopback import except_from_proxies
from cluster.placement.jobs.output import JobOutput, JobResult
from cluster.placement.ray.token import HOW_TO_GIVE, send_token

Result = TypeVar("Result")

_CALL_S = 30.0
_UPLOAD_S = 120.0
_END_S = 15.0
_POLL_S = 0.2
_RETRY_S = 1.0


class JobClient:
    """A connection to a Ray dashboard that has accepted our token."""

    def __init__(self, url: str, client: JobSubmissionClient) -> None:
        self._url = url
        self._client = client

    @classmethod
    async def connect(cls, url: str) -> Self:
        """Return a client whose dashboard has answered.

        Raises:
            PlacementError: it refuses our token, or does not answer.
        """
        for handler in logging.getLogger("ray").handlers:
            handler.setLevel(logging.ERROR)  # it would report each upload and connection
        except_from_proxies(url, os.environ)  # Ray asks `requests`, which asks the environment
        is_sent = await asyncio.to_thread(send_token)
        try:
            async with asyncio.timeout(_CALL_S):
                return cls(url, await asyncio.to_thread(JobSubmissionClient, url))
        except AuthenticationError as error:
            what = "refuses our token" if is_sent else "asks for a token"
            raise PlacementError(f"the Ray cluster at {url} {what}: {HOW_TO_GIVE}") from error
        except (TimeoutError, OSError, RuntimeError, ValueError) as error:
            raise PlacementError(f"Ray's jobs can't be used at {url}: {_first(error)}") from error

    async def run(
        self, entrypoint: str, runtime_env: dict[str, Any], on_line: Callable[[str], None]
    ) -> JobResult:
        """Run a job to its end and return its result; stopped where this is cancelled.

        Raises:
            PlacementError: it could not be started, or ended without a result.
        """
        submitting = asyncio.create_task(
            self._call(
                lambda: self._client.submit_job(entrypoint=entrypoint, runtime_env=runtime_env),
                _UPLOAD_S,
            )
        )
        output = JobOutput(on_line)
        try:
            job = await asyncio.shield(submitting)
            on_line(f"{job} is submitted; its page is {self._url}/#/jobs/{job}")
            await self._follow(job, output)
            if output.result is not None:
                return output.result  # Ray takes seconds to see that the job has ended
            details = await self._ended(job)
        except BaseException:
            await self._stop(submitting)
            raise
        output.finish()
        reason, _, _ = _first(details.message or "it left no result").partition(", last available")
        raise PlacementError(f"{job} ended as {details.status.value.lower()}: {reason}")

    async def _follow(self, job: str, output: JobOutput) -> None:
        """Hand on the log until the result or the job's end; takes up a broken connection."""
        fed = 0

        async def feed() -> None:
            nonlocal fed
            read = 0
            tail = cast("AsyncGenerator[str]", self._client.tail_job_logs(job))
            async with aclosing(tail) as pieces:
                async for piece in pieces:
                    # It begins anew with every connection.
                    output.feed(piece[max(0, fed - read) :])
                    read += len(piece)
                    fed = max(fed, read)
                    if output.result is not None:
                        return

        while True:
            try:
                await feed()
            except (RuntimeError, OSError, aiohttp.ClientError):
                if (await self._details(job)).status.is_terminal():
                    return
                await asyncio.sleep(_RETRY_S)
            else:
                return

    async def _ended(self, job: str) -> JobDetails:
        """Wait for the job's last state, which comes a little after its last line."""
        for _ in range(int(_END_S / _POLL_S)):
            details = await self._details(job)
            if details.status.is_terminal():
                return details
            await asyncio.sleep(_POLL_S)
        raise PlacementError(f"{job} has closed its log and does not end: look at {self._url}")

    async def _stop(self, submitting: asyncio.Task[str]) -> None:
        """Stop the job; one that is just being submitted can't be stopped before it is."""
        await asyncio.wait({submitting})
        if submitting.exception() is None:
            job = submitting.result()
            await self._call(lambda: self._client.stop_job(job))
            await self._ended(job)

    async def _details(self, job: str) -> JobDetails:
        return await self._call(lambda: self._client.get_job_info(job))

    async def _call(self, function: Callable[[], Result], timeout_s: float = _CALL_S) -> Result:
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.to_thread(function)
        except TimeoutError:
            raise PlacementError(
                f"the Ray dashboard at {self._url} did not answer within {timeout_s:g} s"
            ) from None
        except (OSError, RuntimeError, ValueError) as error:
            raise PlacementError(f"the Ray dashboard at {self._url}: {_first(error)}") from error


def _first(error: object) -> str:
    """Return the first line of Ray's texts, which go on with advice."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
