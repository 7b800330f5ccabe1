"""``fleetmind run``: one goal, from the command line to the answer on stdout."""

from __future__ import annotations

import sys
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import TextIO

from cluster import Cluster
from cluster.cli.board import Thoughts
from cluster.cli.console import Console
from cluster.cli.exits import Exit, exit_of_report
from cluster.cli.following import event_lines, follow
from cluster.cli.options import Options
from cluster.cli.progress import Display, open_display
from cluster.cli.workflow import check_target, declared_workflow, dry_run, save_plan
from cluster.client import Join
from cluster.kernel.errors import ClusterError, UsageError
from cluster.kernel.feed import RUNNING
from cluster.kernel.submission import GOAL_CHARS_MAX
from cluster.memory.knowledge.names import check_namespace
from cluster.memory.knowledge.omissions import left_out_line
from cluster.memory.knowledge.reading import check_paths
from cluster.settings import Configuration, Flag, load
from cluster.workflows import Workflow


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
    _check_detached(options)
    if options.dry_run and workflow is not None:
        return dry_run(goal, workflow, options, configuration, console)
    check_paths(options.knowledge)  # before anything is started for them
    asked = Asked(goal, workflow, configuration)
    if options.detach:
        return _detached(asked, options, console, join=join)
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
        with event_lines(options.events, console) as write:
            async with cluster:
                task = await cluster.submit(
                    asked.goal,
                    knowledge=options.knowledge,
                    namespace=options.namespace or "",
                    workflow=asked.workflow,
                )
                if line := left_out_line(task.knowledge.left_out):
                    display.keep(line)
                await follow(task, display, write, options, console)
                save_plan(lambda: task.workflow, options, console)
                if options.json:
                    console.write_object(task.report.to_json())
                exit_code = exit_of_report(task.report)
    except ClusterError as error:
        if exit_code is None:
            raise
        console.note(f"after the answer: {error}")
    finally:
        display.close()
    return exit_code


def _check_detached(options: Options) -> None:
    """Refuse what only somebody who follows a task can do."""
    following = {"--events": options.events, "--save-plan": options.save_plan}
    given = [flag for flag, value in following.items() if value is not None]
    if options.detach and given:
        raise UsageError(
            f"{given[0]} and --detach exclude each other: a detached task is not followed; "
            "`fleetmind watch` does that"
        )


async def _detached(asked: Asked, options: Options, console: Console, *, join: Join | None) -> int:
    """Hand the goal to the cluster that stays, and say by which id its task is found again."""
    display = open_display(console)
    if join is None:
        from cluster.joining import join_resident as join  # with grpc and redis
    cluster = Cluster(configuration=asked.configuration, on_note=display.note, join=join)
    try:
        async with cluster:
            task = await cluster.submit(
                asked.goal,
                knowledge=options.knowledge,
                namespace=options.namespace or "",
                workflow=asked.workflow,
                detached=True,
            )
            if line := left_out_line(task.knowledge.left_out):
                display.keep(line)
    finally:
        display.close()
    if options.json:
        console.write_object({"task": task.id, "status": RUNNING})
    else:
        console.write(f"{task.id}\n")
    console.note(f"`fleetmind watch {task.id}` follows it, `fleetmind cancel {task.id}` ends it")
    return Exit.DONE


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
