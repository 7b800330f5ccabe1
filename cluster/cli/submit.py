"""``fleetmind submit``: the same as ``run``, as a job of a Ray cluster."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from cluster.cli.answer import QUIET, to_markdown
from cluster.cli.console import Console, printable
from cluster.cli.options import Options
from cluster.cli.run import STDOUT, check_source, flags_of, read_goal
from cluster.kernel.errors import UsageError
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Answer, Citation, Claim, Program, Run, StepProgram, Support
from cluster.memory.knowledge.sources import check_paths
from cluster.placement.jobs import submit as jobs
from cluster.placement.jobs.files import JobRequest
from cluster.settings import load


def submit(options: Options, console: Console) -> Coroutine[object, object, int]:
    """Return the work of ``fleetmind submit``; what is wrong with its arguments is raised at once.

    Raises:
        UsageError: the goal is empty, a setting is wrong, or the knowledge can't be read.
    """
    goal = read_goal(options)
    # The address is the dashboard's, not the one that `ray.init` takes.
    configuration = load(options.config, flags_of(dataclasses.replace(options, address=None)))
    check_source(options)
    check_paths(options.knowledge)
    request = JobRequest(
        goal,
        configuration,
        options.knowledge,
        options.config,
        flags_of_job(options),
        options.address or "",
    )
    return _submit(request, options, console)


def flags_of_job(options: Options) -> tuple[str, ...]:
    """Return the flags for the run there; events for a file here come with its stdout."""
    where = ("--namespace", options.namespace) if options.namespace else ()
    if options.events not in {None, STDOUT}:
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
    if options.events not in {None, STDOUT}:
        return separated(options, console)
    is_markdown = options.events is None and not options.json
    return lambda stdout: console.write(stdout, QUIET if is_markdown else None)


def separated(options: Options, console: Console) -> Callable[[str], None]:
    """Return what writes the events to their file, and the object after them as was asked for.

    Raises:
        UsageError: the file can't be written.
    """
    path = Path(options.events or "")
    try:
        path.write_text("", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--events: {path} can't be written: {error.strerror}") from error

    def write(stdout: str) -> None:
        events, _, last = stdout.rstrip("\n").rpartition("\n")
        path.write_text(f"{events}\n" if events else "", encoding="utf-8")
        if options.json:
            console.write(f"{last}\n")
        elif last and (whole := json.loads(last))["status"] == "answered":
            console.write(to_markdown(answer_from_json(whole)), QUIET)

    return write


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
