"""What of an endpoint's chunks can be taken for what it seems."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models.endpoint import chunk
from agents.models.endpoint.chunk import AnswerEnd
from agents.models.port import Delta


def choice(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"delta": delta}]}


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), -7, 1 << 40, True, "9", None, [9]])
def test_a_usage_that_counts_nothing_counts_as_none(odd: object) -> None:
    said = {"usage": {"prompt_tokens": odd, "completion_tokens": 5}}

    assert chunk.usage(said) == (0, 5, 0)
    assert chunk.usage({"usage": {"prompt_tokens": odd}}) is None


@pytest.mark.parametrize(
    "content",
    [
        "Blue.",
        [{"type": "text", "text": "Blue."}],
        [{"type": "output_text", "text": "Blue."}],
        ["Blue."],
        {"text": "Blue."},
        {"content": "Blue."},
        [[{"text": ["Blue."]}]],
    ],
)
def test_text_is_text_in_parts_too(content: object) -> None:
    assert list(chunk.deltas(choice(content=content))) == [Delta("Blue.")]


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "Hm."},
        {"reasoning": "Hm."},
        {"reasoning": "Hm.", "reasoning_content": "Hm."},
        {"reasoning": "Hm.", "reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]},
        {"reasoning": "", "reasoning_details": [{"type": "reasoning.summary", "summary": "Hm."}]},
        {"thinking": "Hm."},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]},
        {"content": [{"type": "thinking", "text": "Hm."}]},
    ],
)
def test_reasoning_is_told_once_whatever_it_is_called(delta: dict[str, Any]) -> None:
    assert list(chunk.deltas(choice(**delta))) == [Delta("Hm.", is_reasoning=True)]


@pytest.mark.parametrize(
    "delta",
    [
        {"content": None},
        {"content": 7},
        {"content": [7, None, {}, {"type": "image_url", "image_url": {"url": "x"}}]},
        {"content": [[[[[["deep"]]]]]]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "gAAAA"}]},
    ],
)
def test_what_is_no_text_says_nothing(delta: dict[str, Any]) -> None:
    assert list(chunk.deltas(choice(**delta))) == []


def test_a_refusal_is_the_models_text() -> None:
    assert list(chunk.deltas(choice(content=None, refusal="I can't."))) == [Delta("I can't.")]


def test_a_completion_that_is_no_chat_has_its_text_in_its_choice() -> None:
    assert list(chunk.deltas({"choices": [{"text": "Blue."}]})) == [Delta("Blue.")]


@pytest.mark.parametrize("none", [None, "", "null", "None", " ", 7, [], {}])
def test_what_names_no_reason_is_none(none: object) -> None:
    assert chunk.finish_reason({"choices": [{"finish_reason": none}]}) == ""


@pytest.mark.parametrize(
    ("reason", "end"),
    [
        ("Stop-Sequence", AnswerEnd.WHOLE),
        ("MAX_TOKENS", AnswerEnd.LENGTH),
        ("Content Filter", AnswerEnd.FILTERED),
        ("aborted", AnswerEnd.BROKEN),
        ("tool_calls", AnswerEnd.TOOLS),
        ("moonset", AnswerEnd.UNKNOWN),
    ],
)
def test_a_reason_means_the_same_however_it_is_written(reason: str, end: AnswerEnd) -> None:
    assert chunk.end_of(reason) is end


@pytest.mark.parametrize(
    "said",
    [
        {"error": None},
        {"error": ""},
        {"error": {}},
        {"message": "still waiting"},
        {"type": "ping"},
        {"choices": [], "message": "x", "code": 7},
        {"code": 200, "message": "success", "data": None},
        {"status": "Success", "msg": "welcome"},
        {"error": {"code": 0, "message": ""}},
        {"error": {"code": 200, "message": "ok"}},
        {"choices": [{"message": {"content": "x"}}]},
        7,
        None,
        "words",
    ],
)
def test_what_tells_of_no_error_is_none(said: object) -> None:
    assert chunk.error(said) is None


def test_what_is_named_an_error_is_one() -> None:
    assert chunk.error("out of memory", is_named=True) == "out of memory"


@pytest.mark.parametrize("said", [None, "", [], {"content": None}, {"content": "", "text": ""}])
def test_a_text_of_another_name_counts_only_alone(said: object) -> None:
    fields = said if isinstance(said, dict) else {"content": said}

    assert chunk.deltas(choice(**{**fields, "text": "Nine"})) == [Delta("Nine")]
    assert chunk.deltas(choice(content="Nine", text="ten")) == [Delta("Nine")]
    assert chunk.deltas(choice(reasoning="Hm.", text="ten")) == [Delta("Hm.", is_reasoning=True)]
