"""Which options may be part of every request."""

from __future__ import annotations

import pytest

from agents.models.endpoint.options import check_options
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
