"""What goes on in a run: Managers that have steps done, people that edit, readers that look."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cluster.kernel.envelope import Envelope, Kind
from cluster.kernel.errors import StaleEpoch, StoreUnavailable
from cluster.kernel.ids import AgentId, EnvelopeId, IdSource, StepId, TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.kernel.vocabulary import Assignment, Finding
from cluster.runtime.tasks.settling import Settling
from tests.simulation.ledger import CODEC
from tests.simulation.loop import Process
from tests.simulation.state.board import COMMON, OWN, Place, left_by
from tests.simulation.state.ledger import step_name
from tests.simulation.state.people import Person, Reader
from tests.simulation.state.replica import Replica
from tests.simulation.state.world import DRIVER, HOSTS, MANAGERS, StateWorld

TASKS = (1, 3)
STEPS = (1, 4)
EDITS = (1, 3)
OWN_SHARE = 0.5
"""Of the edits of steps: those of their own task's board."""
ASK_S = 4.0
PATIENCE_S = (0.1, 1.5)
"""So long a Manager waits for an answer until it asks somebody else as well."""
STALE_SHARE = 0.15
"""Of the results: those that were made from what has changed since, and are wanted anew."""
RETRY_S = (0.01, 0.3)
LATE_S = (0.05, 2.0)
WAY_S = (0.0001, 0.002)
ADOPTED_S = 0.8
"""So often it is looked whose task has nobody any more."""
KEPT_S = 1000.0
SWEEP_S = 0.5

Result = TypeVar("Result")


@dataclass(slots=True)
class TaskPlan:
    """A task: its steps, and how it stands."""

    task: TaskId
    at: float
    steps: dict[StepId, tuple[Place, ...]]
    is_parallel: bool
    owner: Process | None = None
    owning: Owning | None = None
    is_over: bool = False


def tasks(seed: int, horizon_s: float) -> list[TaskPlan]:
    """Return the tasks of a run."""
    rng = random.Random(f"state tasks {seed}")
    made = []
    for number in range(rng.randint(*TASKS)):
        steps = {
            StepId(f"s{at}"): tuple(
                OWN if rng.random() < OWN_SHARE else rng.choice(COMMON)
                for _ in range(rng.randint(*EDITS))
            )
            for at in range(1, rng.randint(*STEPS) + 1)
        }
        begins_at = rng.uniform(0.0, horizon_s * 0.6)
        made.append(TaskPlan(TaskId(f"t{number}"), begins_at, steps, rng.random() < 0.6))
    return made


class Work:
    """The tasks, people and readers of a run."""

    def __init__(self, world: StateWorld, seed: int) -> None:
        self._world = world
        self.tasks = tasks(seed, world.horizon_s)
        self.person = Person(world, seed, [each.task for each in self.tasks])
        self._replicas: dict[Process, Replica] = {}
        self._settling: dict[Process, Settling] = {}
        self._asked: dict[EnvelopeId, tuple[Process, asyncio.Future[Finding]]] = {}
        self._ownings: dict[Process, list[asyncio.Task[None]]] = {}
        world.on_start = self.begin
        world.on_leave = self.end
        world.on_answer = self._on_answer
        for each in self.tasks:
            world.later(each.at, self._care_for, each)

    @property
    def is_over(self) -> bool:
        """Say whether everybody has done all they wanted to."""
        return all(each.is_over for each in self.tasks) and not self.person.left

    def begin(self, process: Process) -> None:
        """Give a process its work."""
        loop = self._world.loop
        if process.name in HOSTS:
            self._replicas[process] = process.context.run(Replica, self._world, process)
        if process.name == DRIVER:
            loop.create_task(self.person.run(process), context=process.context)
        if process.name in MANAGERS:
            loop.create_task(self._sweep(process), context=process.context)
        else:
            loop.create_task(Reader(self._world, process).run(), context=process.context)

    def end(self, process: Process) -> Awaitable[None] | None:
        """Return what has to end before a process leaves."""
        for owning in self._ownings.pop(process, []):
            owning.cancel()
        if process in self._settling:
            return self._settling[process].close()
        replica = self._replicas.get(process)
        return replica.stop() if replica is not None else None

    def settling(self, process: Process) -> Settling:
        """Return what a Manager's process has yet to tell the logs."""
        if process not in self._settling:
            documents = self._world.documents[process]
            self._settling[process] = Settling(documents, self._world.clock)
        return self._settling[process]

    async def _sweep(self, process: Process) -> None:
        """Tell the logs, again and again, what nobody has told them."""
        settling, store = self.settling(process), self._world.store(process)
        while self._world.is_serving(process):
            with contextlib.suppress(StoreUnavailable):
                await settling.sweep(store, await store.open_tasks(), KEPT_S)
            await asyncio.sleep(SWEEP_S)

    # ---- tasks -----------------------------------------------------------------------------

    def _care_for(self, plan: TaskPlan) -> None:
        """Have a task owned by somebody who lives, and isn't silent."""
        if plan.is_over or self._world.is_ending:
            return
        owner = plan.owner
        is_cared_for = owner is not None and owner.is_alive and not owner.is_frozen
        serving = [self._world.running[name] for name in MANAGERS if name in self._world.running]
        if not is_cared_for and serving:
            process = plan.owner = self._world.rng.choice(serving)
            owning = plan.owning = Owning(self, self._world, process, plan)
            running = self._world.loop.create_task(owning.run(), context=process.context)
            self._ownings.setdefault(process, []).append(running)
        self._world.later(ADOPTED_S, self._care_for, plan)

    def ask(
        self,
        asker: Owning,
        task: TaskId,
        assignment: Assignment,
        answered: asyncio.Future[Finding],
    ) -> str:
        """Ask a replica for a step, or try to; return the name of its host."""
        world = self._world
        name = world.rng.choice(HOSTS)
        message = CODEC.encode(assignment)
        sender = AgentId(asker.process.name)
        deadline_at = world.loop.time() + ASK_S
        for _ in range(1 + world.faults.happens("ask doubled")):
            asked = Envelope(
                asker.ids.envelope_id(),
                sender,
                AgentId(f"writer-{name[-1]}"),
                Kind.ASK,
                *message,
                task=task,
                step=assignment.turn_step,
                deadline_at=deadline_at,
            )
            self._asked[asked.id] = (asker.process, answered)
            self._send("ask", self._deliver, name, asked)
        return name

    def _send(self, what: str, arrive: Callable[..., None], *arguments: object) -> None:
        happens = self._world.faults.happens
        if happens(f"{what} lost"):
            return
        bounds = LATE_S if happens(f"{what} late") else WAY_S
        self._world.later(self._world.rng.uniform(*bounds), arrive, *arguments)

    def _deliver(self, name: str, asked: Envelope) -> None:
        process = self._world.running.get(name)
        if process is not None:
            replica = self._replicas[process]
            self._world.loop.call_soon(replica.ask, asked, context=process.context)

    def _on_answer(self, asked: Envelope, answer: object) -> None:
        self._send("answer", self._arrive, asked, answer)

    def _arrive(self, asked: Envelope, answer: object) -> None:
        asker, answered = self._asked[asked.id]
        if not isinstance(answer, Finding):
            return  # a failure: its asker asks again when it has waited long enough

        def take() -> None:
            if not answered.done():
                answered.set_result(answer)

        self._world.loop.call_soon(take, context=asker.context)


