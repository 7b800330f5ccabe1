"""'report' on AutoGen's runtime in one process: agents that a manager sends its steps to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import uvloop
from autogen_core import AgentId, BaseAgent, SingleThreadedAgentRuntime

from benchmarks.peers.report_job import Job, Step, in_parallel, serve

HOW = "the whole plan first, send_message for each step, one process, uvloop"
MANAGER = AgentId("manager", "default")


@dataclass
class Order:
    """What a worker gets; without a step, the manager's own job."""

    job: Job
    step: Step | None = None
    results: Sequence[str] = ()


class Member(BaseAgent):
    """Does a step, or as the manager has it done."""

    async def on_message_impl(self, message: Any, ctx: object) -> Any:  # noqa: ARG002 - its port
        """Return what it comes to."""
        job = message.job
        if message.step is not None:
            return await job.do_step(message.step, message.results)

        async def do_step(step: Step, results: Sequence[str]) -> str:
            order = Order(job, step, results)
            return str(await self.send_message(order, AgentId(step.agent, "default")))

        results = await in_parallel(await job.plan(), do_step)
        return await job.answer(list(results.values()))


async def run_job(job: Job) -> str:
    """Return the answer."""
    runtime = SingleThreadedAgentRuntime()
    for role in ("manager", "researcher", "coder"):
        await Member.register(runtime, role, lambda: Member(""))
    runtime.start()
    try:
        return str(await runtime.send_message(Order(job), MANAGER))
    finally:
        await runtime.stop()


if __name__ == "__main__":
    os.environ["AUTOGEN_DISABLE_RUNTIME_TRACING"] = "true"
    uvloop.run(serve({"version": version("autogen-core"), "how": HOW}, run_job))
