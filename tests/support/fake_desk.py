"""A desk without a cluster: tasks play what a test has written, and what is asked of it is kept."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace

from fastapi import FastAPI

from cluster.kernel.clock import SystemClock
from cluster.kernel.events import Detail, Event, Failed, Spent, Submitted, WasCancelled
from cluster.kernel.feed import Cursor, TaskRecord, TaskSummary
from cluster.kernel.ids import ANSWER_STEP, NO_STEP, AgentId, IdSource, StepId, TaskId
from cluster.kernel.tasks.report import TaskReport
from cluster.kernel.vocabulary import Failure
from cluster.memory.task_records.port import KeyUse, TaskFilter
from cluster.serving.app import build_app
from cluster.serving.ingress import Ingress, OrderDefaults
from cluster.serving.ports import Caller, LimitReached, TaskOrder
from cluster.settings.values import ServeSettings


@dataclass(frozen=True)
class At:
    """A detail at a step; without it a detail is at none."""

    step: StepId
    detail: Detail
    agent: AgentId = AgentId("researcher-1")


@dataclass(frozen=True)
class Until:
    """Nothing more happens until a test says so."""

    told: asyncio.Event


Scene = Sequence[Detail | At | Until | Exception]
"""What happens after `Submitted`, which comes by itself; an exception is raised."""


def at_answer(*details: Detail) -> list[At]:
    """Details of the step that writes the answer."""
    return [At(ANSWER_STEP, detail, AgentId("manager-1")) for detail in details]


@dataclass
class _Played:
    """A task: what has happened, and its end."""

    order: TaskOrder
    task: TaskId
    is_detached: bool
    events: list[Event] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    player: asyncio.Task[None] | None = None
    error: Exception | None = None

    @property
    def is_over(self) -> bool:
        return self.error is not None or (bool(self.events) and self.events[-1].is_terminal)

    async def happen(
        self, detail: Detail, step: StepId = NO_STEP, agent: str = "manager-1"
    ) -> None:
        if self.is_over:
            return
        at_s = 0.001 * (len(self.events) + 1)
        self.events.append(Event(at_s, self.task, AgentId(agent), step, detail))
        async with self.news:
            self.news.notify_all()

    async def read(self, after: int = 0) -> AsyncIterator[tuple[int, Event]]:
        while True:
            while after < len(self.events):
                after += 1
                yield after, self.events[after - 1]
            if self.error is not None:
                raise self.error
            if self.is_over:
                return
            async with self.news:
                await self.news.wait()


class FakeLiveTask:
    """A task that is followed; closing it is remembered by its desk."""

    def __init__(self, played: _Played, desk: FakeDesk) -> None:
        self.id = played.task
        self._played = played
        self._desk = desk

    async def __aiter__(self) -> AsyncIterator[Event]:
        async for _, event in self._played.read():
            yield event

    async def close(self) -> None:
        is_left = not self._played.is_over
        await self._desk.stop(self._played, "whoever followed it has gone")
        if is_left:
            self._desk.closed.append(self.id)
        async with self._desk.news:
            self._desk.news.notify_all()


class FakeDesk:
    """Fills `Desk`; each order plays the next scene, the last one again and again."""

    def __init__(self, *scenes: Scene) -> None:
        self.scenes = list(scenes)
        self.refusal: Failure | None = None
        """Where it is set, an order is refused."""
        self.not_ready = ""
        self.orders: list[TaskOrder] = []
        self.closed: list[TaskId] = []
        """Tasks that whoever followed them has ended."""
        self.cancelled: list[tuple[TaskId, str]] = []
        self.learnt: list[tuple[str, str, str]] = []
        self.role_names: tuple[str, ...] = ("manager", "researcher", "coder")
        self.news = asyncio.Condition()
        """Told when a task has begun, and when one was closed."""
        self._ids = IdSource(SystemClock.wall, random.Random(7))
        self._played: dict[TaskId, _Played] = {}
        self._keys: dict[tuple[str, str], KeyUse] = {}

    @property
    def running(self) -> list[TaskId]:
        """Tasks that have not ended."""
        return [task for task, played in self._played.items() if not played.is_over]

    async def task_begun(self) -> None:
        """Wait for the first order."""
        async with self.news:
            await self.news.wait_for(lambda: bool(self.orders))

    async def task_closed(self) -> None:
        """Wait until a task was ended by whoever followed it."""
        async with self.news:
            await self.news.wait_for(lambda: bool(self.closed))

    def new_task(self) -> TaskId:
        return self._ids.task_id()

    async def submit(self, order: TaskOrder, task: TaskId) -> FakeLiveTask:
        return FakeLiveTask(await self._begin(order, task, is_detached=False), self)

    async def start(self, order: TaskOrder, task: TaskId) -> None:
        if task not in self._played:
            await self._begin(order, task, is_detached=True)

    async def watch(self, task: TaskId, after: Cursor) -> AsyncIterator[tuple[Cursor, Event]]:
        if task not in self._played:
            return
        async for index, event in self._played[task].read():
            cursor = Cursor(1, index)
            # A feed has no `Spent`: the record counts them.
            if cursor > after and not isinstance(event.detail, Spent):
                yield cursor, event

    async def cancel(self, task: TaskId, reason: str) -> None:
        self.cancelled.append((task, reason))
        if task in self._played:
            await self.stop(self._played[task], reason)

    async def record(self, task: TaskId) -> TaskRecord | None:
        played = self._played.get(task)
        if played is None:
            return None
        report = TaskReport(task)
        for event in played.events:
            report.observe(event)
        summary = TaskSummary(
            task,
            played.order.goal,
            report.status or "running",
            played.order.owner,
            played.is_detached,
            submitted_wall_s=1_700_000_000.0,
            ended_wall_s=1_700_000_001.0 if report.is_finished else 0.0,
        )
        return TaskRecord(summary, report_json(report))

    async def tasks(self, which: TaskFilter) -> tuple[TaskSummary, ...]:
        records = [await self.record(task) for task in sorted(self._played, reverse=True)]
        found = [each.summary for each in records if each is not None]
        return tuple(
            each
            for each in found
            if which.owner in {None, each.owner}
            and which.status in {"", each.status}
            and (not which.after or each.task < which.after)
        )[: which.tasks_max]

    async def forget(self, task: TaskId) -> None:
        played = self._played.get(task)
        if played is not None and played.is_over:
            del self._played[task]

    async def use_key(self, owner: str, key: str, use: KeyUse) -> KeyUse:
        return self._keys.setdefault((owner, key), use)

    async def learn(self, namespace: str, source: str, text: str) -> str:
        self.learnt.append((namespace, source, text))
        return f"v{len(self.learnt)}"

    async def forget_text(self, namespace: str, source: str) -> bool:
        left = [each for each in self.learnt if each[:2] != (namespace, source)]
        was_there = len(left) < len(self.learnt)
        self.learnt = left
        return was_there

    async def roles(self) -> tuple[str, ...]:
        return self.role_names

    async def why_not_ready(self) -> str:
        return self.not_ready

    async def stop(self, played: _Played, reason: str) -> None:
        """End a task that has not ended."""
        await played.happen(WasCancelled(reason))
        if played.player is not None:
            played.player.cancel()
            await asyncio.gather(played.player, return_exceptions=True)

    async def aclose(self) -> None:
        """End all tasks."""
        for played in list(self._played.values()):
            await self.stop(played, "the test is over")

    async def _begin(self, order: TaskOrder, task: TaskId, *, is_detached: bool) -> _Played:
        self.orders.append(order)
        played = self._played[task] = _Played(order, task, is_detached)
        if self.refusal is not None:
            await played.happen(Failed(self.refusal))
            return played
        scene = self.scenes.pop(0) if len(self.scenes) > 1 else self.scenes[0]
        submitted = Submitted(
            order.goal,
            order.namespace,
            1_700_000_000.0,
            1_700_000_000.0 + order.timeout_s,
            owner=order.owner,
            is_detached=is_detached,
            conversation=order.conversation,
        )
        await played.happen(submitted)
        played.player = asyncio.create_task(self._play(played, scene))
        async with self.news:
            self.news.notify_all()
        return played

    async def _play(self, played: _Played, scene: Scene) -> None:
        for item in scene:
            if isinstance(item, Until):
                await item.told.wait()
            elif isinstance(item, At):
                await played.happen(item.detail, item.step, item.agent)
            elif isinstance(item, Exception):
                played.error = item
                async with played.news:
                    played.news.notify_all()
            else:
                await played.happen(item)


class FakeGate:
    """Fills `Gate`; knows the tokens it is given."""

    def __init__(self, callers: dict[str, Caller] | None = None) -> None:
        self.callers = callers or {}
        self.reached: LimitReached | None = None
        """Where it is set, no task may begin."""
        self.counted: set[TaskId] = set()

    async def has_tokens(self) -> bool:
        return bool(self.callers)

    async def caller(self, token: str) -> Caller | None:
        return self.callers.get(token)

    async def refusal(
        self, caller: Caller, task: TaskId, until_wall_s: float
    ) -> LimitReached | None:
        if self.reached is None:
            self.counted.add(task)
        return self.reached

    async def release(self, caller: Caller, task: TaskId) -> None:
        self.counted.discard(task)


def ingress_of(desk: FakeDesk, gate: FakeGate | None = None, **settings: object) -> Ingress:
    """An ingress before a fake desk; without a gate, no token is asked for."""
    return Ingress(
        desk=desk,
        gate=gate or FakeGate(),
        settings=replace(ServeSettings(), **settings),  # type: ignore[arg-type] # by the name
        defaults=OrderDefaults(),
        clock=SystemClock(),
    )


def app_of(desk: FakeDesk, gate: FakeGate | None = None, **settings: object) -> FastAPI:
    """The application before a fake desk."""
    return build_app(ingress_of(desk, gate, **settings))


def report_json(report: TaskReport) -> str:
    """The FIXED object of a task that has ended; nothing before."""
    return json.dumps(report.to_json()) if report.is_finished else ""
