"""``fleetmind submit``: the same as ``run``, as a job of a Ray cluster."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from cluster.cli.answer import QUIET, to_markdown
from cluster.cli.board import Thoughts
from cluster.cli.console import Console, printable
from cluster.cli.following import STDOUT
from cluster.cli.options import Options
from cluster.cli.run import check_source, flags_of, read_goal
from cluster.cli.workflow import check_target, declared_workflow, dry_run, save_plan
from cluster.kernel.errors import UsageError
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import (
    Answer,
    Citation,
    Claim,
    Plan,
    Program,
    Run,
    Step,
    StepProgram,
    Support,
)
from cluster.memory.knowledge.reading import check_paths
from cluster.placement.jobs import submit as jobs
from cluster.placement.jobs.files import JobRequest
from cluster.settings import load
from cluster.workflows import Workflow


def submit(options: Options, console: Console) -> int | Coroutine[object, object, int]:
    """Return the work of ``fleetmind submit``; what is wrong with its arguments is raised at once.

    With ``--dry-run`` it is done already.

    Raises:
        UsageError: the goal is empty, a setting is wrong, or the knowledge or the workflow can't
            be read.
    """
    workflow = declared_workflow(options)
    goal = read_goal(options, workflow=workflow)
    # The address is the dashboard's, not the one that `ray.init` takes.
    configuration = load(options.config, flags_of(dataclasses.replace(options, address=None)))
    check_source(options)
    check_target(options)
    if options.dry_run and workflow is not None:
        return dry_run(goal, workflow, options, configuration, console)
    check_paths(options.knowledge)
    request = JobRequest(
        goal,
        configuration,
        options.knowledge,
        options.config,
        flags_of_job(options),
        options.address or "",
        workflow.to_toml() if workflow is not None else "",
    )
    return _submit(request, options, console)


def flags_of_job(options: Options) -> tuple[str, ...]:
    """Return the flags for the run there; events for a file here come with its stdout."""
    where: tuple[str, ...] = ("--namespace", options.namespace) if options.namespace else ()
    where += ("--thoughts", options.thoughts) if options.thoughts != Thoughts.SUMMARY else ()
    if _is_separated(options):
        return (*where, "--events", STDOUT, "--json")
    events = () if options.events is None else ("--events", STDOUT)
    return (*where, *events, "--json") if options.json else (*where, *events)


async def _submit(request: JobRequest, options: Options, console: Console) -> int:
    def on_line(line: str) -> None:
        console.err.write(printable(line, keep="\t") + "\n")
        console.err.flush()

    return await jobs.submit(request, _output(options, console), on_line)


def _output(options: Options, console: Console) -> Callable[[str], None]:
    """Return what writes the stdout of the job."""
    if _is_separated(options):
        return separated(options, console)
    is_markdown = options.events is None and not options.json
    return lambda stdout: console.write(stdout, QUIET if is_markdown else None)


def _is_separated(options: Options) -> bool:
    """Say whether something of what a job writes goes to a file here."""
    return options.events not in {None, STDOUT} or options.save_plan is not None


def separated(options: Options, console: Console) -> Callable[[str], None]:
    """Return what writes the events and the plan to their files, and the rest as was asked for.

    Raises:
        UsageError: the file of the events can't be written.
    """
    path = Path(options.events) if options.events not in {None, STDOUT} else None
    if path is not None:
        _write_events(path, "")

    def write(stdout: str) -> None:
        events, _, last = stdout.rstrip("\n").rpartition("\n")
        lines = f"{events}\n" if events else ""
        if path is not None:
            _write_events(path, lines)
        elif options.events == STDOUT:
            console.write(lines)
        if options.json:
            console.write(f"{last}\n")
        if not last:
            return
        whole = json.loads(last)
        if whole["status"] == "answered" and not (options.json or options.events == STDOUT):
            console.write(to_markdown(answer_from_json(whole)), QUIET)
        save_plan(lambda: workflow_from_json(whole, events), options, console)

    return write


def _write_events(path: Path, lines: str) -> None:
    try:
        path.write_text(lines, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--events: {path} can't be written: {error.strerror}") from error


def workflow_from_json(whole: dict[str, Any], events: str) -> Workflow | None:
    """Return the plan that the FIXED object of ``--json`` holds, with the goal of the events.

    These tell no more of a step than a model says of it.
    """
    steps = tuple(
        Step(StepId(step["id"]), step["agent"], step["instruction"], tuple(step["needs"]))
        for step in whole["plan"]["steps"]
    )
    told = [json.loads(line) for line in events.splitlines()]
    goals = [event["goal"] for event in told if event["kind"] == "submitted"]
    return Workflow(Plan(steps), *goals[:1]) if steps else None


def answer_from_json(whole: dict[str, Any]) -> Answer:
    """Return the answer that the FIXED object of ``--json`` holds."""
    citations = tuple(Citation(**citation) for citation in whole["citations"])
    programs = tuple(
        StepProgram(
            StepId(program["step"]),
            Program(
                program["source"],
                Run(program["exit_code"], program["stdout"], program["stderr"]),
                program["language"],
            ),
        )
        for program in whole["programs"]
    )
    claims = tuple(_claim(claim) for claim in whole.get("claims", ()))
    return Answer(whole["answer"], citations, programs, tuple(whole["degraded"]), claims)


def _claim(told: dict[str, Any]) -> Claim:
    """Return a claim; what backs it is never read as better than it may be."""
    is_known = told["support"] in {*Support}
    support = Support(told["support"]) if is_known else Support.UNVERIFIED
    return Claim(told["text"], support, tuple(told["citations"]), tuple(told["programs"]))
