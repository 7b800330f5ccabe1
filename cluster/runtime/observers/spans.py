"""Spans of turns, for the share of tasks whose trace is sampled: OpenTelemetry, as OTEL_* says.

Without an exporter named there, nothing is loaded and nothing is made. What an exporter can't
take is dropped: spans wait in a bounded queue of their own thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from cluster.kernel.envelope import Envelope
from cluster.kernel.ids import AgentId

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

_log = logging.getLogger(__name__)

_EXPORTERS = "opentelemetry_traces_exporter"
"""The group of entry points under which exporters are installed."""
CLOSE_S = 2.0


class Spans:
    """Makes the spans of one agent's turns. Closing it exports what waits."""

    def __init__(self, agent: AgentId, exporter: SpanExporter) -> None:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON
        from opentelemetry.trace import StatusCode
        from opentelemetry.trace.propagation import tracecontext

        name = os.environ.get("OTEL_SERVICE_NAME", "fleetmind")
        resource = Resource.create({"service.name": name, "service.instance.id": agent})
        self._provider = TracerProvider(ALWAYS_ON, resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("fleetmind")
        self._context = tracecontext.TraceContextTextMapPropagator()
        self._failed = StatusCode.ERROR
        self._agent = agent

    def begin(self, asked: Envelope) -> Span:
        """Begin the span of a turn whose trace is sampled; what the turn sends is its child."""
        carrier = {"traceparent": asked.traceparent}
        span = self._tracer.start_span(
            f"invoke_agent {self._agent}",
            self._context.extract(carrier),
            attributes={
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": self._agent,
                "fleetmind.message": asked.body_type,
                "fleetmind.task": asked.task,
                "fleetmind.step": asked.step,
                "fleetmind.attempt": asked.attempt,
            },
        )
        made = span.get_span_context()
        asked.traceparent = f"00-{made.trace_id:032x}-{made.span_id:016x}-{made.trace_flags:02x}"
        return span

    def end(self, span: Span, *, has_failed: bool) -> None:
        """End the span of a turn."""
        if has_failed:
            span.set_status(self._failed)
        span.end()

    async def close(self) -> None:
        """Export what waits, for two seconds at most; an exporter that hangs is left behind."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await asyncio.to_thread(self._provider.shutdown)

    def flush(self) -> None:
        """Export what waits."""
        self._provider.force_flush(round(CLOSE_S * 1000))


def open_spans(agent: AgentId, telemetry: Mapping[str, str]) -> Spans | None:
    """Return what makes an agent's spans, None where the OTEL_* variables name no exporter."""
    name = _exporter_of(telemetry)
    if not name:
        return None
    found = _installed(name)
    if found is None:
        _log.warning(why_no_spans(telemetry))
        return None
    for variable, value in telemetry.items():
        os.environ.setdefault(variable, value)  # the exporter reads its own
    try:
        make: Callable[[], SpanExporter] = found.load()
        return Spans(agent, make())
    except Exception as error:  # noqa: BLE001 - whatever an exporter raises, agents work without
        _log.warning("no spans: the exporter %s can't be used: %s", name, error)
        return None


def why_no_spans(telemetry: Mapping[str, str]) -> str:
    """Say that the exporter which the OTEL_* variables name is missing; empty where it isn't."""
    name = _exporter_of(telemetry)
    if not name or _installed(name):
        return ""
    package = f"opentelemetry-exporter-{name.replace('_', '-')}"
    return f"no spans: no installed package has the exporter {name} (pip install {package})"


def _exporter_of(telemetry: Mapping[str, str]) -> str:
    """Return under which name the exporter is installed; empty where none is wanted."""
    name = telemetry.get("OTEL_TRACES_EXPORTER", "")
    if not name and any(each.endswith("ENDPOINT") for each in telemetry):
        name = "otlp"
    if name == "none" or telemetry.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return ""
    if name == "otlp":
        protocol = telemetry.get("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        return f"otlp_proto_{protocol.partition('/')[0]}"
    return name


def _installed(name: str) -> EntryPoint | None:
    return next(iter(entry_points(group=_EXPORTERS, name=name)), None)
