"""A task that is followed to its end: its events shown and written, its answer printed.

Used by ``fleetmind run``, which ends the task when it is interrupted, and by ``fleetmind watch``,
which leaves it running.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from cluster.cli.answer import QUIET, correction_line, to_markdown
from cluster.cli.console import Console
from cluster.cli.options import Options
from cluster.cli.progress import Display
from cluster.kernel.errors import UsageError
from cluster.kernel.events import Answered, Corrected, Event
from cluster.kernel.feed import Gap
from cluster.kernel.tasks.report import JsonObject, TaskReport, event_to_json
from cluster.kernel.vocabulary import Answer
from cluster.task import Task
from cluster.uninterrupted import uninterrupted

Write = Callable[[Event], None]
STDOUT = "-"


async def follow(
    task: Task, display: Display, write: Write, options: Options, console: Console
) -> None:
    """Show the events to the end; an interruption closes the task and is passed on.

    Raises:
        ClusterError: it is followed no longer, and has not ended by then.
    """
    said = Answer("")
    try:
        async for event in task:
            write(event)
            if isinstance(event.detail, Corrected):
                # Markdown is out already, and is not printed again.
                console.note(correction_line(event.detail, said))
                continue
            if isinstance(event.detail, Gap):
                display.keep(_missing(event.detail))
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
            console.write_object(so_far(task.report))
        raise


def so_far(report: TaskReport) -> JsonObject:
    """Return the object of ``--json``; the status of a task that goes on is ``running``."""
    return report.to_json() if report.is_finished else {**report.to_json(), "status": "running"}


def _missing(gap: Gap) -> str:
    if not gap.before:
        return "what happened is no longer kept, only what it came to"
    return f"a part of what happened is no longer kept: after {gap.after}, before {gap.before}"


def _tell_end(answer: Answer, report: TaskReport, options: Options, console: Console) -> None:
    """Print what a task has ended with; its JSON waits for what corrects the answer."""
    if report.answer is not None and not options.json and options.events != STDOUT:
        console.write(to_markdown(answer), QUIET)
    if report.failure is not None:
        console.note(report.failure.message)


@contextmanager
def event_lines(target: str | None, console: Console) -> Iterator[Write]:
    """Yield what writes an event as a line of JSON to a file, to stdout, or nowhere.

    Where the file takes no more, as on a full disk, that is said, and the answer still comes.

    Raises:
        UsageError: the file can't be written from the start.
    """
    if target is None:
        yield lambda _: None
    elif target == STDOUT:
        yield lambda event: _write_line(event, console.write)
    else:
        file = _EventFile(target, console)
        try:
            yield lambda event: _write_line(event, file.write)
        finally:
            file.close()


class _EventFile:
    """A file that is written to as long as it can be."""

    def __init__(self, path: str, console: Console) -> None:
        self._path = path
        self._console = console
        self._handle: int | None = None
        try:
            self._handle = os.open(
                path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666
            )
        except OSError as error:
            raise UsageError(f"--events: {path} can't be written: {error.strerror}") from error

    def write(self, text: str) -> None:
        left = memoryview(text.encode())
        try:
            while left and self._handle is not None:
                left = left[os.write(self._handle, left) :]
        except OSError as error:
            self.close()
            self._console.note(
                f"--events: {self._path} can't be written any more ({error.strerror}): the events "
                "that follow are not in it"
            )

    def close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            with suppress(OSError):  # nothing that was written is told of only now, but on NFS
                os.close(handle)


def _write_line(event: Event, write: Callable[[str], object]) -> None:
    line = event_to_json(event)
    if line is not None:
        write(json.dumps(line) + "\n")
