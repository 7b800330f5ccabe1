"""What a stream of chunks comes to, without a connection."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.models.endpoint import stream_reading
from agents.models.endpoint.stream_reading import StreamReading
from agents.models.endpoint.too_long import TooLong
from agents.models.endpoint.trouble import Endpoint, Trouble
from agents.models.port import Delta, Finish

SSE = "text/event-stream"


@pytest.fixture
def reading() -> StreamReading:
    return StreamReading(Endpoint("http://models.example/v1", "m", ""))


def event(**chunk: Any) -> bytes:
    return f"data: {json.dumps(chunk)}\n\n".encode()


def said(text: str, field: str = "content", reason: str | None = None) -> bytes:
    return event(choices=[{"delta": {field: text}, "finish_reason": reason}])


def test_deltas_come_as_they_are_and_the_finish_counts_them(reading: StreamReading) -> None:
    deltas = list(
        reading.feed(said("Hm.", "reasoning_content") + said("Ni") + said("ne", reason="stop"))
    )

    assert deltas == [Delta("Hm.", is_reasoning=True), Delta("Ni"), Delta("ne")]
    assert reading.finish(SSE) == Finish("stop", 0, 3)


def test_usage_after_the_finish_reason_is_what_was_used(reading: StreamReading) -> None:
    list(reading.feed(said("Nine", reason="length")))
    list(reading.feed(event(choices=[], usage={"prompt_tokens": 7, "completion_tokens": 2})))

    assert reading.finish(SSE) == Finish("length", 7, 2)


def test_what_an_endpoint_had_read_before_is_a_part_of_the_prompt(reading: StreamReading) -> None:
    usage = {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 9}}
    list(reading.feed(said("Nine", reason="stop") + event(choices=[], usage=usage)))

    assert reading.finish(SSE).cached_tokens == 7


def test_a_length_that_is_told_in_the_stream_is_no_failure_of_the_endpoint(
    reading: StreamReading,
) -> None:
    with pytest.raises(Trouble) as failed:
        list(reading.feed(event(error={"message": "loaded with context length of only 7866"})))

    assert failed.value.is_askers_fault
    assert failed.value.length == TooLong(7_866)


def test_nothing_counts_after_the_end_mark(reading: StreamReading) -> None:
    deltas = list(reading.feed(said("Nine", reason="stop") + b"data: [DONE]\n\n" + said("!")))

    assert deltas == [Delta("Nine")]
    assert reading.is_done


def test_what_was_said_before_an_error_is_heard_before_it(reading: StreamReading) -> None:
    deltas = reading.feed(said("Nine") + event(error={"message": "out of memory"}))

    assert next(deltas) == Delta("Nine")
    with pytest.raises(Trouble) as failed:
        next(deltas)
    assert failed.value.what.endswith("reported an error instead of going on (out of memory)")


def test_a_stream_that_only_keeps_its_connection_alive_has_said_nothing(
    reading: StreamReading,
) -> None:
    list(reading.feed(b": processing\n\n"))

    assert reading.chunks == 0
    with pytest.raises(Trouble, match="ended its stream without an answer"):
        reading.finish(SSE)


def test_a_body_without_end_is_trouble(
    reading: StreamReading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_reading, "BODY_BYTES_MAX", 10)

    with pytest.raises(Trouble, match="for one answer"):
        list(reading.feed(b"x" * 11))


def test_an_event_without_end_is_trouble_and_those_before_it_are_heard(
    reading: StreamReading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_reading, "EVENT_BYTES_MAX", 10)
    deltas = reading.feed(said("Nine") + b"data: " + b"x" * 10)

    assert next(deltas) == Delta("Nine")
    with pytest.raises(Trouble, match="for one event"):
        next(deltas)
