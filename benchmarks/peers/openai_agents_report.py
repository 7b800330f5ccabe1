"""'report' on the OpenAI Agents SDK, orchestrated from code: a run of an agent for each step."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.peers.report_job import (
    GOAL,
    PARTS,
    STEP_HEADER,
    Job,
    Step,
    in_parallel,
    serve,
    steps_of,
)

# The SDK's package has the name of one in this checkout, which is to be looked through last.
sys.path.sort(key=lambda folder: (Path(folder) / "benchmarks").is_dir())
sdk: Any = importlib.import_module("agents")

HOW = "the whole plan first, Runner.run for each step with asyncio, no tracing, uvloop"


async def say(job: Job, role: str, step: str, text: str) -> str:
    """Return what an agent of the SDK says."""
    agent = sdk.Agent(
        name=role,
        instructions=PARTS[role],
        model=sdk.OpenAIChatCompletionsModel(model=job.workload, openai_client=job.client),
        model_settings=sdk.ModelSettings(extra_headers={STEP_HEADER: step}),
    )
    return str((await sdk.Runner.run(agent, text)).final_output)


async def run_job(job: Job) -> str:
    """Return the answer."""

    async def do_step(step: Step, results: Sequence[str]) -> str:
        asked = await job.begin(step, results)
        return await job.end(step, await say(job, step.agent, step.id, asked))

    plan = steps_of(await say(job, "manager", "plan", GOAL))
    results = await in_parallel(plan, do_step)
    return await say(job, "manager", "answer", "\n\n".join((GOAL, *results.values())))


if __name__ == "__main__":
    sdk.set_tracing_disabled(True)
    uvloop.run(serve({"version": version("openai-agents"), "how": HOW}, run_job))
