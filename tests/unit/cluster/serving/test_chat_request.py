"""What becomes of each parameter of a chat: the code, the docs and the official client agree."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

from cluster.serving.chat_request import (
    CHAT_PARAMETERS,
    UNOFFERED_IN_CHATS,
    ContentPart,
    text_of,
)
from cluster.serving.orders import refuse_unoffered
from cluster.serving.problems import Problem

DOCS = Path(__file__).parents[4] / "docs" / "http.md"


def documented(heading: str) -> dict[str, str]:
    """The table of parameters under a heading of the docs: what becomes of each."""
    text = DOCS.read_text(encoding="utf-8").split(f"### {heading}\n", 1)[1].split("\n#", 1)[0]
    found: dict[str, str] = {}
    for names, handling in re.findall(r"^\| (`[^|]*) \| (\w+) \|", text, re.MULTILINE):
        found |= dict.fromkeys(re.findall(r"`(\w+)`", names), handling)
    return found


def test_the_docs_say_what_becomes_of_each_parameter() -> None:
    assert documented("Parameters of chat completions") == dict(CHAT_PARAMETERS)


def test_every_parameter_of_the_official_client_is_known() -> None:
    known = set(CompletionCreateParamsStreaming.__annotations__)

    assert known | {"fleetmind"} == set(CHAT_PARAMETERS)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"tools": [], "tool_choice": "none", "n": 1, "stop": None},
        {"tool_choice": "auto", "response_format": {"type": "text"}, "logprobs": False},
        {"temperature": 0.2, "seed": 7, "of_a_newer_client": True},
    ],
)
def test_what_asks_for_nothing_is_let_pass(parameters: dict[str, object]) -> None:
    refuse_unoffered(parameters, UNOFFERED_IN_CHATS)


@pytest.mark.parametrize("name", UNOFFERED_IN_CHATS)
def test_what_asks_for_something_else_is_refused(name: str) -> None:
    with pytest.raises(Problem) as refused:
        refuse_unoffered({name: "something"}, UNOFFERED_IN_CHATS)

    assert refused.value.param == name


def test_the_parts_of_a_message_are_joined() -> None:
    parts = [ContentPart(type="text", text="And "), ContentPart(type="input_text", text="owls?")]

    assert text_of(parts, "here") == "And owls?"
