"""What agents do in the task campaign: the real engine and journal, and handlers that only wait.

The Manager plans and composes in a moment; a step of a Researcher or Coder takes as long as a short
thought, and its effect is a line in the log, and one on a board that its task shares. Points at
which a process can be told to die lie around what is promised: ``before``, ``between`` (the effect
is there, nobody knows of it) and ``after`` (it is recorded, and what follows hasn't happened).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque
from collections.abc import Sequence

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import ClusterError, StaleEpoch
from cluster.kernel.events import Answered, Event, Failed
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import (
    Answer,
    Assignment,
    ComposeRequest,
    Finding,
    Plan,
    PlanProposal,
    PlanRequest,
    Program,
    Run,
    Step,
)
from cluster.memory.journal.redis import RedisJournal
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.redis import RedisStateLog
from cluster.memory.store.port import NO_FENCE, Fence
from cluster.memory.store.redis import RedisStore
from cluster.runtime.driver.driver import Driver
from cluster.runtime.driver.submitted import SubmittedTask
from cluster.runtime.host import Host
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.tasks.engine import TaskEngine
from cluster.runtime.tasks.freshness import StoreFreshness
from cluster.runtime.turns.handler import Handler
from cluster.runtime.turns.running_turn import RunningTurn
from tests.chaos.host_process import (
    CrashPoints,
    Opener,
    Part,
    Surroundings,
    plain_host,
)
from tests.chaos.task_board import TaskBoard, line_of

THOUGHT_S = (0.02, 0.12)
WHOLE_TASK_S = 40.0
TASKS_AT_ONCE = 64
_TICK_S = 0.02
SCOPE = ""

PLAN = Plan(
    (
        Step(StepId("r1"), "researcher", "find the first thing"),
        Step(StepId("r2"), "researcher", "find the second thing"),
        Step(StepId("c1"), "coder", "write what follows from the first", (StepId("r1"),)),
        Step(StepId("c2"), "coder", "write what follows from both", (StepId("c1"), StepId("r2"))),
    )
)


class Planner:
    """The Manager's own part: always the same plan, and an answer that names what it got."""

    async def handle(self, message: object, turn: Turn) -> object:
        """Plan or compose."""
        await asyncio.sleep(0.005)
        if isinstance(message, PlanRequest):
            return PlanProposal(PLAN)
        assert isinstance(message, ComposeRequest)
        return Answer(" ".join(f"{r.step}={type(r.value).__name__}" for r in message.results))


class WatchedJournal(RedisJournal):
    """The real journal, with a line in the log for each append and points to die around it."""

    log: Surroundings

    async def append(
        self,
        task: TaskId,
        term: int,
        index: int,
        entries: Sequence[bytes],
        *,
        is_final: bool = False,
    ) -> None:
        """Append, and note it when it is durable."""
        crash = self.log.crash
        crash.crossed("before", task=task)
        try:
            await super().append(task, term, index, entries, is_final=is_final)
        except StaleEpoch:
            self.log.log.write("fenced write", task=task, term=term)
            raise
        self.log.log.write("appended", task=task, index=index, term=term, is_final=is_final)
        crash.crossed("between", task=task)
        crash.will_cross("after", task=task)


class WatchedStore(RedisStore):
    """The real store; a step's record is noted when it is durable."""

    around: Surroundings | None = None

    async def put_once(
        self,
        name: str,
        key: str,
        epoch: int,
        value: bytes,
        ttl_s: float,
        *,
        fence: Fence = NO_FENCE,
    ) -> bool:
        """Put a record, and note whether it was taken."""
        assert self.around is not None
        is_ours = await super().put_once(name, key, epoch, value, ttl_s, fence=fence)
        task, _, step = key.rpartition("/")
        task = task.rpartition("/")[2]
        self.around.log.write("kept" if is_ours else "refused", task=task, step=step)
        self.around.crash.will_cross("after", 0.0, task=task, step=step)
        return is_ours


class Worker:
    """A Researcher or Coder: thinks for a while, has its effect, and answers."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._crash: CrashPoints = around.crash
        self._random = random.Random()
        self._again = 0

    async def handle(self, message: object, turn: Turn) -> object:
        """Do one step."""
        assert isinstance(message, Assignment)
        assert isinstance(turn, RunningTurn)
        place = {"task": turn.task, "step": message.step}
        attempt = turn.work.asked.attempt
        self._again += attempt > 1
        self._around.log.write("begun", **place, attempt=attempt)
        self._crash.crossed("before", **place)
        await asyncio.sleep(self._random.uniform(*THOUGHT_S))
        async with turn.state(TaskBoard) as board:
            line = line_of(message.step, turn.generation)
            board.said.append(line)
            board.spent += 1
        self._around.log.write("effect", **place)
        self._crash.crossed("between", **place)
        return Finding(line) if message.step.startswith("r") else Program(line, Run(0, "1\n", ""))

    async def run(self, host: Host) -> None:
        """Serve until the process is to stop."""
        await self._around.stopping.wait()

    def counts(self) -> dict[str, int]:
        """Return how many steps had been sent before."""
        return {"redelivered": self._again}


class ManagerPart:
    """A Manager's counters."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self.engine: TaskEngine | None = None

    async def run(self, host: Host) -> None:
        """Serve until the process is to stop."""
        await self._around.stopping.wait()

    def counts(self) -> dict[str, int]:
        """Return what the engine counted."""
        assert self.engine is not None
        statistics = self.engine.statistics
        return {
            "accepted": statistics.accepted,
            "adopted": statistics.adopted,
            "fenced_runs": statistics.fenced,
            "refused": statistics.refused,
        }


