"""Finds the result of a run in the output of the Ray job that it was.

A job has one output, standard output and error together. A run with ``--framed`` ends its own with
one marked line, which holds what would have gone to standard output and the exit code.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

FRAME_PREFIX = "fleetmind-result: "
_LINE_CHARS_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class JobResult:
    """What the run put on standard output, and how it ended."""

    stdout: str
    exit_code: int


class JobOutput:
    """Takes the output in pieces; hands on whole lines, except the frame.

    Args:
        on_line: is told each line, without its end.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.result: JobResult | None = None
        """The last frame so far."""
        self._on_line = on_line
        self._begun = ""

    def feed(self, piece: str) -> None:
        """Take the next piece."""
        *lines, self._begun = (self._begun + piece).split("\n")
        for line in lines:
            self._take(line)
        if len(self._begun) > _LINE_CHARS_MAX:
            self.finish()

    def finish(self) -> None:
        """Take what is left as a line."""
        line, self._begun = self._begun, ""
        if line:
            self._take(line)

    def _take(self, line: str) -> None:
        result = result_of(line)
        if result is None:
            self._on_line(line)
        else:
            self.result = result


def result_of(line: str) -> JobResult | None:
    """Return the result that a line holds, None where it is another line."""
    if not line.startswith(FRAME_PREFIX):
        return None
    try:
        match json.loads(line.removeprefix(FRAME_PREFIX)):
            case {"stdout": str(stdout), "exit_code": int(exit_code)}:
                return JobResult(stdout, exit_code)
            case _:
                return None
    except ValueError:
        return None
