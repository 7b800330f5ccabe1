"""``fleetmind run``: one goal, from the command line to the answer on stdout."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TextIO

from cluster.cli.answer import QUIET, to_markdown
from cluster.cli.console import Console
from cluster.cli.exits import exit_of_error, exit_of_report
from cluster.cli.options import Options
from cluster.cli.progress import Display, open_display
from cluster.client import Cluster, Join, Task, uninterrupted
from cluster.kernel.errors import ClusterError, UsageError
from cluster.kernel.events import Event, Failed
from cluster.kernel.ids import NO_AGENT, NO_STEP, TaskId
from cluster.kernel.report import TaskReport, event_to_json
from cluster.kernel.tasks import GOAL_CHARS_MAX, Failure
from cluster.memory.sources import check_paths
from cluster.settings import Configuration, Flag, load

Write = Callable[[Event], None]
STDOUT = "-"


def run(
    options: Options, console: Console, *, join: Join | None = None, stdin: TextIO | None = None
) -> Coroutine[object, object, int]:
    """Return the work of ``fleetmind run``; what is wrong with its arguments is raised at once.

    Reads stdin here, before there is an event loop: inside one, Ctrl-C would not end the reading.

    Raises:
        UsageError: the goal is empty, a setting is wrong, or the knowledge can't be read.
    """
    goal = read_goal(options, stdin)
    configuration = load(options.config, flags_of(options))
    check_paths(options.knowledge)  # before anything is started for them
    return _answer(goal, options, configuration, console, join=join)


def read_goal(options: Options, stdin: TextIO | None = None) -> str:
    """Return the goal, from stdin where it is ``-``.

    Raises:
        UsageError: it is empty, too long or no text.
    """
    goal = options.goal
    source = stdin or sys.stdin
    try:
        if goal == "-":
            # A process that was started with a stream closed has None for it.
            goal = source.read(GOAL_CHARS_MAX + 1) if source else ""
        goal.encode()
    except UnicodeError as error:
        raise UsageError("the goal is not UTF-8 text") from error
    if not goal.strip():
        raise UsageError("the goal is empty: say what you want to know or have done")
    if len(goal) > GOAL_CHARS_MAX:
        raise UsageError(
            f"the goal has more than {GOAL_CHARS_MAX} characters: put long texts into the knowledge"
        )
    return goal


def flags_of(options: Options) -> list[Flag]:
    """Return the settings that the command line gives."""
    given = {
        "model.uri": ("--model", options.model),
        "store.redis": ("--redis", options.redis),
        "ray.address": ("--address", options.address),
        "network.host": ("--host", options.host),
        "task.deadline_s": ("--deadline", options.deadline),
    }
    return [Flag(key, value, origin) for key, (origin, value) in given.items() if value is not None]


async def _answer(
    goal: str,
    options: Options,
    configuration: Configuration,
    console: Console,
    *,
    join: Join | None,
) -> int:
    exit_code = None
    display = open_display(console)
    cluster = Cluster(configuration=configuration, on_note=display.note, join=join)
    try:
        with _event_lines(options.events, console) as write:
            async with cluster:
                task = await cluster.submit(goal, knowledge=options.knowledge)
                await _follow(task, display, write, options, console)
                display.close()
                exit_code = _report(task.report, options, console)
    except UsageError:
        raise
    except ClusterError as error:
        if exit_code is None:
            return refused(error, options, console)
        console.note(f"after the answer: {error}")
    finally:
        display.close()
    return exit_code


async def _follow(
    task: Task, display: Display, write: Write, options: Options, console: Console
) -> None:
    """Show the events to the end; an interruption cancels the task and is passed on."""
    try:
        async for event in task:
            display.observe(event)
            write(event)
    except asyncio.CancelledError:
        display.close()
        await uninterrupted(task.close())
        if options.json:
            console.write(_json_line(task.report))
        raise


def _report(report: TaskReport, options: Options, console: Console) -> int:
    if options.json:
        console.write(_json_line(report))
    elif report.answer is not None and options.events != STDOUT:
        console.write(to_markdown(report.answer), QUIET)
    if report.failure is not None:
        console.note(report.failure.message)
    return exit_of_report(report)


def refused(error: ClusterError, options: Options, console: Console) -> int:
    """Return the exit code of a task that could not be submitted; with ``--json`` print why.

    Raises:
        ClusterError: the error itself, where no object is wanted.
    """
    if not options.json:
        raise error
    report = TaskReport(TaskId(""))
    failure = Failure(error.kind, str(error))
    report.observe(Event(0.0, report.task, NO_AGENT, NO_STEP, Failed(failure)))
    console.write(_json_line(report))
    console.note(str(error))
    return exit_of_error(error)


def _json_line(report: TaskReport) -> str:
    return json.dumps(report.to_json()) + "\n"


@contextmanager
def _event_lines(target: str | None, console: Console) -> Iterator[Write]:
    """Yield what writes an event as a line of JSON to a file, to stdout, or nowhere."""
    if target is None:
        yield lambda _: None
    elif target == STDOUT:
        yield lambda event: _write_line(event, console.write)
    else:
        try:
            file = open(target, "w", encoding="utf-8", buffering=1)  # noqa: PTH123, SIM115
        except OSError as error:
            raise UsageError(f"--events: {target} can't be written: {error.strerror}") from error
        with file:
            yield lambda event: _write_line(event, file.write)


def _write_line(event: Event, write: Callable[[str], object]) -> None:
    line = event_to_json(event)
    if line is not None:
        write(json.dumps(line) + "\n")
