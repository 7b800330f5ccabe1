"""What a stream of chunks comes to, without a connection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from agents.models.endpoint import stream_reading
from agents.models.endpoint.stream_reading import StreamReading
from agents.models.endpoint.too_long import TooLong
from agents.models.endpoint.trouble import Endpoint, Trouble
from agents.models.port import Deed, Delta, Finish, Note, Restarted, StreamItem
from tests.streams.index import RECORDED, Recorded

SSE = "text/event-stream"
DONE = b"data: [DONE]\n\n"


@pytest.fixture
def reading() -> StreamReading:
    return StreamReading(Endpoint("http://models.example/v1", "m", ""))


def event(**chunk: Any) -> bytes:
    return f"data: {json.dumps(chunk)}\n\n".encode()


def said(text: object, field: str = "content", reason: str | None = None) -> bytes:
    return event(choices=[{"delta": {field: text}, "finish_reason": reason}])


def read(*blocks: bytes, kind: str = SSE) -> tuple[list[StreamItem], Trouble | None]:
    """All items of a body, and the trouble that it ends with."""
    reading = StreamReading(Endpoint("http://models.example/v1", "m", ""))
    items: list[StreamItem] = []
    try:
        for block in blocks:
            items += reading.feed(block)
        items += reading.finish(kind)
    except Trouble as trouble:
        return items, trouble
    return items, None


def texts(items: Sequence[StreamItem], *, is_reasoning: bool = False) -> str:
    """The text of some items that is not void, or the reasoning."""
    void = max((at for at, item in enumerate(items) if isinstance(item, Restarted)), default=0)
    said = (item for item in items[void:] if isinstance(item, Delta))
    return "".join(item.text for item in said if item.is_reasoning == is_reasoning)


def finish_of(*blocks: bytes) -> Finish:
    items, _ = read(*blocks)
    assert isinstance(items[-1], Finish)
    return items[-1]


# ---- recorded streams --------------------------------------------------------------------------


def check(recorded: Recorded, *blocks: bytes) -> None:
    items, trouble = read(*blocks, kind=recorded.content_type)

    assert texts(items) == recorded.text
    assert texts(items, is_reasoning=True) == recorded.reasoning
    if recorded.finish is not None:
        assert trouble is None
        assert items[-1] == recorded.finish
    else:
        assert trouble is not None
        assert recorded.trouble in trouble.what
        assert trouble.is_retryable == recorded.is_retryable


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda each: each.file)
def test_each_providers_stream_is_read_as_it_is_meant(recorded: Recorded) -> None:
    check(recorded, recorded.body)


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda each: each.file)
def test_a_stream_says_the_same_wherever_its_bytes_are_cut(recorded: Recorded) -> None:
    body = recorded.body
    for at in range(0, len(body), 29):
        check(recorded, body[:at], body[at:])
    check(recorded, *(body[at : at + 1] for at in range(len(body))))


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda each: each.file)
@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
def test_a_stream_says_the_same_whatever_ends_its_lines(
    recorded: Recorded, line_end: bytes
) -> None:
    check(recorded, b"\xef\xbb\xbf" + recorded.body.replace(b"\n", line_end))


@pytest.mark.parametrize(
    "recorded", [each for each in RECORDED if each.finish], ids=lambda each: each.file
)
def test_a_stream_that_is_cut_off_is_never_a_whole_answer(recorded: Recorded) -> None:
    body = recorded.body
    ends = [body.rfind(b'"finish_reason":"' + reason) for reason in (b"stop", b"length", b"eos")]
    ends += [body.rfind(b'"finish_reason":"model'), body.find(b'"finish_reason": "stop')]
    if recorded.file == "stop-always.sse":
        ends = [body.find(b'"finish_reason"')]
    for at in range(0, max(ends), 23):
        items, trouble = read(body[:at], kind=recorded.content_type)
        assert not any(isinstance(item, Finish) for item in items)
        assert trouble is not None


@pytest.mark.parametrize("first", [b"\n", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_counts_only_as_the_first_bytes_however_they_are_cut(
    first: bytes,
) -> None:
    rest = b"\xef\xbb\xbf" + said("a", reason="stop") + said("b", reason="stop")

    assert read(first, rest)[0] == read(first + rest)[0]


# ---- events ------------------------------------------------------------------------------------


def test_deltas_come_as_they_are_and_the_finish_counts_them() -> None:
    items, _ = read(said("Hm.", "reasoning_content") + said("Ni") + said("ne", reason="stop"))

    assert items == [
        Delta("Hm.", is_reasoning=True),
        Delta("Ni"),
        Delta("ne"),
        Finish("stop", 0, 3),
    ]


def test_usage_after_the_finish_reason_is_what_was_used() -> None:
    usage = event(choices=[], usage={"prompt_tokens": 7, "completion_tokens": 2})

    assert finish_of(said("Nine", reason="length"), usage) == Finish("length", 7, 2)


def test_what_an_endpoint_had_read_before_is_a_part_of_the_prompt() -> None:
    usage = {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 9}}

    finish = finish_of(said("Nine", reason="stop") + event(choices=[], usage=usage))

    assert finish.cached_tokens == 7


def test_nothing_counts_after_the_end_mark(reading: StreamReading) -> None:
    deltas = list(reading.feed(said("Nine", reason="stop") + DONE + said("!")))

    assert deltas == [Delta("Nine")]
    assert reading.is_done


@pytest.mark.parametrize(
    "alive",
    [b": processing\n\n", b"event: ping\n\n", b"id: 7\nretry: 3000\n\n", b"data:\n\n", b"\n"],
)
def test_what_only_keeps_a_connection_alive_has_said_nothing(alive: bytes) -> None:
    items, _ = read(alive, said("Ni"), alive, said("ne", reason="stop"), alive, DONE)
    assert texts(items) == "Nine"

    _, trouble = read(alive)
    assert trouble is not None
    assert trouble.what.endswith("ended its stream without an answer")
    assert trouble.is_retryable


def test_an_event_that_ends_with_the_stream_counts() -> None:
    assert finish_of(said("Ni"), said("ne", reason="stop").rstrip()) == Finish("stop", 0, 2)


def test_chunks_of_one_event_are_read_one_by_one() -> None:
    chunks = (said("Ni"), said("ne", reason="stop"))
    body = b"data: " + b" ".join(each[6:].strip() for each in chunks) + b"[DONE]\n\n"

    assert finish_of(body) == Finish("stop", 0, 2)


def test_many_values_in_one_event_take_time_of_their_number_only() -> None:
    _, trouble = read(b"data: " + b"7 " * 200_000 + b"\n\n")

    assert trouble is not None


def test_events_without_blank_lines_between_them_are_read() -> None:
    body = b"".join(
        each.replace(b"\n\n", b"\n") for each in (said("Ni"), said("ne", reason="stop"), DONE)
    )

    assert finish_of(body) == Finish("stop", 0, 2)


def test_bytes_that_are_no_text_are_replaced() -> None:
    items, _ = read(said("Nine", reason="stop").replace(b"Nine", b"N\xc3ine"))

    assert texts(items) == "N\ufffdine"


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


# ---- texts -------------------------------------------------------------------------------------


def test_halves_of_a_character_are_joined_and_one_alone_is_replaced() -> None:
    apart = ["\ud83d", "\ude00", "\ud83d", "a", "\ude00", "b\ud83d"]

    items, _ = read(*map(said, apart), said("", reason="stop"))

    assert texts(items) == "\U0001f600\ufffda\ufffdb\ufffd"
    assert all(item.text.encode() for item in items if isinstance(item, Delta))


def test_halves_of_text_and_reasoning_are_never_joined() -> None:
    items, _ = read(said("\ud83d", "reasoning"), said("Nine\ude00"), said("", reason="stop"))

    assert texts(items) == "Nine\ufffd"
    assert texts(items, is_reasoning=True) == "\ufffd"


def test_a_whole_message_at_the_end_of_a_stream_says_nothing_again() -> None:
    again = event(choices=[{"message": {"content": "Nine"}, "finish_reason": "stop"}])

    items, _ = read(said("Nine"), again)

    assert texts(items) == "Nine"


def test_a_whole_message_after_reasoning_alone_has_the_text() -> None:
    message = {"reasoning_content": "Hm.", "content": "Nine"}
    whole = event(choices=[{"message": message, "finish_reason": "stop"}])

    items, _ = read(said("Hm.", "reasoning_content"), whole)

    assert items[:-1] == [Delta("Hm.", is_reasoning=True), Delta("Nine")]


# ---- ends --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reason", ["stop", "STOP", "eos_token", "Complete", "end_turn", "tool_calls", "function_call"]
)
def test_text_before_a_known_reason_is_an_answer(reason: str) -> None:
    assert read(said("Nine"), said("", reason=reason), DONE) == (
        [Delta("Nine"), Finish("stop", 0, 1)],
        None,
    )


def test_an_unknown_reason_is_named_and_the_text_used() -> None:
    items, trouble = read(said("Nine"), said("", reason="moonset"), DONE)

    assert trouble is None
    note, finish = items[1:]
    assert isinstance(note, Note)
    assert note.deed is Deed.FELL_BACK
    assert note.reason.endswith("ended its answer for an unknown reason (moonset); it is used")
    assert finish == Finish("stop", 0, 1)


@pytest.mark.parametrize("reason", ["moonset", "tool_calls"])
def test_a_reason_without_any_text_is_no_answer(reason: str) -> None:
    _, trouble = read(said("", reason=reason), DONE)

    assert trouble is not None
    assert trouble.what.endswith(f"ended its answer without any text (finish reason '{reason}')")


@pytest.mark.parametrize("reason", ["MAX_TOKENS", "max_output_tokens", "model_length"])
def test_a_bound_is_a_length_whatever_it_is_called(reason: str) -> None:
    assert finish_of(said("Nine", reason=reason)).reason == "length"


@pytest.mark.parametrize("reason", ["content_filter", "SAFETY", "refusal", "PROHIBITED_CONTENT"])
def test_what_a_filter_takes_back_is_no_answer(reason: str) -> None:
    _, trouble = read(said("Nine"), said("", reason=reason), DONE)

    assert trouble is not None
    assert trouble.is_withdrawal
    assert trouble.is_askers_fault


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource"])
def test_an_endpoint_that_gives_up_is_asked_again(reason: str) -> None:
    _, trouble = read(said("Nine"), said("", reason=reason), DONE)

    assert trouble is not None
    assert trouble.is_retryable


def test_the_end_mark_ends_a_text_that_has_no_reason_and_no_thought() -> None:
    assert finish_of(said("Nine"), DONE) == Finish("stop", 0, 1)

    _, trouble = read(said("Hm.", "reasoning"), DONE)
    assert trouble is not None
    assert trouble.is_retryable


def test_a_reason_that_comes_with_every_chunk_ends_nothing(reading: StreamReading) -> None:
    list(reading.feed(said("Ni", reason="stop")))
    assert not reading.is_ending
    assert reading.may_end

    list(reading.feed(said("ne", reason="stop")))
    assert not reading.is_ending
    assert not reading.may_end


@pytest.mark.parametrize(
    ("last", "may_end"),
    [
        (said("ws", reason="stop"), True),
        (said("ws"), False),
        (said("w") + said("s", reason="stop"), True),
        (said("ws") + said("", reason="stop"), True),
    ],
)
def test_after_text_behind_a_reason_a_long_silence_ends_where_the_last_text_has_one(
    reading: StreamReading, last: bytes, *, may_end: bool
) -> None:
    list(reading.feed(said("Nine ") + said("ro", reason="stop") + last))

    assert not reading.is_ending
    assert reading.may_end == may_end


def test_after_a_reason_at_the_end_only_the_usage_is_waited_for(reading: StreamReading) -> None:
    list(reading.feed(said("Ni") + said("ne", reason="stop")))

    assert reading.is_ending


# ---- errors ------------------------------------------------------------------------------------


def test_a_length_that_is_told_in_the_stream_is_no_failure_of_the_endpoint() -> None:
    _, trouble = read(event(error={"message": "loaded with context length of only 7866"}))

    assert trouble is not None
    assert trouble.is_askers_fault
    assert trouble.length == TooLong(7_866)


@pytest.mark.parametrize(
    ("chunk", "words"),
    [
        ({"error": {"message": "out of memory"}}, "(out of memory)"),
        ({"error": "out of memory"}, "(out of memory)"),
        ({"error": {"error": {"message": "out of memory"}}}, "(out of memory)"),
        ({"errors": [{"message": "out of memory"}], "success": False}, "(out of memory)"),
        ({"object": "error", "message": "out of memory"}, "(out of memory)"),
        ({"message": "out of memory", "code": "E_OOM"}, "(out of memory)"),
        ({"detail": [{"msg": "too hot"}], "code": "E"}, 'on ([{"msg": "too hot"}])'),
    ],
)
def test_what_was_said_before_an_error_is_heard_and_its_words_are_quoted(
    chunk: dict[str, Any], words: str
) -> None:
    items, trouble = read(said("Nine") + event(**chunk))

    assert items == [Delta("Nine")]
    assert trouble is not None
    assert trouble.what.endswith(words)
    assert trouble.is_retryable


@pytest.mark.parametrize(
    ("error", "sentence", "is_retryable"),
    [
        ({"code": 401, "message": "no"}, "wants an API key (401: no)", False),
        ({"code": "429", "message": "slow down"}, "wants fewer requests (429: slow down)", True),
        ({"type": "rate_limit_error", "message": "no"}, "wants fewer requests (429: no)", True),
        ({"code": "insufficient_quota", "message": "no"}, "that the quota is used up", False),
        ({"type": "invalid_request_error", "message": "no"}, "did not accept", False),
        ({"code": "content_filter", "message": "no"}, "by its content filter", False),
    ],
)
def test_an_error_under_200_means_what_it_would_under_its_own_status(
    error: dict[str, Any], sentence: str, *, is_retryable: bool
) -> None:
    for body in (event(error=error), json.dumps({"error": error}).encode()):
        _, trouble = read(body)

        assert trouble is not None
        assert sentence in trouble.what
        assert trouble.is_retryable == is_retryable


@pytest.mark.parametrize("after", [b'data: {"error": "gone"}\n\n', b"data: gone\n\n"])
def test_what_goes_wrong_after_a_whole_answer_makes_no_difference(after: bytes) -> None:
    items, trouble = read(said("Nine"), said("", reason="stop"), after)

    assert trouble is None
    assert items[-1] == Finish("stop", 0, 1)


def test_words_of_a_gateway_are_quoted_where_no_answer_comes() -> None:
    _, trouble = read(b'{"message": "no healthy upstream"}', kind="application/json")

    assert trouble is not None
    assert trouble.what.endswith("without an answer (no healthy upstream)")


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"upstream crashed: no GPU left", "text/plain", "sent text/plain instead of an event str"),
        (b"upstream crashed: no GPU left\n", SSE, "ended its stream without an answer"),
        (b'"upstream crashed: no GPU left"', "application/json", "sent application/json instead"),
        (b"event: error\ndata: upstream crashed: no GPU left", SSE, "instead of going on"),
        (b"data: upstream crashed: no GPU left", SSE, "ended its stream without an answer"),
    ],
)
def test_words_without_any_form_are_quoted(body: bytes, kind: str, words: str) -> None:
    for blocks in ([body], [body[at : at + 1] for at in range(len(body))]):
        _, trouble = read(*blocks, kind=kind)

        assert trouble is not None
        assert words in trouble.what
        assert "upstream crashed: no GPU left" in trouble.what


def test_a_success_that_is_told_before_the_answer_is_no_error() -> None:
    success = event(code=200, message="success", data=None)

    assert finish_of(success, said("Nine", reason="stop"), DONE) == Finish("stop", 0, 1)


@pytest.mark.parametrize("body", [b"data: Internal Server Error\n\n", b"{'choices': []}"])
def test_what_is_no_json_is_quoted_and_not_asked_for_again(body: bytes) -> None:
    _, trouble = read(body)

    assert trouble is not None
    assert "is no event stream of chat chunks (" in trouble.what
    assert not trouble.is_retryable


def test_a_chunk_that_is_damaged_between_others_is_asked_for_again() -> None:
    items, trouble = read(said("Nine"), b'data: {"choices": [{"del\n\n', said("!"))

    assert items == [Delta("Nine")]
    assert trouble is not None
    assert "sent a chunk that can't be read" in trouble.what
    assert trouble.is_retryable


def test_a_web_page_is_no_answer() -> None:
    _, trouble = read(b"<html><body>It works!</body></html>", kind="text/html; charset=utf-8")

    assert trouble is not None
    assert trouble.what.endswith("sent text/html instead of an event stream")


def test_a_completion_that_is_cut_off_is_asked_for_again() -> None:
    _, trouble = read(b'{"choices": [{"message": {"content": "Ni', kind="application/json")

    assert trouble is not None
    assert trouble.what.endswith("cut its stream off before the end of the answer")
    assert trouble.is_retryable
