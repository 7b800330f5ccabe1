"""'report' by hand with asyncio: the plan first, then each step as soon as its needs are there."""

from __future__ import annotations

import platform

import uvloop

from benchmarks.peers.report_job import Job, in_parallel, serve

HOW = "the whole plan first, a task for each step, uvloop"


async def run_job(job: Job) -> str:
    """Return the answer."""
    results = await in_parallel(await job.plan(), job.do_step)
    return await job.answer(list(results.values()))


if __name__ == "__main__":
    uvloop.run(serve({"version": platform.python_version(), "how": HOW}, run_job))
