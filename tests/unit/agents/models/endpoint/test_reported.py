"""What an error that comes in a stream says, in whichever form it comes."""

from __future__ import annotations

import json

import pytest

from agents.models.endpoint.reported import Reported, reported, worded


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("too hot", Reported("too hot")),
        (["too hot"], Reported('["too hot"]')),
        (None, Reported("null")),
        ({"message": "too hot"}, Reported("too hot")),
        ({"message": None, "detail": "too hot"}, Reported("too hot")),
        ({"error": {"message": "too hot"}}, Reported("too hot")),
        ({"message": "no", "metadata": {"raw": "too hot"}}, Reported("no: too hot")),
        ({"message": "no", "metadata": {"raw": 7}}, Reported("no")),
        ({}, Reported("")),
    ],
)
def test_the_words_are_the_endpoints_own(error: object, told: Reported) -> None:
    assert reported(error) == told


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 503}, 503),
        ({"code": "503"}, 503),
        ({"status": 503, "code": "E_HOT"}, 503),
        ({"code": True}, 0),
        ({"code": 7}, 0),
        ({"code": "\u0665\u0660\u0663"}, 503),
        ({"code": "5" * 5_000}, 0),
        ({"type": "Rate_Limit_Error"}, 429),
        ({"code": "E_HOT", "type": "server_error"}, 500),
        ({"code": [], "type": {}}, 0),
    ],
)
def test_a_status_is_what_the_error_or_its_kind_names(error: object, status: int) -> None:
    assert reported(error).status == status


def test_an_error_is_a_body_that_a_refusal_could_have() -> None:
    assert json.loads(reported({"code": "E", "type": "T", "message": "no"}).body) == {
        "message": "no",
        "code": "e",
        "type": "t",
    }


def test_what_is_too_deep_to_be_written_has_no_words() -> None:
    deep: list[object] = []
    for _ in range(200_000):
        deep = [deep]

    assert worded(deep) == ""
