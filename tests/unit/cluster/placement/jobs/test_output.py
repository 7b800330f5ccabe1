"""The result in a job's output."""

from __future__ import annotations

import json

import pytest

from cluster.placement.jobs.output import JobOutput, JobResult

FRAME = 'fleetmind-result: {"stdout": "answer\\n", "exit_code": 3}\n'


def test_lines_are_handed_on_and_the_frame_is_kept() -> None:
    lines: list[str] = []
    output = JobOutput(lines.append)

    output.feed(f"one\ntwo\n{FRAME}")

    assert lines == ["one", "two"]
    assert output.result == JobResult("answer\n", 3)


@pytest.mark.parametrize("size", [1, 7, 30])
def test_it_makes_no_difference_where_the_output_is_cut(size: int) -> None:
    lines: list[str] = []
    output = JobOutput(lines.append)
    whole = f"one\n\ntwo\n{FRAME}three"

    for start in range(0, len(whole), size):
        output.feed(whole[start : start + size])
    output.finish()

    assert lines == ["one", "", "two", "three"]
    assert output.result == JobResult("answer\n", 3)


@pytest.mark.parametrize(
    "rest", ["", "{", "[]", '{"stdout": 1, "exit_code": 0}', '{"stdout": "", "exit_code": "0"}']
)
def test_what_only_looks_like_a_frame_is_a_line(rest: str) -> None:
    lines: list[str] = []
    output = JobOutput(lines.append)

    output.feed(f"fleetmind-result: {rest}\n")

    assert output.result is None
    assert len(lines) == 1


def test_a_frame_inside_of_a_line_is_none() -> None:
    output = JobOutput(lambda _: None)

    output.feed(f"he said: {FRAME}")

    assert output.result is None


def test_the_last_frame_counts() -> None:
    output = JobOutput(lambda _: None)

    output.feed("fleetmind-result: " + json.dumps({"stdout": "forged", "exit_code": 0}) + "\n")
    output.feed(FRAME)

    assert output.result == JobResult("answer\n", 3)
