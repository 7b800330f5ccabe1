"""The workloads 'report' and 'uneven' as any framework does them: what is said, looked up and run.

Runs under the peers' own interpreters: the standard library and the `openai` client only. All
programs share the calls below, so that they differ by how they order them and by nothing else: the
same model server, a look-up of 100 ms before each research step, each program run in the same
sandbox, which the measuring process serves on a unix socket.

A program is started with the model server's URL and that socket's path. It prints one line of JSON
that says what it is; for each line ``WORKLOAD`` or ``WORKLOAD COUNT AT-ONCE`` on its standard input
it does the job so often, once without a count, so many beside each other, and prints one line of
JSON: the seconds of each, and the answers that differ.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from openai import AsyncOpenAI

GOAL = "Write a report on the market with a program that adds up its table."
SEARCH_S = 0.1
"""What looking something up takes; the bench's own knowledge takes the same."""
STEP_HEADER = "X-Fleetmind-Step"
"""By which the model server knows what it is asked for."""
TASK_HEADER = "X-Fleetmind-Task"
PARTS = {
    "manager": "You are the Manager of a team of agents.",
    "researcher": "You are the Researcher. Answer the question from the passages.",
    "coder": "You are the Coder. Write one complete Python 3 program.",
}
T = TypeVar("T")
_FENCED = re.compile(r"```python\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Step:
    """One step of the plan."""

    id: str
    agent: str
    instruction: str
    needs: tuple[str, ...]


def steps_of(plan: str) -> list[Step]:
    """Return the steps of a whole plan."""
    return [step_of(each) for each in json.loads(plan)["steps"]]


def step_of(read: Mapping[str, object]) -> Step:
    """Return the step that an object of the plan describes."""
    needs = read["needs"]
    assert isinstance(needs, list)
    return Step(str(read["id"]), str(read["agent"]), str(read["instruction"]), tuple(needs))


class Job:
    """One workload's calls."""

    def __init__(self, client: AsyncOpenAI, workload: str, sandbox: str) -> None:
        self.client = client
        self.workload = workload
        self._sandbox = sandbox

    def messages(self, role: str, text: str) -> list[dict[str, str]]:
        """Return a prompt."""
        return [{"role": "system", "content": PARTS[role]}, {"role": "user", "content": text}]

    async def say(self, role: str, step: str, text: str) -> str:
        """Return what the model says, as one answer."""
        reply = await self.client.chat.completions.create(
            model=self.workload,
            messages=self.messages(role, text),  # type: ignore[arg-type]  # plain dictionaries
            extra_headers={STEP_HEADER: step},
        )
        return str(reply.choices[0].message.content)

    async def said(self, role: str, step: str, text: str) -> AsyncIterator[str]:
        """Give what the model says piece by piece."""
        stream: Any = await self.client.chat.completions.create(
            model=self.workload,
            messages=self.messages(role, text),  # type: ignore[arg-type]  # plain dictionaries
            extra_headers={STEP_HEADER: step},
            stream=True,
        )
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content

    async def plan(self) -> list[Step]:
        """Have the model plan; return the steps when all of it is there."""
        return steps_of(await self.say("manager", "plan", GOAL))

    async def do_step(self, step: Step, results: Sequence[str]) -> str:
        """Look up, ask the model, and run what it wrote."""
        asked = await self.begin(step, results)
        return await self.end(step, await self.say(step.agent, step.id, asked))

    async def begin(self, step: Step, results: Sequence[str]) -> str:
        """Look up what a research step needs; return what to ask the model."""
        if step.agent == "researcher":
            await asyncio.sleep(SEARCH_S)
        return "\n\n".join((step.instruction, *results))

    async def end(self, step: Step, said: str) -> str:
        """Return a finding as it is, of a program what it printed."""
        if step.agent != "coder":
            return said
        fenced = _FENCED.search(said)
        assert fenced is not None
        return await self._run(fenced[1])

    async def answer(self, results: Sequence[str]) -> str:
        """Have the model write the answer."""
        return await self.say("manager", "answer", "\n\n".join((GOAL, *results)))

    async def _run(self, source: str) -> str:
        reader, writer = await asyncio.open_unix_connection(self._sandbox)
        try:
            writer.write(json.dumps(source).encode() + b"\n")
            return str(json.loads(await reader.readline()))
        finally:
            writer.close()


async def in_parallel(
    steps: Sequence[Step], do: Callable[[Step, Sequence[str]], Awaitable[str]]
) -> dict[str, str]:
    """Do steps with asyncio, each as soon as what it needs is there; return their results."""
    running: dict[str, asyncio.Task[str]] = {}

    async def run(step: Step) -> str:
        return await do(step, [await running[need] for need in step.needs])

    for step in steps:
        running[step.id] = asyncio.create_task(run(step))
    return {step: await task for step, task in running.items()}


async def at_once(do: Callable[[], Awaitable[T]], count: int, width: int) -> list[T]:
    """Do something so often, so many beside each other; the next begins as one ends."""
    numbers = iter(range(count))

    async def worker() -> list[T]:
        return [await do() for _ in numbers]

    parts = await asyncio.gather(*(worker() for _ in range(width)))
    return [done for part in parts for done in part]


async def serve(about: Mapping[str, str], run_job: Callable[[Job], Awaitable[str]]) -> None:
    """Do the jobs of each workload that is named, until standard input ends."""
    base_url, sandbox = sys.argv[1:3]
    print(json.dumps(about), flush=True)
    async with AsyncOpenAI(base_url=base_url, api_key="none") as client:

        async def timed(workload: str) -> tuple[float, str]:
            of_task = client.copy(default_headers={TASK_HEADER: uuid.uuid4().hex})
            started = time.perf_counter()
            answer = await run_job(Job(of_task, workload, sandbox))
            return time.perf_counter() - started, answer

        while line := await asyncio.to_thread(sys.stdin.readline):
            workload, *batch = line.split()
            count, width = map(int, batch or (1, 1))
            done = await at_once(partial(timed, workload), count, width)
            seconds, answers = zip(*done, strict=True)
            told = {"seconds": seconds, "answers": sorted(set(answers))}
            print(json.dumps(told), flush=True)
