"""'report' on LlamaIndex workflows: an event for each step that can begin, sixteen workers."""

from __future__ import annotations

from importlib.metadata import version

import uvloop
from workflows import Context, Workflow, step
from workflows.events import Event, StartEvent, StopEvent

from benchmarks.peers.report_job import Job, Step, serve

HOW = "the whole plan first, ready steps by send_event, uvloop"
WORKERS = 16


class Ready(Event):
    """A step can begin."""

    step: Step
    results: list[str]


class Done(Event):
    """The plan is there, or a step has ended."""

    step: str
    result: str


class Report(Workflow):
    """Plans, does the steps and answers."""

    def __init__(self, job: Job) -> None:
        super().__init__(timeout=120)
        self._job = job
        self._steps: list[Step] = []
        self._begun: set[str] = set()
        self._results: dict[str, str] = {}

    @step
    async def plan(self, _: StartEvent) -> Done:
        """Have the model plan."""
        self._steps = await self._job.plan()
        return Done(step="", result="")

    @step(num_workers=WORKERS)
    async def work(self, order: Ready) -> Done:
        """Do one step."""
        result = await self._job.do_step(order.step, order.results)
        return Done(step=order.step.id, result=result)

    @step
    async def go_on(self, ctx: Context, done: Done) -> Ready | StopEvent | None:
        """Begin what can begin, answer when all is done."""
        if done.step:
            self._results[done.step] = done.result
        if len(self._results) == len(self._steps):
            results = [self._results[each.id] for each in self._steps]
            return StopEvent(result=await self._job.answer(results))
        for each in self._steps:
            if each.id not in self._begun and all(need in self._results for need in each.needs):
                self._begun.add(each.id)
                results = [self._results[need] for need in each.needs]
                ctx.send_event(Ready(step=each, results=results))
        return None


async def run_job(job: Job) -> str:
    """Return the answer."""
    return str(await Report(job).run())


if __name__ == "__main__":
    about = {"version": version("llama-index-workflows"), "how": HOW}
    uvloop.run(serve(about, run_job))
