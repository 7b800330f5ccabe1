"""Records of tasks <-> protobuf: the only place that converts them.

Called by `cluster.memory.task_records.redis`; nothing of protobuf goes further inward.
"""

from __future__ import annotations

from google.protobuf.message import DecodeError

from cluster.kernel.errors import WireError
from cluster.kernel.feed import StepThoughts, TaskRecord, TaskSummary
from protos.v1 import memory_pb2


def summary_to_bytes(summary: TaskSummary) -> bytes:
    """Serialise a summary."""
    return memory_pb2.TaskSummary(
        task=summary.task,
        goal=summary.goal,
        status=summary.status,
        owner=summary.owner,
        is_detached=summary.is_detached,
        submitted_wall_s=summary.submitted_wall_s,
        ended_wall_s=summary.ended_wall_s,
    ).SerializeToString()


def summary_from_bytes(data: bytes) -> TaskSummary:
    """Parse a summary.

    Raises:
        WireError: the bytes are none.
    """
    try:
        read = memory_pb2.TaskSummary.FromString(data)
    except DecodeError as error:
        raise WireError("the store holds a task's summary that can't be read") from error
    return TaskSummary(
        read.task,
        read.goal,
        read.status,
        read.owner,
        read.is_detached,
        read.submitted_wall_s,
        read.ended_wall_s,
    )


def record_to_bytes(record: TaskRecord) -> bytes:
    """Serialise a record without its summary, which is stored beside it."""
    made = memory_pb2.TaskRecord(report_json=record.report_json)
    for each in record.thoughts:
        made.thoughts.add(
            step=each.step, agent=each.agent, text=each.text, is_reasoning=each.is_reasoning
        )
    return made.SerializeToString()


def record_from_bytes(summary: TaskSummary, data: bytes) -> TaskRecord:
    """Parse a record and put it together with its summary.

    Raises:
        WireError: the bytes are none.
    """
    try:
        read = memory_pb2.TaskRecord.FromString(data)
    except DecodeError as error:
        raise WireError(f"the record of task {summary.task} can't be read") from error
    thoughts = tuple(
        StepThoughts(each.step, each.agent, each.text, each.is_reasoning) for each in read.thoughts
    )
    return TaskRecord(summary, read.report_json, thoughts)
