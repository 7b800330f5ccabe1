"""Streams whose chunks are not quite OpenAI's: what is found in them in place of text. Pure.

Used by `agents.models.endpoint.stream_reading`.
"""

from __future__ import annotations

from collections.abc import Callable

_NAMES_MAX = 4
_NAME_LENGTH_MAX = 40
"""Of a field's name, as far as it is printed."""
_KNOWN = frozenset(
    {
        *("content", "refusal", "text", "reasoning_content", "reasoning", "reasoning_details"),
        *("thinking", "role", "name", "tool_calls", "function_call", "audio"),
        *("annotations", "reasoning_signature", "signature", "choices", "usage", "x_groq", "code"),
        *("id", "object", "type", "model", "created", "created_at", "system_fingerprint"),
        *("service_tier", "provider", "message", "detail", "msg", "error", "errors", "status"),
        *("index", "finish_reason", "native_finish_reason", "stop_reason", "logprobs", "delta"),
        *("status_code", "error_code", "error_type"),
    }
)
"""Fields of a chunk, its choice or its delta that stand beside the text, or are read as it."""


class Untold:
    """What came before any text, and was none."""

    def __init__(self, quote: Callable[[object], str]) -> None:
        """Begin with nothing; ``quote`` makes what an endpoint said fit to be printed."""
        self._quote = quote
        self.remark = ""
        """The last words that were no part of an answer."""
        self._names: set[str] = set()
        """Of fields with something like text, which no endpoint is known to have."""
        self._chunks = 0
        """With such fields."""

    def take(self, value: object, remark: str) -> None:
        """Look what a chunk has in place of text; it may have words that are no part of one."""
        self.remark = remark or self.remark
        names = unknown_fields(value)
        self._chunks += bool(names)
        if len(self._names) < _NAMES_MAX:
            quoted = map(self._quote, sorted(names)[:_NAMES_MAX])  # before it is cut
            self._names.update(name[:_NAME_LENGTH_MAX] for name in quoted)

    def story(self) -> str:
        """Return what an endpoint has sent that sent nothing else; empty where it is no such."""
        if not self._names or self.remark:
            return ""
        names = ", ".join(repr(name) for name in sorted(self._names)[:_NAMES_MAX])
        count = "a chunk" if self._chunks == 1 else f"{self._chunks:,} chunks"
        return f"{count} without any text that is known (what there is: {names})"


def unknown_fields(value: object) -> list[str]:
    """Return the fields in which a chunk without any text that is known may have it."""
    place = value
    if isinstance(value, dict) and "choices" in value:
        choices = value["choices"]
        place = choices[0] if isinstance(choices, list) and choices else None
    if isinstance(place, dict):
        place = place.get("delta") or place.get("message") or place
    if not isinstance(place, dict):
        return []
    return [
        name
        for name, found in place.items()
        if name not in _KNOWN and isinstance(found, str | list | dict) and found
    ]
