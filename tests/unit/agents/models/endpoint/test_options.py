"""Which options and headers may be part of every request."""

from __future__ import annotations

import pytest

from agents.models.endpoint.options import check_headers, check_key, check_options
from cluster.kernel.errors import UsageError


def test_keys_that_are_no_business_of_ours_are_options() -> None:
    check_options(
        {"top_p": 0.9, "temperature": 0, "chat_template_kwargs": {"enable_thinking": False}}
    )


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"stream": False}, "stream is not for options: answers are always streamed"),
        ({"max_tokens": 9}, "max_tokens is not for options: [model] tokens_max bounds it"),
        ({"n_predict": -1}, "n_predict is not for options: [model] tokens_max bounds it"),
        (
            {"prediction": {}},
            "prediction is not for options: [model.engine] predicted_outputs switches it on",
        ),
        ({"top_p": float("nan")}, "can't be sent as JSON: Out of range float values"),
    ],
)
def test_what_is_ours_to_say_is_no_option(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_options(options)

    assert str(refused.value).startswith("engine.options")
    assert complaint in str(refused.value)


def test_headers_that_are_no_business_of_ours_are_sent() -> None:
    check_headers({"api-key": "k 1", "HTTP-Referer": "https://example.org/?a=b", "X-Org": ""})


@pytest.mark.parametrize(
    ("headers", "complaint"),
    [
        ({"Content-Type": "text/s3cret"}, "headers.Content-Type is not for settings: it says"),
        ({"x-fleetmind-task": "s3cret"}, "headers.x-fleetmind-task is not for settings: it says"),
        ({"api key": "s3cret"}, "'api key' is no name of an HTTP header"),
        ({"": "s3cret"}, "'' is no name of an HTTP header"),
        ({"api-key": "s3cr\u00e9t"}, "can't be sent: character 5 of its 6 is not ASCII"),
        ({"api-key": "s3cret\nX: y"}, "can't be sent: character 7 of its 11 is a control char"),
    ],
)
def test_what_is_no_header_of_the_users_is_refused_without_its_value(
    headers: dict[str, str], complaint: str
) -> None:
    with pytest.raises(UsageError) as refused:
        check_headers(headers)

    assert complaint in str(refused.value)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("key", ["sk-\u2026abc", "sk-1\nsk-2", "sk-\u200babc", "s\u043a-abc"])
def test_a_key_that_no_header_can_hold_is_told_by_the_place_of_its_fault(key: str) -> None:
    with pytest.raises(
        UsageError, match=r"the API key can't be sent: character \d of its \d"
    ) as said:
        check_key(key)

    assert key not in str(said.value)
    check_key("sk-proj_A-1.b~c")
