"""What is sent because of an envelope says so, and belongs to the same step of the same task."""

from __future__ import annotations

from cluster.kernel.envelope import Envelope, Kind, Lane, Trust
from cluster.kernel.ids import AgentId, EnvelopeId, StepId, TaskId

ASKER, AGENT = AgentId("manager-0"), AgentId("coder-0")
ASKED = Envelope(
    EnvelopeId(b"a" * 16),
    ASKER,
    AGENT,
    Kind.ASK,
    "example",
    b"question",
    task=TaskId("t"),
    step=StepId("s"),
    deadline_at=5.0,
    trust=Trust.USER,
    traceparent="00-trace",
)


def about(kind: Kind, deadline_at: float | None = None) -> Envelope:
    return Envelope.about(
        ASKED,
        EnvelopeId(b"b" * 16),
        AGENT,
        recipient=ASKER,
        kind=kind,
        message=("example", b"answer"),
        deadline_at=deadline_at,
    )


def test_an_answer_is_of_the_task_step_and_trace_that_was_asked_and_names_its_cause() -> None:
    reply = about(Kind.REPLY)

    assert (reply.task, reply.step, reply.traceparent) == ("t", "s", "00-trace")
    assert reply.cause == ASKED.id
    assert reply.lane is Lane.REPLY


def test_what_an_agent_sends_has_a_deadline_and_a_trust_of_its_own() -> None:
    assert about(Kind.REPLY).deadline_at is None
    assert about(Kind.ASK, 3.0).deadline_at == 3.0
    assert about(Kind.ASK).trust is Trust.AGENT


def test_each_kind_goes_on_its_own_lane() -> None:
    assert about(Kind.CANCEL).lane is Lane.CONTROL
    assert about(Kind.ASK).lane is Lane.WORK
