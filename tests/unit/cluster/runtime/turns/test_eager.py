"""Jobs that wait for nothing share a task, and none of them can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass

from cluster.runtime.turns.eager import JOBS_PER_TASK, SharedTasks
from tests.support.hosts import until

LEFT_BEHIND: ContextVar[str] = ContextVar("left_behind", default="nothing")


@dataclass(eq=False)
class Work:
    """A job that does what it is given."""

    do: Callable[[], Awaitable[None]]
    task: asyncio.Task[None] | None = None


class Jobs:
    """Shared tasks, and what became of their jobs."""

    def __init__(self) -> None:
        self.ended: list[Work] = []
        self.cancelled: list[Work] = []
        self.waited: list[Work] = []
        self.tasks = SharedTasks(self._run, self.waited.append, "job")

    async def _run(self, work: Work) -> None:
        try:
            await work.do()
        except asyncio.CancelledError:
            self.cancelled.append(work)
        self.ended.append(work)

    def start(self, *jobs: Work) -> None:
        for each in jobs:
            self.tasks.start(each)

    async def end(self) -> None:
        await self.tasks.wait(5.0)


async def nothing() -> None:
    """Ends without waiting."""


async def test_jobs_that_wait_for_nothing_run_in_order_in_one_task() -> None:
    jobs = Jobs()
    works = [Work(nothing) for _ in range(10)]

    jobs.start(*works)
    await jobs.end()

    assert jobs.ended == works
    assert len({id(work.task) for work in works}) == 1
    assert jobs.waited == []


async def test_a_job_that_waits_holds_up_no_other() -> None:
    jobs, release = Jobs(), asyncio.Event()

    async def wait() -> None:
        await release.wait()

    waiting = [Work(wait) for _ in range(100)]
    quick = Work(nothing)

    jobs.start(*waiting, quick)
    passes = 0
    while quick not in jobs.ended:
        await asyncio.sleep(0)
        passes += 1

    assert passes < 20
    assert jobs.waited == waiting
    assert len({id(work.task) for work in waiting}) == 100
    release.set()
    await jobs.end()
    assert len(jobs.ended) == 101


async def test_cancelling_a_job_that_waits_ends_that_one_only() -> None:
    jobs = Jobs()

    async def wait() -> None:
        await asyncio.Event().wait()

    before, waiting, after = Work(nothing), Work(wait), Work(nothing)
    jobs.start(before, waiting, after)
    await until(lambda: after in jobs.ended)

    assert waiting.task is not None
    waiting.task.cancel()
    await jobs.end()

    assert jobs.cancelled == [waiting]
    assert len(jobs.ended) == 3


async def test_a_job_sees_nothing_of_what_another_left_in_its_task() -> None:
    jobs, seen = Jobs(), []

    async def leave_something() -> None:
        LEFT_BEHIND.set("something")

    async def leave_a_cancellation() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    async def look() -> None:
        seen.append(LEFT_BEHIND.get())
        await asyncio.sleep(0)

    jobs.start(Work(leave_something), Work(look), Work(leave_a_cancellation), Work(look))
    await jobs.end()

    assert seen == ["nothing", "nothing"]
    assert jobs.cancelled == []


async def test_many_jobs_let_the_event_loop_do_other_things_in_between() -> None:
    jobs, ended, most = Jobs(), 0, 0
    works = [Work(nothing) for _ in range(3 * JOBS_PER_TASK)]

    jobs.start(*works)
    while ended < len(works):
        await asyncio.sleep(0)
        most = max(most, len(jobs.ended) - ended)
        ended = len(jobs.ended)

    assert most <= JOBS_PER_TASK


async def test_a_job_may_start_another() -> None:
    jobs = Jobs()
    last = Work(nothing)

    async def start_last() -> None:
        jobs.start(last)

    jobs.start(Work(start_last))
    await jobs.end()

    assert last in jobs.ended


async def test_waiting_for_jobs_has_an_end() -> None:
    jobs = Jobs()
    release = asyncio.Event()

    async def wait() -> None:
        await release.wait()

    jobs.start(Work(wait))
    await jobs.tasks.wait(0.01)

    assert jobs.ended == []
    release.set()
    await jobs.end()