class Submitter:
    """The driver of a cluster: submits all the time, follows each task to its end, keeps a ledger.

    It lives in a host of its own only for the sake of its process; its tasks go through `Driver`.
    """

    def __init__(self, around: Surroundings, store: RedisStore) -> None:
        self._around = around
        self._driver = Driver(store, around.transport(), SystemClock())
        self._following: set[asyncio.Task[None]] = set()
        self._random = random.Random(around.spec["seed"])
        self._ends: Counter[str] = Counter()
        self._known: deque[SubmittedTask] = deque(maxlen=2 * TASKS_AT_ONCE)
        """The newest tasks, ended or not."""

    async def run(self, host: Host) -> None:
        """Submit at the rate until the process is to stop, then wait for every end."""
        await self._driver.open()
        storm = asyncio.ensure_future(self._storm())
        loop = asyncio.get_running_loop()
        due = loop.time()
        at_once = self._around.spec.get("at_once", TASKS_AT_ONCE)
        while not self._around.stopping.is_set():
            if loop.time() >= due and len(self._following) < at_once:
                due = max(due, loop.time() - 1.0) + 1.0 / self._around.spec["rate"]
                following = asyncio.ensure_future(self._one())
                self._following.add(following)
                following.add_done_callback(self._following.discard)
            await asyncio.sleep(_TICK_S)
        storm.cancel()
        await asyncio.gather(storm, return_exceptions=True)
        if self._following:
            await asyncio.wait(self._following, timeout=2 * WHOLE_TASK_S)
        self._around.log.write("drained", left=len(self._following))
        await self._driver.close()

    async def _one(self) -> None:
        try:
            task = await self._driver.submit("why?", collection="", timeout_s=WHOLE_TASK_S)
        except ClusterError as error:
            self._around.log.write("not submitted", error=str(error))
            return
        self._around.log.write("submitted", task=task.id)
        self._known.append(task)
        await self._follow(task)

    async def _follow(self, task: SubmittedTask) -> None:
        seen: list[Event] = []
        async for event in task:
            seen.append(event)
            if event.index:
                self._around.log.write("seen", task=task.id, kind=event.kind, index=event.index)
        ends = [event for event in seen if event.is_terminal]
        detail = ends[0].detail if ends else None
        failure = detail.failure if isinstance(detail, Failed) else None
        why = f"{failure.kind}: {failure.message}" if failure is not None else ""
        text = detail.answer.text if isinstance(detail, Answered) else ""
        kind = ends[0].kind if ends else ""
        self._ends[kind] += 1
        self._around.log.write(
            "ended",
            task=task.id,
            kind=kind,
            ends=len(ends),
            index=ends[0].index if ends else 0,
            why=why,
            text=text,
        )

    async def _storm(self) -> None:
        """Cancel tasks at random, as often as the spec says: running ones, ended ones, again."""
        count = self._around.spec.get("cancels", 0)
        if not count:
            return
        loop = asyncio.get_running_loop()
        while not self._known:  # noqa: ASYNC110 - the first task is on its way
            await asyncio.sleep(_TICK_S)
        started, done = loop.time(), 0
        while done < count:
            await asyncio.sleep(_TICK_S / 4)
            due = min(count, int((loop.time() - started) * self._around.spec["cancels_per_s"]))
            for _ in range(due - done):
                await self._random.choice(self._known).cancel("chaos")
            done = due
        self._around.log.write("storm over")

    def counts(self) -> dict[str, int]:
        """Return how tasks ended."""
        return {f"ended_{kind}": count for kind, count in self._ends.items()}


async def _open_worker(around: Surroundings) -> tuple[Host, Part]:
    worker = Worker(around)
    store = await around.store(WatchedStore)
    store.around = around
    return plain_host(around, store, lambda _: worker, 32, documents=_documents(store)), worker


def _documents(store: RedisStore) -> Documents:
    return Documents(RedisStateLog(store), SystemClock())


async def _open_manager(around: Surroundings) -> tuple[Host, Part]:
    part = ManagerPart(around)
    store = await around.store(RedisStore)
    journal = WatchedJournal(store, SCOPE)
    journal.log = around
    documents = _documents(store)

    def make(sender: Sender) -> Handler:
        part.engine = TaskEngine(
            Planner(),
            sender,
            journal,
            documents=documents,
            tasks_max=2 * TASKS_AT_ONCE,
            freshness=StoreFreshness(documents, None),
        )
        return part.engine

    return plain_host(around, store, make, 4 * TASKS_AT_ONCE, documents=documents), part


async def _open_driver(around: Surroundings) -> tuple[Host, Part]:
    store = await around.store(RedisStore)
    submitter = Submitter(around, store)
    return plain_host(around, store, lambda _: Planner(), 1), submitter


OPENERS: dict[str, Opener] = {
    "manager": _open_manager,
    "researcher": _open_worker,
    "coder": _open_worker,
    "submitter": _open_driver,
}
