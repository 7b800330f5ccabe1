"""What a process of the cluster tells the one that started it: progress, then ready or failed.

One JSON object a line, on what was the child's standard output. Used between `resident`,
`cluster_process` and their starters; nothing else is written there.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Self

from cluster.kernel.vocabulary import Failure


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being done now, for a person."""

    text: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The cluster can be used; the dashboard's URL is empty where there is none."""

    ray_address: str
    dashboard_url: str
    agents: tuple[str, ...]


Report = Progress | Ready | Failure


def report_to_line(report: Report) -> bytes:
    """Return a report as a line."""
    return json.dumps({"report": type(report).__name__, **asdict(report)}).encode() + b"\n"


def report_from_line(line: bytes) -> Report | None:
    """Return the report in a line, None where it is something else."""
    try:
        values = json.loads(line)
        match values.pop("report"):
            case "Progress":
                return Progress(**values)
            case "Ready":
                return Ready(**{**values, "agents": tuple(values["agents"])})
            case "Failure":
                return Failure(**values)
            case _:
                return None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


class Reporter:
    """The child's end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take_over_stdout(cls) -> Self:
        """Keep standard output for reports; what others print there goes to standard error.

        Programs that this process starts don't inherit it, so that its end is the end of this one.
        """
        reports = os.dup(1)
        os.dup2(2, 1)
        return cls(reports)

    def send(self, report: Report) -> None:
        """Write a report; nothing happens where nobody reads any more."""
        with suppress(BrokenPipeError):
            os.write(self._descriptor, report_to_line(report))

    def close(self) -> None:
        """Say that no report follows; a second time changes nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
