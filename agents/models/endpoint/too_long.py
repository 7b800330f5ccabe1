"""Whether an endpoint refuses a prompt or a bound for its length, and the numbers it gives. Pure.

Used by `agents.models.endpoint.trouble` and its neighbours. Known are llama.cpp's fields, OpenAI's
code, and the sentences of OpenAI and those who write as it does, of vLLM, SGLang, TGI, Mistral,
LM Studio, DeepSeek, DashScope and Groq: the tests have each of them. An endpoint that cuts the
prompt off by itself, as Ollama does, says nothing at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_TYPE = "exceed_context_size_error"
_CODE = "context_length_exceeded"
_CODES = ("code", "type")
_WINDOW = (
    re.compile(r"\bn_ctx\W{1,4}(\d[\d,]*)"),
    re.compile(r"context[\s_](?:length|window|size)\D{0,24}(\d[\d,]*)", re.IGNORECASE),
    re.compile(r"(\d[\d,]*)\smaximum\scontext\slength", re.IGNORECASE),
    re.compile(r"`inputs`[^.]{0,60}(?:must\sbe\s<=|must\shave\sless\sthan)\s(\d[\d,]*)"),
    re.compile(r"[Rr]ange\sof\sinput\slength\sshould\sbe\s\[\d+,\s?(\d[\d,]*)\]"),
)
"""What stands where the model's window is told."""
_PROMPT = (
    re.compile(r"(\d[\d,]*)\sin\sthe\smessages"),
    re.compile(r"(\d[\d,]*)\stokens\sfrom\sthe\sinput"),
    re.compile(r"(\d[\d,]*)\sof\stext\sinput"),
    re.compile(r"resulted\sin\s(\d[\d,]*)"),
    re.compile(r"(\d[\d,]*)\s(?:input|prompt|`inputs`)\stokens"),
    re.compile(r"[Tt]he\s(?:input|prompt)\s\((\d[\d,]*)\stokens\)"),
    re.compile(r"[Pp]rompt\scontains\s(\d[\d,]*)\stokens"),
    re.compile(r"[Gg]iven:\s(\d[\d,]*)"),
    re.compile(r"n_keep\W{1,4}(\d[\d,]*)"),
)
"""What stands where the prompt's own length is told, the surest first."""
_BOUND = r"\bmax_(?:new_|completion_|output_)?tokens\b[`'\"]?"
_AT_MOST = (
    r"(?:(?:be\s)?(?:at\smost|<=|less\sthan\sor\sequal\sto|no\s(?:more|larger|greater)\sthan)|"
    r"(?:not|n?'t)\s(?:exceed|be\s(?:more|larger|greater)\sthan))\s`?(\d[\d,]*)"
)
_BOUND_MAX = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_BOUND}(?:\svalue)?\s(?:must|should|may|can|has\sto|is\sto)\s?{_AT_MOST}",
        rf"range\sof\s[`'\"]?{_BOUND}\s(?:is|must\sbe|should\sbe)\s\[\d+,\s?(\d[\d,]*)\]",
        rf"{_BOUND}:\s\d[\d,]*\s>\s(\d[\d,]*),\swhich\sis\sthe\smaximum",
        rf"maximum\svalue\sfor\s[`'\"]?{_BOUND}\sis\s`?(\d[\d,]*)",
        rf"{_BOUND}\sis\stoo\slarge:\s\d[\d,]*\.\s[^.]{{0,40}}\bat\smost\s(\d[\d,]*)\scompletion",
    )
)
"""What stands where the largest bound of an answer is told that a model takes. The bound is what
the clause is about: a complaint of another part may name it too, and a number."""
_TOKENS_MAX = 1 << 32
_LENGTH_MAX = 2_000
_WORDS = ("message", "error", "detail")


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
    words = _words(body)
    window = _first(_WINDOW, words)
    return TooLong(window, _first(_PROMPT, words)) if window else None


def is_too_long(body: object) -> bool:
    """Say whether an endpoint names the prompt's length as what is wrong, with or without numbers.

    Args:
        body: as `too_long` takes it.
    """
    is_named = isinstance(body, Mapping) and any(body.get(key) == _CODE for key in _CODES)
    return is_named or too_long(body) is not None


def answer_tokens_max(body: object) -> int:
    """Return the largest bound of an answer that a model takes, by a refusal of a larger one.

    Returns:
        0 where it is about other things: that the bound leaves no room for the prompt too.
    """
    words = _words(body)
    return _first(_BOUND_MAX, words) if too_long(body) is None else 0


def _words(body: object) -> str:
    """Return what an endpoint says, in whichever field that is."""
    if isinstance(body, Mapping):
        body = next((body[key] for key in _WORDS if body.get(key)), "")
    return body[:_LENGTH_MAX] if isinstance(body, str) else ""


def _first(patterns: Sequence[re.Pattern[str]], words: str) -> int:
    return next(filter(None, (_number(each.search(words)) for each in patterns)), 0)


def _number(match: re.Match[str] | None) -> int:
    return _count(int(match[1].replace(",", ""))) if match else 0


def _count(value: object) -> int:
    return value if type(value) is int and 0 < value < _TOKENS_MAX else 0
