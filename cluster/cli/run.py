"""``fleetmind run``: one goal, from the command line to the answer on stdout."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from cluster import Cluster
from cluster.cli.answer import QUIET, correction_line, to_markdown
from cluster.cli.board import Thoughts
from cluster.cli.console import Console
from cluster.cli.exits import exit_of_report
from cluster.cli.options import Options
from cluster.cli.progress import Display, open_display
from cluster.cli.workflow import check_target, declared_workflow, dry_run, save_plan
from cluster.client import Join
from cluster.kernel.errors import ClusterError, UsageError
from cluster.kernel.events import Answered, Corrected, Event
from cluster.kernel.submission import GOAL_CHARS_MAX
from cluster.kernel.tasks.report import TaskReport, event_to_json
from cluster.kernel.vocabulary import Answer
from cluster.memory.knowledge.names import check_namespace
from cluster.memory.knowledge.omissions import left_out_line
from cluster.memory.knowledge.sources import check_paths
from cluster.settings import Configuration, Flag, load
from cluster.task import Task
from cluster.uninterrupted import uninterrupted
from cluster.workflows import Workflow

Write = Callable[[Event], None]
STDOUT = "-"


def run(
    options: Options, console: Console, *, join: Join | None = None, stdin: TextIO | None = None
) -> int | Coroutine[object, object, int]:
    """Return the work of ``fleetmind run``; what is wrong with its arguments is raised at once.

    With ``--dry-run`` it is done already.

    Reads stdin here, before there is an event loop: inside one, Ctrl-C would not end the reading.

    Raises:
        UsageError: the goal is empty, a setting is wrong, or the knowledge or the workflow can't
            be read.
    """
    workflow = declared_workflow(options)
    goal = read_goal(options, stdin, workflow)
    configuration = load(options.config, flags_of(options))
    check_source(options)
    check_target(options)
    if options.dry_run and workflow is not None:
        return dry_run(goal, workflow, options, configuration, console)
    check_paths(options.knowledge)  # before anything is started for them
    asked = Asked(goal, workflow, configuration)
    return _answer(asked, options, console, join=join)


def read_goal(
    options: Options, stdin: TextIO | None = None, workflow: Workflow | None = None
) -> str:
    """Return the goal, from stdin where it is ``-``, from the workflow where none is given.

    Raises:
        UsageError: it is empty, too long or no text.
    """
    goal = options.goal or (workflow.goal if workflow is not None else "")
    if workflow is not None and not goal:
        raise UsageError(f"{options.workflow}: goal is missing: give one here, or with the command")
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


def check_source(options: Options) -> None:
    """Say early what is wrong with the namespace.

    Raises:
        UsageError: it can't be called that, or paths are given beside it.
    """
    if options.namespace is not None:
        check_namespace(options.namespace)
        if options.knowledge:
            raise UsageError(
                "--knowledge and --namespace exclude each other: what --knowledge names has a "
                "namespace of its own"
            )


def flags_of(options: Options) -> list[Flag]:
    """Return the settings that the command line gives."""
    given = {
        "model.uri": ("--model", options.model),
        "store.redis": ("--redis", options.redis),
        "ray.address": ("--address", options.address),
        "network.host": ("--host", options.host),
        "task.deadline_s": ("--deadline", options.deadline),
        "task.coherence": ("--coherence", options.coherence),
        "task.tokens_max": ("--tokens-max", options.tokens_max),
        "task.cost_max": ("--cost-max", options.cost_max),
        "serve.host": ("--host", options.serve_host),
        "serve.port": ("--port", options.port),
        "serve.replicas": ("--replicas", options.replicas),
        "serve.tls_cert": ("--tls-cert", options.tls_cert),
        "serve.tls_key": ("--tls-key", options.tls_key),
    }
    return [Flag(key, value, origin) for key, (origin, value) in given.items() if value is not None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line comes to when all that it names has been read."""

    goal: str
    workflow: Workflow | None
    configuration: Configuration


async def _answer(asked: Asked, options: Options, console: Console, *, join: Join | None) -> int:
    exit_code = None
    configuration = asked.configuration
    display = open_display(console, Thoughts(options.thoughts))
    cluster = Cluster(configuration=configuration, on_note=display.note, join=join)
    try:
        if options.namespace and join is None:
            await _check_learned(options.namespace, configuration, display)
        with _event_lines(options.events, console) as write:
            async with cluster:
                task = await cluster.submit(
                    asked.goal,
                    knowledge=options.knowledge,
                    namespace=options.namespace or "",
                    workflow=asked.workflow,
                )
                if line := left_out_line(task.knowledge.left_out):
                    display.keep(line)
                await _follow(task, display, write, options, console)
                save_plan(lambda: task.workflow, options, console)
                exit_code = exit_of_report(task.report)
                if options.json:
                    console.write_object(task.report.to_json())
    except ClusterError as error:
        if exit_code is None:
            raise
        console.note(f"after the answer: {error}")
    finally:
        display.close()
    return exit_code


async def _check_learned(namespace: str, configuration: Configuration, display: Display) -> None:
    """Say before anything else is started that a namespace isn't there: Ray alone takes seconds.

    Raises:
        UsageError: it isn't.
        StoreUnavailable: the store does not answer, or can't be started.
    """
    from cluster.joining import open_store
    from cluster.memory.knowledge.catalog import adopt_collection
    from cluster.memory.knowledge.forgetting import known_namespace
    from cluster.memory.namespaces.redis import RedisNamespaces

    async with open_store(configuration, display.note) as store:
        namespaces = RedisNamespaces(store)
        await adopt_collection(store, namespaces)
        await known_namespace(namespaces, namespace)


async def _follow(
    task: Task, display: Display, write: Write, options: Options, console: Console
) -> None:
    """Show the events to the end; an interruption cancels the task and is passed on."""
    said = Answer("")
    try:
        async for event in task:
            write(event)
            if isinstance(event.detail, Corrected):
                # Markdown is out already, and is not printed again.
                console.note(correction_line(event.detail, said))
                continue
            display.observe(event)
            if event.is_terminal:
                display.close()
                # As it was: the report may have corrections in it by now, which follow here.
                said = event.detail.answer if isinstance(event.detail, Answered) else said
                _tell_end(said, task.report, options, console)
    except asyncio.CancelledError:
        display.close()
        await uninterrupted(task.close())
        if options.json:
            console.write_object(task.report.to_json())
        raise


def _tell_end(answer: Answer, report: TaskReport, options: Options, console: Console) -> None:
    """Print what a task has ended with; its JSON waits for what corrects the answer."""
    if report.answer is not None and not options.json and options.events != STDOUT:
        console.write(to_markdown(answer), QUIET)
    if report.failure is not None:
        console.note(report.failure.message)


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
