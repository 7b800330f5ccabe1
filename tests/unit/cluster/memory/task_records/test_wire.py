"""What is stored of a task reads back as it was."""

from __future__ import annotations

import pytest

from cluster.kernel.errors import WireError
from cluster.kernel.feed import StepThoughts, TaskRecord, TaskSummary
from cluster.memory.task_records.wire import (
    record_from_bytes,
    record_to_bytes,
    summary_from_bytes,
    summary_to_bytes,
)

SUMMARY = TaskSummary("t", "why?", "answered", "tool", True, 1.5, 2.25)  # noqa: FBT003 - in their order
RUNNING = TaskSummary("t", "", "running")
THOUGHTS = (StepThoughts("a", "researcher-0", "…", is_reasoning=True), StepThoughts("", "m", "\0"))


@pytest.mark.parametrize("summary", [SUMMARY, RUNNING])
def test_a_summary_reads_back_as_it_was(summary: TaskSummary) -> None:
    assert summary_from_bytes(summary_to_bytes(summary)) == summary


@pytest.mark.parametrize(
    "record", [TaskRecord(SUMMARY, '{"a": 1}', THOUGHTS), TaskRecord(RUNNING, "")]
)
def test_a_record_reads_back_as_it_was(record: TaskRecord) -> None:
    assert record_from_bytes(record.summary, record_to_bytes(record)) == record


def test_what_is_none_of_ours_is_a_wire_error() -> None:
    with pytest.raises(WireError, match="summary"):
        summary_from_bytes(b"\xff")
    with pytest.raises(WireError, match="record of task t"):
        record_from_bytes(SUMMARY, b"\xff")
