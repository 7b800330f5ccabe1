"""Whether an endpoint refuses a prompt for its length, and the numbers that it gives. Pure.

Used by `agents.models.endpoint.trouble`. Three forms are known: OpenAI's code and sentence, vLLM's
sentences, which have other numbers, and llama.cpp's fields. An endpoint that cuts the prompt off by
itself, as Ollama does, says nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_TYPE = "exceed_context_size_error"
_WINDOW = re.compile(r"context\s(?:length|window|size)\D{0,24}(\d[\d,]*)", re.IGNORECASE)
_PROMPT = (
    re.compile(r"(\d[\d,]*)\sin\sthe\smessages"),
    re.compile(r"resulted\sin\s(\d[\d,]*)"),
    re.compile(r"(\d[\d,]*)\s(?:input|prompt)\stokens"),
)
"""What stands where the prompt's own length is told, the surest first."""
_TOKENS_MAX = 1 << 32
_LENGTH_MAX = 2_000


@dataclass(frozen=True, slots=True)
class TooLong:
    """What an endpoint says of a prompt that it doesn't take."""

    context_tokens: int
    """What the model takes in at once."""
    prompt_tokens: int = 0
    """How long the prompt is, or at least is; 0 where it doesn't say."""


def too_long(body: object) -> TooLong | None:
    """Return what an endpoint's refusal says of the length; None where it is about other things.

    Args:
        body: the error as the endpoint sends it: a mapping with ``message``, or its words.
    """
    if isinstance(body, Mapping) and body.get("type") == _TYPE:
        window, prompt = _count(body.get("n_ctx")), _count(body.get("n_prompt_tokens"))
        return TooLong(window, prompt) if window else None
    words = body.get("message") if isinstance(body, Mapping) else body
    if not isinstance(words, str):
        return None
    words = words[:_LENGTH_MAX]
    window = _number(_WINDOW.search(words))
    found = (_number(pattern.search(words)) for pattern in _PROMPT)
    return TooLong(window, next(filter(None, found), 0)) if window else None


def _number(match: re.Match[str] | None) -> int:
    return _count(int(match[1].replace(",", ""))) if match else 0


def _count(value: object) -> int:
    return value if type(value) is int and 0 < value < _TOKENS_MAX else 0
