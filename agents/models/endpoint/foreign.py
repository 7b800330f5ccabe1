"""Streams whose chunks are not quite OpenAI's: what is found in them, and said of them. Pure.

Used by `agents.models.endpoint.stream_reading` and by whoever asks it.
"""

from __future__ import annotations

from agents.models.endpoint import chunk
from agents.models.endpoint.trouble import Endpoint, Trouble
from agents.models.endpoint.unreached import LOOK_AT_LOG
from agents.models.port import Restarted

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

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.remark = ""
        """The last words that were no part of an answer."""
        self._names: set[str] = set()
        """Of fields with something like text, which no endpoint is known to have."""
        self._chunks = 0
        """With such fields."""

    def take(self, value: object) -> None:
        """Look what a chunk has in place of text."""
        self.remark = chunk.remark(value) or self.remark
        names = unknown_fields(value)
        self._chunks += bool(names)
        if len(self._names) < _NAMES_MAX:
            quoted = map(self._endpoint.quote, sorted(names)[:_NAMES_MAX])  # before it is cut
            self._names.update(name[:_NAME_LENGTH_MAX] for name in quoted)

    def trouble(self) -> Trouble | None:
        """Return what is said of a stream that had nothing else; None where it had no such field.

        It would be the same if it was asked again.
        """
        if not self._names or self.remark:
            return None
        names = ", ".join(repr(name) for name in sorted(self._names)[:_NAMES_MAX])
        count = "a chunk" if self._chunks == 1 else f"{self._chunks:,} chunks"
        what = f"{self._endpoint} sent {count} without any text that is known"
        remedy = "ask it by the way that speaks OpenAI's chat completions"
        return Trouble(f"{what} (what there is: {names})", remedy)


def began_anew(endpoint: Endpoint) -> Restarted:
    """Return what is said where each chunk of a stream turns out to have all of the text."""
    return Restarted(f"{endpoint} repeats all of its text in each chunk: it is read as that")


def contradicted(endpoint: Endpoint) -> Trouble:
    """Return the trouble of chunks with all of the text so far, that can't be read as that."""
    what = f"{endpoint} repeats all of its text in each chunk, and part of it was read otherwise"
    return Trouble(what, LOOK_AT_LOG, is_retryable=True)


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
