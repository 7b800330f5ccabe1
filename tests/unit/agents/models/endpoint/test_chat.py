"""A request as an endpoint wants it."""

from __future__ import annotations

import pytest

from agents.models.endpoint import chat
from agents.models.port import Message, Request

SCHEMA = {"type": "object"}
ASKED = Request((Message("user", "Plan."),), wants_json=True, json_schema=SCHEMA)


def test_an_endpoint_is_asked_for_json_whatever_the_schema() -> None:
    assert chat.parts(ASKED, frozenset())["response_format"] == {"type": "json_object"}


def test_a_model_that_takes_schemas_is_held_to_one() -> None:
    sent = chat.parts(ASKED, frozenset(), with_schema=True)["response_format"]

    assert sent == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA},
    }


def test_without_a_schema_it_is_asked_for_json() -> None:
    plain = Request((), wants_json=True)

    sent = chat.parts(plain, frozenset(), with_schema=True)

    assert sent["response_format"] == {"type": "json_object"}


def test_a_schema_that_is_refused_is_not_sent_again() -> None:
    refused = frozenset({"response_format"})

    assert "response_format" not in chat.parts(ASKED, refused, with_schema=True)


def test_what_an_answer_will_be_is_sent_where_the_endpoint_takes_it() -> None:
    repair = Request((), prediction="print(1)")

    sent = chat.parts(repair, frozenset(), with_prediction=True)

    assert sent["prediction"] == {"type": "content", "content": "print(1)"}
    assert "prediction" not in chat.parts(repair, frozenset())
    assert "prediction" not in chat.parts(ASKED, frozenset(), with_prediction=True)
    assert "prediction" not in chat.parts(repair, frozenset({"prediction"}), with_prediction=True)


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("Unsupported parameter: 'prediction' is not supported with this model", "prediction"),
        ("max_tokens is not supported, nor is response_format", "response_format"),
        ("bad request", "prediction"),
    ],
)
def test_the_part_that_a_complaint_names_is_refused_or_else_the_rarest(
    said: str, part: str
) -> None:
    sent = chat.parts(
        Request((), prediction="x", wants_json=True), frozenset(), with_prediction=True
    )

    assert chat.refused_part(said, sent) == part
