"""The body of `POST /v1/responses`: its parameters, and the conversation that its input is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from cluster.kernel.conversation import ChatMessage
from cluster.serving.chat_request import ContentPart, text_of
from cluster.serving.orders import FleetmindOptions, Handling, Unoffered, is_nothing, is_one_of
from cluster.serving.problems import Problem

_LENIENT = ConfigDict(strict=True, extra="allow")
_PASSED_OVER: Final = frozenset({"reasoning"})
"""Items of an earlier output that clients send back, and that say nothing to anybody."""


class InputItem(BaseModel):
    """A message of the input; other items are told apart by their type, and are not offered."""

    model_config = _LENIENT

    type: str | None = None
    role: Literal["developer", "system", "user", "assistant"] | None = None
    content: str | list[ContentPart] | None = None


class ResponseRequest(BaseModel):
    """A response that is asked for; `RESPONSE_PARAMETERS` says what becomes of the others."""

    model_config = _LENIENT

    model: str
    input: str | list[InputItem]
    instructions: str | None = None
    stream: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    fleetmind: FleetmindOptions = FleetmindOptions()


def _is_plain(value: object) -> bool:
    form = value.get("format") if isinstance(value, Mapping) else value
    return form in (None, {"type": "text"})


_TOOLS: Final = "tools of the caller are not offered: the team has its own"

UNOFFERED_IN_RESPONSES: Final[Unoffered] = {
    "tools": (is_nothing, _TOOLS),
    "tool_choice": (is_one_of("none", "auto"), _TOOLS),
    "conversation": (is_nothing, "conversations are not kept: send messages, or a previous one"),
    "prompt": (is_nothing, "templates of prompts are not kept"),
    "top_logprobs": (is_one_of(0), "probabilities of tokens are not offered"),
    "text": (_is_plain, "answers are Markdown, in no other format"),
}

RESPONSE_PARAMETERS: Final[Mapping[str, Handling]] = {
    **dict.fromkeys(ResponseRequest.model_fields, Handling.HONOURED),
    **dict.fromkeys(UNOFFERED_IN_RESPONSES, Handling.REFUSED),
    **dict.fromkeys(
        (
            "access_programs",
            "background_options",
            "context_management",
            "image",
            "include",
            "max_output_tokens",
            "max_tool_calls",
            "metadata",
            "moderation",
            "parallel_tool_calls",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "reasoning",
            "safety_identifier",
            "service_tier",
            "store",
            "stream_options",
            "temperature",
            "top_p",
            "truncation",
            "user",
        ),
        Handling.IGNORED,
    ),
}
"""All parameters of OpenAI's API and our own; any that is not among them is ignored."""


def messages_of_input(body: ResponseRequest) -> list[ChatMessage]:
    """Return the messages that a request brings, its instructions first.

    Raises:
        Problem: it brings something else than text.
    """
    found = [ChatMessage("system", body.instructions)] if body.instructions else []
    if isinstance(body.input, str):
        return [*found, ChatMessage("user", body.input)]
    for number, item in enumerate(body.input):
        where = f"input.{number}"
        if item.type in _PASSED_OVER:
            continue
        if item.type not in {None, "message"} or item.role is None:
            raise Problem(
                400,
                f"{where}: only messages are read, and this is of type {str(item.type)[:40]!r}",
                param=where,
                code="unsupported_content",
            )
        role = "system" if item.role == "developer" else item.role
        text = text_of(item.content, f"{where}.content")
        if text or item.role == "user":
            found.append(ChatMessage(role, text))
    return found
