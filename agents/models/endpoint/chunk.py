"""A chunk of an endpoint's stream as we want it, whichever provider's manner it has. Pure.

Used by `agents.models.endpoint.stream_reading`. Chunks come from outside, as JSON that nobody has
checked: what isn't as it should be counts as absent. A whole completion, as some endpoints send
though a stream was asked for, is a chunk whose ``message`` stands for the delta. What is known of
each provider is told in docs/endpoints.md, and played back from tests/streams.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import TypeGuard

from agents.models.endpoint.reported import worded
from agents.models.port import Delta

_TOKENS_MAX = 1 << 32
"""More than any call has; a count beyond it counts nothing."""
_DEPTH_MAX = 4
"""Of parts within parts of a text."""
_NOTHINGS = ("null", "none")
"""As what some write that there is no finish reason."""
_REASONINGS = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
"""Where reasoning stands; some send it twice, so the first one counts that has any."""
_TEXTS = ("content", "refusal")
_CODES = ("code", "status", "status_code", "error_code", "error_type")
"""What says that words without a choice are of an error."""
_SUCCESSES = frozenset({"0", "200", "ok", "success"})
"""What stands there, or for an error's words, where nothing is wrong."""


class AnswerEnd(Enum):
    """What a finish reason says of the text before it."""

    WHOLE = auto()
    LENGTH = auto()
    """The model had to stop."""
    FILTERED = auto()
    """It was taken back."""
    BROKEN = auto()
    """The endpoint gave up in the middle."""
    TOOLS = auto()
    """Tools are to be called, which nobody has offered: whole where there is text."""
    UNKNOWN = auto()
    """Nobody has said; the text counts all the same."""


_ENDS: Mapping[str, AnswerEnd] = {
    **dict.fromkeys(
        ("stop", "eos", "eos_token", "end_turn", "stop_sequence", "stop_token", "complete"),
        AnswerEnd.WHOLE,
    ),
    **dict.fromkeys(("completed", "done", "end", "finished"), AnswerEnd.WHOLE),
    **dict.fromkeys(("tool_calls", "tool_call", "tool_use", "function_call"), AnswerEnd.TOOLS),
    **dict.fromkeys(
        ("length", "max_tokens", "max_output_tokens", "max_length", "model_length"),
        AnswerEnd.LENGTH,
    ),
    **dict.fromkeys(
        ("content_filter", "content_filtered", "safety", "refusal"), AnswerEnd.FILTERED
    ),
    **dict.fromkeys(("recitation", "prohibited_content", "blocklist", "spii"), AnswerEnd.FILTERED),
    **dict.fromkeys(("sensitive", "guardrail_intervened"), AnswerEnd.FILTERED),
    **dict.fromkeys(("error", "abort", "aborted", "cancelled", "network_error"), AnswerEnd.BROKEN),
    "insufficient_system_resource": AnswerEnd.BROKEN,
}


def end_of(reason: str) -> AnswerEnd:
    """Return what a finish reason says, however it is written."""
    return _ENDS.get(reason.lower().replace("-", "_").replace(" ", "_"), AnswerEnd.UNKNOWN)


def error(chunk: object, *, is_named: bool = False) -> object:
    """Return what an endpoint reports instead of going on; None where it goes on.

    Args:
        chunk: what it sent.
        is_named: whether the event was named an error.
    """
    found = _field(chunk, "error") or _field(_choice(chunk), "error")
    if isinstance(found, dict):
        if is_named or any(_tells_of_error(value) for value in found.values()):
            return found
    elif found and isinstance(chunk, dict):
        # TGI says it in a word, with its kind beside it.
        return {**chunk, "message": worded(found)}
    errors = _field(chunk, "errors")
    if isinstance(errors, list) and errors:
        return errors[0]
    if is_named:
        return chunk
    is_told = remark(chunk) and (
        "error" in (_field(chunk, "object"), _field(chunk, "type"))
        or any(_tells_of_error(_field(chunk, name)) for name in _CODES)
    )
    return chunk if is_told else None


def _tells_of_error(value: object) -> bool:
    return bool(value) and str(value).lower() not in _SUCCESSES


def remark(chunk: object) -> str:
    """Return the words of what is no chunk of an answer, such as a gateway's; empty without any."""
    if isinstance(chunk, str):
        return chunk
    if not isinstance(chunk, dict) or "choices" in chunk or "usage" in chunk:
        return ""
    found = next((chunk[name] for name in ("message", "detail", "msg") if chunk.get(name)), "")
    return worded(found)


