"""What is found in chunks that are not quite OpenAI's."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models.endpoint.foreign import Untold, unknown_fields
from agents.models.endpoint.trouble import Endpoint

ENDPOINT = Endpoint("http://models.example/v1", "m", "sk-very-secret")


def choice(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"delta": delta}]}


@pytest.mark.parametrize(
    ("said", "names"),
    [
        (choice(role="assistant", output="Nine", n=7, empty=""), ["output"]),
        (choice(tool_calls=[{"id": "x"}]), []),
        ({"choices": [{"index": 0, "generated": "Nine"}]}, ["generated"]),
        ({"candidates": [{"content": {}}], "modelVersion": "m"}, ["candidates", "modelVersion"]),
        ({"choices": [], "output": "Nine"}, []),
        ("Nine", []),
    ],
)
def test_fields_that_may_have_text_are_named(said: object, names: list[str]) -> None:
    assert unknown_fields(said) == names


def test_names_of_fields_are_told_in_their_order_bounded_and_without_a_secret() -> None:
    untold = Untold(ENDPOINT.quote)
    for at in range(9_000):
        untold.take(choice(**{f"z{at}" * 100: "x", "a": "x", "sk-very-secret": "x"}), "")

    story = untold.story()

    assert story.startswith("9,000 chunks without any text that is known")
    assert "'[key]'" in story
    assert len(story) < 400


def test_words_that_came_beside_are_what_is_told() -> None:
    untold = Untold(ENDPOINT.quote)
    untold.take({"region": "x"}, "no healthy upstream")

    assert untold.story() == ""
    assert untold.remark == "no healthy upstream"
