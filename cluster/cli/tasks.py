"""``fleetmind tasks``, ``watch`` and ``cancel``: tasks that were left, found again and followed.

They attach to the cluster that is up. Where none is, the store still has what became of its tasks.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from textwrap import shorten
from typing import Protocol

from cluster.cli.board import Thoughts
from cluster.cli.console import Console, duration_text, printable
from cluster.cli.exits import Exit, exit_of_report
from cluster.cli.following import event_lines, follow
from cluster.cli.options import Options
from cluster.cli.progress import open_display
from cluster.cli.run import flags_of
from cluster.client import Note
from cluster.kernel.errors import UsageError
from cluster.kernel.events import Event, WasCancelled
from cluster.kernel.feed import RUNNING, TaskSummary
from cluster.kernel.ids import TaskId
from cluster.kernel.tasks.report import JsonObject, TaskReport
from cluster.memory.task_records.port import LISTED_MAX, TaskFilter, TaskRecords
from cluster.settings import Configuration, load
from cluster.task import SubmittedTask, Task

_ID_CHARS = 32
_ID = re.compile(f"[0-9a-f]{{1,{_ID_CHARS}}}")
_GOAL_CHARS = 60
_STATUS_CHARS = 9
_REASON = "ended with `fleetmind cancel`"


class TasksLink(Protocol):
    """An open way to a cluster's tasks, or to what is kept of them: `cluster.joining.attach`."""

    is_resident: bool
    records: TaskRecords

    async def rejoin(self, task: TaskId) -> SubmittedTask:
        """Follow a task."""
        ...

    async def cancel(self, task: TaskId, reason: str) -> Event:
        """End a task and return what it has ended with."""
        ...


Attach = Callable[[Configuration, Note], AbstractAsyncContextManager[TasksLink]]


def tasks(
    options: Options, console: Console, *, attach: Attach | None = None
) -> Coroutine[object, object, int]:
    """Return the work of ``fleetmind tasks``; raises what is wrong with the settings."""
    return _list(load(options.config, flags_of(options)), options, console, attach or _attach())


def watch(
    options: Options, console: Console, *, attach: Attach | None = None
) -> Coroutine[object, object, int]:
    """Return the work of ``fleetmind watch``.

    Raises:
        UsageError: what is given is no id, or a setting is wrong.
    """
    configuration = load(options.config, flags_of(options))
    return _watch(configuration, _checked(options.task), options, console, attach or _attach())


def cancel(
    options: Options, console: Console, *, attach: Attach | None = None
) -> Coroutine[object, object, int]:
    """Return the work of ``fleetmind cancel``; raises as `watch`."""
    configuration = load(options.config, flags_of(options))
    return _cancel(configuration, _checked(options.task), console, attach or _attach())


def _attach() -> Attach:
    from cluster import joining  # with grpc and redis

    return joining.attach


async def _list(
    configuration: Configuration, options: Options, console: Console, attach: Attach
) -> int:
    display = open_display(console)
    try:
        async with attach(configuration, display.note) as link:
            display.close()
            found = [each async for each in _all(link.records, options.status or "")]
    finally:
        display.close()
    if options.json:
        console.write_object({"tasks": [_to_json(each) for each in found]})
    else:
        console.write("".join(f"{line}\n" for line in _lines(found, options.status, time.time())))
    return Exit.DONE


async def _watch(
    configuration: Configuration, begins: str, options: Options, console: Console, attach: Attach
) -> int:
    display = open_display(console, Thoughts(options.thoughts))
    try:
        with event_lines(options.events, console) as write:
            async with attach(configuration, display.note) as link:
                task_id = _worked_on(await find_task(link.records, begins), link)
                task = Task(await link.rejoin(task_id), is_kept=True)
                try:
                    await follow(task, display, write, options, console)
                except asyncio.CancelledError:
                    console.note(f"task {task_id} goes on; `fleetmind watch` follows it again")
                    raise
                if options.json:
                    console.write_object(await _whole(link.records, task.report))
                return exit_of_report(task.report)
    finally:
        display.close()


