"""The body of `POST /v1/chat/completions`: its parameters, and the messages it is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from cluster.kernel.conversation import ChatMessage
from cluster.serving.orders import FleetmindOptions, Handling, Unoffered, is_nothing, is_one_of
from cluster.serving.problems import Problem

_LENIENT = ConfigDict(strict=True, extra="allow")


class ContentPart(BaseModel):
    """A part of a message."""

    model_config = _LENIENT

    type: str
    text: str | None = None


class ChatTurn(BaseModel):
    """A message of the conversation, as OpenAI's API has it."""

    model_config = _LENIENT

    role: Literal["developer", "system", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = None
    tool_calls: list[object] | None = None


class StreamOptions(BaseModel):
    """How a stream is to be."""

    model_config = _LENIENT

    include_usage: bool | None = None


class ChatRequest(BaseModel):
    """A chat completion that is asked for; `CHAT_PARAMETERS` says what becomes of the others."""

    model_config = _LENIENT

    model: str
    messages: Annotated[list[ChatTurn], Field(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    fleetmind: FleetmindOptions = FleetmindOptions()


UNOFFERED_IN_CHATS: Final[Unoffered] = {
    "tools": (is_nothing, "tools of the caller are not offered: the team has its own"),
    "tool_choice": (is_one_of("none", "auto"), "tools of the caller are not offered"),
    "functions": (is_nothing, "functions of the caller are not offered"),
    "function_call": (is_one_of("none", "auto"), "functions of the caller are not offered"),
    "n": (is_one_of(1), "there is one answer to a request"),
    "logprobs": (is_nothing, "probabilities of tokens are not offered"),
    "top_logprobs": (is_one_of(0), "probabilities of tokens are not offered"),
    "response_format": (is_one_of({"type": "text"}), "answers are Markdown, in no other format"),
    "modalities": (is_one_of(["text"]), "answers are text"),
    "audio": (is_nothing, "answers are text"),
    "stop": (is_one_of(""), "an answer is judged as a whole, and is not cut at a text"),
}

CHAT_PARAMETERS: Final[Mapping[str, Handling]] = {
    **dict.fromkeys(ChatRequest.model_fields, Handling.HONOURED),
    **dict.fromkeys(UNOFFERED_IN_CHATS, Handling.REFUSED),
    **dict.fromkeys(
        (
            "frequency_penalty",
            "logit_bias",
            "max_completion_tokens",
            "max_tokens",
            "metadata",
            "moderation",
            "parallel_tool_calls",
            "prediction",
            "presence_penalty",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "reasoning_effort",
            "safety_identifier",
            "seed",
            "service_tier",
            "store",
            "temperature",
            "top_p",
            "user",
            "verbosity",
            "web_search_options",
        ),
        Handling.IGNORED,
    ),
}
"""All parameters of OpenAI's API and our own; any that is not among them is ignored."""


def messages_of(turns: Sequence[ChatTurn]) -> list[ChatMessage]:
    """Return the messages of a conversation as text; those without any are left out.

    Raises:
        Problem: one has something else than text.
    """
    found = []
    for number, turn in enumerate(turns):
        where = f"messages.{number}"
        if turn.role in {"tool", "function"} or turn.tool_calls:
            raise Problem(
                400, f"{where}: calls of tools are not offered", param=where, code="invalid_value"
            )
        text = text_of(turn.content, f"{where}.content")
        role = "system" if turn.role == "developer" else turn.role
        if text or number == len(turns) - 1:
            found.append(ChatMessage(role, text))
    return found


TEXT_PARTS: Final = frozenset({"text", "input_text", "output_text"})


def text_of(content: str | Sequence[ContentPart] | None, where: str) -> str:
    """Return the text of a message: that of its parts, joined.

    Raises:
        Problem: a part is none of text.
    """
    if content is None or isinstance(content, str):
        return content or ""
    for number, part in enumerate(content):
        if part.type not in TEXT_PARTS:
            place = f"{where}.{number}"
            raise Problem(
                400,
                f"{place}: only text is read, and this part is of type {part.type[:40]!r}",
                param=place,
                code="unsupported_content",
            )
    return "".join(part.text or "" for part in content)