class Owning:
    """A Manager's ownership of a task: has its steps done, journals them, and ends it."""

    def __init__(self, work: Work, world: StateWorld, process: Process, plan: TaskPlan) -> None:
        self._work = work
        self._world = world
        self.process = process
        self._plan = plan
        self._random = random.Random(f"{process} {plan.task} {world.rng.random()}")
        self.ids = IdSource(world.clock.wall, self._random)
        self._store = world.store(process)
        self._settling = work.settling(process)
        self._journaling = asyncio.Lock()
        self._term = self._length = 0
        self._redone: set[StepId] = set()

    async def run(self) -> None:
        """Do what is left of the task, unless somebody else takes it over."""
        plan, world = self._plan, self._world
        owner = Owner(AgentId(self.process.name), world.epochs[self.process.name])
        ownership = await self._surely(lambda: self._store.claim(plan.task, owner))
        self._term, self._length = ownership.term, len(ownership.entries)
        finished = [json.loads(entry) for entry in ownership.entries]
        world.note(self.process, f"owns {plan.task}, {len(finished)} steps done")
        done = {entry[0] for entry in finished}
        self._redone = {entry[1] for entry in finished if entry[0] == "redo"}
        for step in done & plan.steps.keys():
            self._settling.step_ended(plan.task, step)
        left = [step for step in plan.steps if step not in done]
        try:
            await self._finish_all(left)
            if "end" not in done:
                await self._append(["end"], is_final=True)
        except StaleEpoch:
            # Maybe to a claim of its own that took effect late.
            world.note(self.process, f"owns {plan.task} no more")
            if plan.owning is self:
                plan.owner = None
            return
        self._settling.task_ended(plan.task, KEPT_S)
        plan.is_over = True

    async def _finish_all(self, steps: Sequence[StepId]) -> None:
        if not self._plan.is_parallel:
            for step in steps:
                await self._finish(step)
            return
        finishing = [asyncio.ensure_future(self._finish(step)) for step in steps]
        try:
            await asyncio.gather(*finishing)
        finally:
            for each in finishing:
                each.cancel()
            await asyncio.gather(*finishing, return_exceptions=True)

    async def _finish(self, step: StepId) -> None:
        """Have a step done, and journal what it came to."""
        result = await self._asked(step, redo=step in self._redone)
        if step not in self._redone and self._random.random() < STALE_SHARE:
            await self._append(["redo", step])
            self._redone.add(step)
            result = await self._asked(step, redo=True)
        left = left_by(result)
        await self._append([step, left])
        self._world.ledger.on_journaled(step_name(self._plan.task, step), left)
        self._world.note(self.process, f"journaled {step} of {self._plan.task}: {left}")
        self._settling.step_ended(self._plan.task, step)

    async def _asked(self, step: StepId, *, redo: bool) -> Finding:
        answered: asyncio.Future[Finding] = asyncio.get_running_loop().create_future()
        while not answered.done():
            instruction = json.dumps(self._plan.steps[step])
            assignment = Assignment(step, instruction, "a goal", redo=int(redo))
            host = self._work.ask(self, self._plan.task, assignment, answered)
            self._world.note(self.process, f"asks {host} for {step} of {self._plan.task}")
            await asyncio.wait([answered], timeout=self._random.uniform(*PATIENCE_S))
        return answered.result()

    async def _append(self, entry: object, *, is_final: bool = False) -> None:
        async with self._journaling:
            data = [json.dumps(entry).encode()]
            task, term, index = self._plan.task, self._term, self._length + 1
            await self._surely(
                lambda: self._store.append(task, term, index, data, is_final=is_final)
            )
            self._length = index

    async def _surely(self, call: Callable[[], Awaitable[Result]]) -> Result:
        while True:
            try:
                return await call()
            except StoreUnavailable:
                await asyncio.sleep(self._random.uniform(*RETRY_S))
