"""What becomes of each parameter of a response, and of the items of its input."""

from __future__ import annotations

import pytest
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming

from cluster.kernel.conversation import ChatMessage
from cluster.serving.orders import refuse_unoffered
from cluster.serving.response_request import (
    RESPONSE_PARAMETERS,
    UNOFFERED_IN_RESPONSES,
    ResponseRequest,
    messages_of_input,
)
from tests.unit.cluster.serving.test_chat_request import documented


def test_the_docs_say_what_becomes_of_each_parameter() -> None:
    assert documented("Parameters of responses") == dict(RESPONSE_PARAMETERS)


def test_every_parameter_of_the_official_client_is_known() -> None:
    known = set(ResponseCreateParamsStreaming.__annotations__)

    assert known | {"fleetmind"} == set(RESPONSE_PARAMETERS)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"tools": [], "tool_choice": "auto"},
        {"text": {"format": {"type": "text"}}},
        {"text": {}},
    ],
)
def test_what_asks_for_nothing_is_let_pass(parameters: dict[str, object]) -> None:
    refuse_unoffered(parameters, UNOFFERED_IN_RESPONSES)


def test_a_message_without_text_is_left_out_unless_it_is_the_users() -> None:
    body = ResponseRequest.model_validate(
        {
            "model": "fleetmind",
            "input": [{"role": "assistant", "content": []}, {"role": "user", "content": ""}],
        }
    )

    assert messages_of_input(body) == [ChatMessage("user", "")]
