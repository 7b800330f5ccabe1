"""Reports as lines."""

from __future__ import annotations

import os

import pytest

from cluster.kernel.vocabulary import Failure
from cluster.placement.local.reports import (
    Progress,
    Ready,
    Report,
    Reporter,
    report_from_line,
    report_to_line,
)


@pytest.mark.parametrize(
    "report",
    [
        Progress("starting Ray\nand more"),
        Ready("10.0.0.1:6379", "http://127.0.0.1:8265", ("manager-0", "coder-0")),
        Failure("store", "no store", is_retryable=True),
    ],
)
def test_a_report_comes_back_as_it_was_written(report: Report) -> None:
    line = report_to_line(report)

    assert line.count(b"\n") == 1
    assert report_from_line(line) == report


@pytest.mark.parametrize(
    "line", [b"", b"hello\n", b"[1]\n", b'{"report": "Other"}\n', b'{"report": "Ready"}\n', b"\xff"]
)
def test_what_is_no_report_is_passed_over(line: bytes) -> None:
    assert report_from_line(line) is None


def test_a_report_nobody_reads_is_not_an_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    reporter = Reporter(writing)

    reporter.send(Progress("is anybody there"))

    reporter.close()
    reporter.close()