def deltas(chunk: object, *, has_spoken: bool = False, has_text: bool = False) -> list[Delta]:
    """Return the texts of a chunk, the reasoning first.

    A whole message at the end of a stream says all again: of it only what is new counts.

    Args:
        chunk: what the endpoint sent.
        has_spoken: whether a delta with text or reasoning came before it.
        has_text: whether one with text did.
    """
    choice = _choice(chunk)
    delta = _field(choice, "delta")
    if delta is not None:
        return _said(delta)
    message = None if has_text else _field(choice, "message")
    said = _said(message)
    if has_spoken:
        said = [each for each in said if not each.is_reasoning]
    # As of completions that are no chats.
    plain = _field(choice, "text")
    if (message is None or has_spoken) and isinstance(plain, str) and plain:
        said.append(Delta(plain))
    return said


def is_message(chunk: object) -> bool:
    """Say whether a chunk has its texts in a message, and not in a delta."""
    choice = _choice(chunk)
    return isinstance(choice, dict) and choice.get("delta") is None and "message" in choice


def _said(delta: object) -> list[Delta]:
    if not isinstance(delta, dict):
        return []
    said = [Delta(thought, is_reasoning=True)] if (thought := _reasoning(delta)) else []
    for name in _TEXTS:
        # Looked for before it is looked into: this is done for each token of an answer.
        if found := delta.get(name):
            if isinstance(found, str):
                said.append(Delta(found))
                continue
            said += [
                Delta(text, is_reasoning=is_thought)
                for text, is_thought in _pieces(found, is_reasoning=False)
            ]
    if not said:
        plain = delta.get("text")
        if isinstance(plain, str) and plain:
            said.append(Delta(plain))
    return said


def _reasoning(delta: Mapping[str, object]) -> str:
    for name in _REASONINGS:
        found = delta.get(name)
        if found and (said := "".join(text for text, _ in _pieces(found, is_reasoning=True))):
            return said
    return ""


def _pieces(value: object, *, is_reasoning: bool, depth: int = 0) -> Iterator[tuple[str, bool]]:
    """Yield the texts of what may be a text, a part with one, or a list of parts."""
    if isinstance(value, str):
        if value:
            yield value, is_reasoning
    elif depth >= _DEPTH_MAX:
        return
    elif isinstance(value, list):
        for part in value:
            yield from _pieces(part, is_reasoning=is_reasoning, depth=depth + 1)
    elif isinstance(value, dict):
        kind = value.get("type")
        is_reasoning |= isinstance(kind, str) and kind.startswith(("thinking", "reasoning"))
        for name in ("thinking", "summary", "text", "content"):
            if found := value.get(name):
                is_thought = is_reasoning or name in {"thinking", "summary"}
                yield from _pieces(found, is_reasoning=is_thought, depth=depth + 1)
                return


def finish_reason(chunk: object) -> str:
    """Return the finish reason of a chunk; empty where it has none."""
    found = _field(_choice(chunk), "finish_reason")
    if isinstance(found, dict):
        found = found.get("type")
    named = found.strip() if isinstance(found, str) else ""
    return "" if named.lower() in _NOTHINGS else named


def usage(chunk: object) -> tuple[int, int, int] | None:
    """Return the tokens of prompt and completion, where a chunk has them.

    The third number is how many of the prompt's the endpoint had read before, where it says so.
    """
    found = _field(chunk, "usage") or _field(_choice(chunk), "usage")
    found = found or _field(_field(chunk, "x_groq"), "usage")
    if not found:
        return None
    details = _field(found, "prompt_tokens_details")
    tokens = [_field(found, name) for name in ("prompt_tokens", "completion_tokens")]
    tokens.append(_field(details, "cached_tokens") or _field(found, "prompt_cache_hit_tokens"))
    prompt, completion, cached = (count if _is_count(count) else 0 for count in tokens)
    return (prompt, completion, min(cached, prompt)) if prompt or completion else None


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < _TOKENS_MAX


def _choice(chunk: object) -> object:
    choices = _field(chunk, "choices")
    return choices[0] if isinstance(choices, list) and choices else None


def _field(value: object, name: str) -> object:
    return value.get(name) if isinstance(value, dict) else None
