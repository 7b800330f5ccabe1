"""What jobs came to, ours and the rivals', and where their time went: plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.models.simulated.model import Timing
from benchmarks.critical_path import Span
from benchmarks.report_rivals import RunningRival

TIMING = Timing(ttft_s=0.3, tokens_per_s=50.0)
"""Of the model server."""


@dataclass(frozen=True, slots=True)
class Job:
    """One job of ours, in seconds: at the driver, and what of it nobody could have saved."""

    wall_s: float
    path_s: float


@dataclass(frozen=True, slots=True)
class Alternations:
    """What a run of alternations came to; number i of each is of the same alternation."""

    jobs: list[Job]
    rivals: Mapping[str, list[float]]
    """Seconds of each rival by its name."""
    about: Mapping[str, RunningRival]
    missing: Mapping[str, str]
    """Of the rivals that could not be run: why."""


def spans_of(
    entries: Sequence[Mapping[str, object]], tools: Sequence[Mapping[str, object]], since: float
) -> dict[str, list[Span]]:
    """Return when the model and the tools were at work for each step, by their own clocks.

    Args:
        entries: what the model server says of a task's requests.
        tools: what the tools say, of other tasks too.
        since: when the task was submitted.
    """
    spans: dict[str, list[Span]] = {}
    for entry in entries:
        headers, last = entry["headers"], entry["last_token"]
        if isinstance(headers, Mapping) and isinstance(last, float):
            received = entry["received"]
            assert isinstance(received, float)
            spans.setdefault(str(headers["X-Fleetmind-Step"]), []).append((received, last))
    for tool in tools:
        started, ended = tool["started"], tool["ended"]
        assert isinstance(started, float)
        assert isinstance(ended, float)
        if started >= since:
            spans.setdefault(str(tool["step"]), []).append((started, ended))
    return spans
