"""What ``run`` and ``submit`` do with workflows: read, show when it runs, save a plan as one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cluster.cli.console import Console
from cluster.cli.exits import Exit
from cluster.cli.options import Options
from cluster.kernel.errors import UsageError
from cluster.kernel.ids import StepId
from cluster.kernel.tasks.workflow import check_staffed
from cluster.kernel.vocabulary import Coherence, Role
from cluster.settings import Configuration
from cluster.workflows import Workflow
from cluster.workflows.forecast import Forecast, ForecastStep

ScheduleRow = tuple[str, str, str, str, str]
"""A line of the schedule."""
_UNKNOWN = "?"
_SHOWN_NEEDS_MAX = 5


def declared_workflow(options: Options) -> Workflow | None:
    """Return the workflow that the command line names, with its inputs; None where it names none.

    Raises:
        UsageError: it can't be read, or flags don't go together.
    """
    if options.workflow is None:
        lonely = {"--input": options.inputs, "--dry-run": options.dry_run}
        for flag, is_given in lonely.items():
            if is_given:
                raise UsageError(f"{flag} is of a workflow: give --workflow FILE too")
        return None
    if options.save_plan is not None:
        raise UsageError(
            "--save-plan saves the plan that a model makes; with --workflow none makes one"
        )
    return Workflow.load(options.workflow, **_inputs(options.inputs))


def _inputs(given: Sequence[str]) -> dict[str, str]:
    """Return the values by name; raises UsageError where one has none, or two."""
    values: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise UsageError(f"--input: {text!r} is not written NAME=VALUE")
        if name in values:
            raise UsageError(f"--input: {name} is given twice")
        values[name] = value
    return values


# ---- saving --------------------------------------------------------------------------------------


def check_target(options: Options) -> None:
    """Say before anything is started that the plan can't be saved there.

    Raises:
        UsageError: there is no such folder, or nothing may be written into it.
    """
    if options.save_plan is None:
        return
    path = Path(options.save_plan)
    target = path if path.exists() else path.parent
    if path.is_dir() or not os.access(target, os.W_OK):
        raise UsageError(f"--save-plan: {path} can't be written")


def save_plan(made: Callable[[], Workflow | None], options: Options, console: Console) -> None:
    """Write the plan of a task where that was asked for; what goes wrong then is only a note.

    Its answer is paid for, and is not lost for a file.
    """
    if options.save_plan is None:
        return
    try:
        workflow = made()
        if workflow is None:
            console.note("--save-plan: the task ended before it had a plan")
        else:
            workflow.save(options.save_plan)
    except UsageError as error:
        console.note(f"--save-plan: {error}")


# ---- the schedule --------------------------------------------------------------------------------


def dry_run(
    goal: str, workflow: Workflow, options: Options, configuration: Configuration, console: Console
) -> int:
    """Print when which step would run, the critical path and the predicted time; start nothing."""
    settings = configuration.settings
    is_broadcast = Coherence(settings.task.coherence) is Coherence.BROADCAST
    forecast = workflow.forecast(is_broadcast=is_broadcast)
    if options.json:
        console.write_object({"goal": goal, **schedule_object(forecast)})
    else:
        console.write("\n".join(schedule_lines(goal, forecast)) + "\n")
    try:
        check_staffed(workflow.plan, [Role(name, "") for name in settings.agents])
    except UsageError as error:
        # The cluster that it is for may have other settings.
        console.note(f"with these settings it would fail: {error}")
    return Exit.DONE


def schedule_object(forecast: Forecast) -> dict[str, object]:
    """Return the schedule for programs; a time that is not known is null."""
    return {
        "steps": [
            {
                "id": each.step.id,
                "agent": each.step.agent,
                "needs": list(each.step.needs),
                "starts_s": each.starts_s if each.is_start_known else None,
                "ends_s": each.ends_s if each.is_end_known else None,
            }
            for each in forecast.steps
        ],
        "critical_path": list(forecast.critical_path),
        "predicted_s": None if forecast.unknown else forecast.predicted_s,
        "unknown": list(forecast.unknown),
    }


def schedule_lines(goal: str, forecast: Forecast) -> Iterator[str]:
    """Yield the schedule for people; the steps of the critical path are marked with a star."""
    rows: list[ScheduleRow] = [("  starts", "    ends", "  step", "agent", "needs")]
    rows += [_row(each, each.step.id in forecast.critical_path) for each in forecast.steps]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    yield f"Goal: {' '.join(goal.split())}"
    yield ""
    for row in rows:
        cells = zip(row, widths, strict=True)
        yield "  ".join(cell.ljust(width) for cell, width in cells).rstrip()
    yield ""
    yield f"Critical path: {' -> '.join(forecast.critical_path)}"
    yield _prediction(forecast)


def _row(each: ForecastStep, is_critical: bool) -> ScheduleRow:
    starts = _seconds(each.starts_s, is_known=each.is_start_known)
    ends = _seconds(each.ends_s, is_known=each.is_end_known)
    step = each.step
    agents = "/".join((step.agent, *step.alternatives))
    return starts, ends, f"{'* ' if is_critical else '  '}{step.id}", agents, _listed(step.needs)


def _seconds(seconds: float, *, is_known: bool) -> str:
    return f"{seconds:7.2f}s" if is_known else _UNKNOWN.rjust(8)


def _prediction(forecast: Forecast) -> str:
    after = "then the Manager writes the answer"
    if not forecast.unknown:
        return f"Predicted time: {forecast.predicted_s:.2f} s, {after}"
    if len(forecast.unknown) == len(forecast.steps):
        return "Predicted time: not known, for it is not said how long any step takes (expected_s)"
    said = "is not said how long" if len(forecast.unknown) == 1 else "is not said how long each of"
    return (
        f"Predicted time: at least {forecast.predicted_s:.2f} s, {after}; it {said} "
        f"{_listed(forecast.unknown)} takes (expected_s)"
    )


def _listed(names: Sequence[StepId]) -> str:
    more = f" and {len(names) - _SHOWN_NEEDS_MAX} more" if len(names) > _SHOWN_NEEDS_MAX else ""
    return ", ".join(names[:_SHOWN_NEEDS_MAX]) + more