async def _whole(records: TaskRecords, report: TaskReport) -> JsonObject:
    """Return the object of ``--json``: the record's, which lacks nothing that is kept no longer."""
    record = await records.record(report.task)
    if record is None or not record.report_json:
        return report.to_json()
    whole: JsonObject = json.loads(record.report_json)
    return whole


async def _cancel(
    configuration: Configuration, begins: str, console: Console, attach: Attach
) -> int:
    display = open_display(console)
    try:
        async with attach(configuration, display.note) as link:
            found = await find_task(link.records, begins)
            if found.status == RUNNING:
                ended = await link.cancel(_worked_on(found, link), _REASON)
                said = "cancelled" if isinstance(ended.detail, WasCancelled) else _ended(ended.kind)
            else:
                said = _ended(found.status)
    finally:
        display.close()
    console.write(f"{said} {found.task}\n")
    return Exit.DONE


def _ended(status: str) -> str:
    return f"ended already ({status}):"


def _checked(begins: str) -> str:
    """Return what is given of an id; raises UsageError where no id begins so."""
    text = begins.strip().lower()
    if not _ID.fullmatch(text):
        raise UsageError(
            f"{printable(begins)[:_ID_CHARS]!r} is no task's id: `fleetmind tasks` lists them"
        )
    return text


async def find_task(records: TaskRecords, begins: str) -> TaskSummary:
    """Return the task whose id it is, or the only one whose id begins so.

    Raises:
        UsageError: none is known, or several are.
        StoreUnavailable: the store does not answer.
    """
    if len(begins) == _ID_CHARS:
        record = await records.record(TaskId(begins))
        found: Sequence[TaskSummary] = () if record is None else (record.summary,)
    else:
        # They are listed in the order of their ids: this is beyond all that begin so.
        beyond = TaskId(begins.ljust(_ID_CHARS + 1, "f"))
        listed = await records.tasks(TaskFilter(after=beyond, tasks_max=2))
        found = [each for each in listed if each.task.startswith(begins)]
    if len(found) > 1:
        raise UsageError(f"several tasks' ids begin with {begins}: give more of it")
    if not found:
        raise UsageError(f"no task {begins} is known: `fleetmind tasks` lists those that are")
    return found[0]


def _worked_on(found: TaskSummary, link: TasksLink) -> TaskId:
    """Return the id of a task that has ended, or that somebody works on; else raises UsageError."""
    if found.status == RUNNING and not link.is_resident:
        raise UsageError(
            f"no cluster is up that works on task {found.task}: after `fleetmind up` it goes on"
        )
    return TaskId(found.task)


async def _all(records: TaskRecords, status: str) -> AsyncIterator[TaskSummary]:
    """Yield what is listed, page by page."""
    which = TaskFilter(status=status, tasks_max=LISTED_MAX)
    while page := await records.tasks(which):
        for summary in page:
            yield summary
        which = replace(which, after=TaskId(page[-1].task))


def _to_json(summary: TaskSummary) -> JsonObject:
    return {
        "task": summary.task,
        "goal": summary.goal,
        "status": summary.status,
        "owner": summary.owner,
        "detached": summary.is_detached,
        "submitted_at": summary.submitted_wall_s,
        "ended_at": summary.ended_wall_s or None,
    }


def _lines(found: Sequence[TaskSummary], status: str | None, now: float) -> Iterator[str]:
    if not found:
        yield f"no task is listed as {status}" if status else "no task was given yet"
        return
    ages = [duration_text(now - each.submitted_wall_s) for each in found]
    width = max(map(len, ages))
    for age, each in zip(ages, found, strict=True):
        goal = shorten(printable(each.goal), _GOAL_CHARS, placeholder=" ...")
        yield f"{each.task}  {age:>{width}} ago  {each.status:<{_STATUS_CHARS}}  {goal}"
