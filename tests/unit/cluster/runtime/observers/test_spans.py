"""Turns of sampled tasks leave spans, one below the other, where OTEL_* names an exporter."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cluster.kernel.envelope import Kind
from cluster.kernel.errors import AgentFailed, ClusterError
from cluster.kernel.ids import AgentId, TaskId
from cluster.kernel.submission import Submission
from cluster.kernel.trace import is_sampled, new_traceparent
from cluster.kernel.turn import Turn
from cluster.runtime.observers.spans import Spans, open_spans, why_no_spans
from tests.support.hosts import MemoryCluster

AGENT = AgentId("echo-0")


async def echo(message: object, turn: Turn) -> object:
    return message


async def fail(message: object, turn: Turn) -> object:
    raise AgentFailed("no")


async def hand_on(message: object, turn: Turn) -> object:
    return await turn.ask("echo-0", message)


async def spans_of_an_ask(traceparent: str, to: str) -> Sequence[ReadableSpan]:
    """Ask an agent, and return the spans that it and others left."""
    exporter = InMemorySpanExporter()
    async with MemoryCluster() as cluster:
        for agent, answer in (("echo-0", echo), ("relay-0", hand_on), ("fail-0", fail)):
            cluster.spans[agent] = Spans(AgentId(agent), exporter)
            await cluster.add(agent, answer)
        sender = cluster.senders["fail-0"]
        envelope = sender.envelope(AgentId(to), Kind.ASK, Submission(TaskId("t"), "why not"))
        envelope.task, envelope.traceparent = TaskId("t"), traceparent
        envelope.deadline_at = sender.clock.now() + 5.0
        try:
            await sender.ask(envelope)
        except ClusterError:
            assert to == "fail-0"
    for spans in cluster.spans.values():
        spans.flush()
    found = exporter.get_finished_spans()
    for spans in cluster.spans.values():
        await spans.close()
    return found


def test_one_trace_in_a_hundred_is_sampled() -> None:
    rng = random.Random(5)
    traces = [new_traceparent(rng) for _ in range(10_000)]
    assert 70 <= sum(map(is_sampled, traces)) <= 130
    assert not is_sampled("")
    assert is_sampled(f"{traces[0][:-2]}03")


async def test_a_task_that_is_not_sampled_leaves_no_spans() -> None:
    trace = new_traceparent(random.Random(1), sampled_share=0.0)
    assert not await spans_of_an_ask(trace, "relay-0")


async def test_the_turns_of_a_sampled_task_leave_spans_one_below_the_other() -> None:
    trace = new_traceparent(random.Random(1), sampled_share=1.0)
    inner, outer = await spans_of_an_ask(trace, "relay-0")

    assert [span.name for span in (outer, inner)] == ["invoke_agent relay-0", "invoke_agent echo-0"]
    assert outer.parent is not None
    assert inner.parent is not None
    assert trace == f"00-{outer.parent.trace_id:032x}-{outer.parent.span_id:016x}-01"
    made = outer.get_span_context()
    assert made is not None
    assert inner.parent.span_id == made.span_id
    assert inner.attributes is not None
    assert inner.attributes["fleetmind.task"] == "t"
    assert outer.status.is_unset


async def test_the_span_of_a_turn_that_failed_says_so() -> None:
    [span] = await spans_of_an_ask(new_traceparent(random.Random(1), 1.0), "fail-0")
    assert not span.status.is_ok


@pytest.mark.parametrize(
    "telemetry",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_without_an_exporter_there_are_no_spans(telemetry: dict[str, str]) -> None:
    assert open_spans(AGENT, telemetry) is None


class Broken:
    """The entry point of an exporter that can't be made."""

    def load(self) -> None:
        raise ValueError("a wrong endpoint")


def test_an_exporter_that_can_not_be_made_costs_the_spans_only(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.runtime.observers.spans.entry_points", lambda **_: (Broken(),))
    with caplog.at_level(logging.WARNING):
        assert open_spans(AGENT, {"OTEL_TRACES_EXPORTER": "broken"}) is None
    assert "a wrong endpoint" in caplog.text


async def test_an_exporter_that_is_installed_is_used() -> None:
    spans = open_spans(AGENT, {"OTEL_TRACES_EXPORTER": "console"})
    assert spans is not None
    await spans.close()


@pytest.mark.parametrize(
    ("telemetry", "package"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4317"}, "otlp-proto-grpc"),
        (
            {
                "OTEL_TRACES_EXPORTER": "otlp",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            },
            "otlp-proto-http",
        ),
    ],
)
def test_an_exporter_that_is_missing_is_named(
    telemetry: dict[str, str],
    package: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cluster.runtime.observers.spans.entry_points", lambda **_: ())
    with caplog.at_level(logging.WARNING):
        assert open_spans(AGENT, telemetry) is None
    assert f"pip install opentelemetry-exporter-{package}" in caplog.text


def test_an_exporter_that_nobody_has_is_said_in_a_sentence() -> None:
    assert why_no_spans({"OTEL_TRACES_EXPORTER": "jaegr"}) == (
        "no spans: no installed package has the exporter jaegr (pip install "
        "opentelemetry-exporter-jaegr)"
    )


@pytest.mark.parametrize(
    "telemetry",
    [
        {},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_TRACES_EXPORTER": "console"},
        {"OTEL_TRACES_EXPORTER": "jaegr", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_where_there_are_spans_or_none_are_wanted_nothing_is_said(
    telemetry: dict[str, str],
) -> None:
    assert why_no_spans(telemetry) == ""
