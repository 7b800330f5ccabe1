"""What a user adds to every request of a model, options and headers: which can be, which are ours.

Pure. Called by `agents.models.uri` before a model is built; `agents.models.endpoint.chat` makes the
parts of a request that are ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType

from cluster.kernel.errors import UsageError

_OURS: Mapping[str, str] = {
    "model": "[model] uri names it",
    "messages": "the agents write them",
    "stream": "answers are always streamed",
    "stream_options": "the usage is always asked for",
    "n": "one answer is read",
    "n_cmpl": "one answer is read",
    "tools": "no agent calls any",
    "tool_choice": "no agent calls any",
    "functions": "no agent calls any",
    "function_call": "no agent calls any",
    "response_format": "the agents ask for what they read",
    "max_tokens": "[model] tokens_max bounds it",
    "max_completion_tokens": "[model] tokens_max bounds it",
    "n_predict": "[model] tokens_max bounds it",
    "truncate_prompt_tokens": "[model] fit shortens prompts, and says so",
    "prediction": "[model.engine] predicted_outputs switches it on",
}
"""What a request says that nobody else may, each with what decides it instead."""

_OUR_HEADERS = frozenset(
    {
        *("accept", "accept-encoding", "content-encoding", "content-length", "content-type"),
        *("connection", "te", "trailer", "transfer-encoding", "upgrade", "traceparent"),
    }
)
_OUR_PREFIX = "x-fleetmind-"
_KEY_HEADERS = frozenset({"authorization", "api-key", "x-api-key"})
"""Headers that say in place of ours who asks: Azure's is ``api-key``."""
_SCHEMES = frozenset({"basic", "bearer", "digest", "token"})
"""What stands before the secret in a header that says who asks (RFC 9110, section 11.4)."""
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def check_options(options: Mapping[str, object]) -> None:
    """Look whether options can be part of every request.

    Raises:
        UsageError: one is ours to say, or what they hold is no JSON.
    """
    for name in options:
        if name in _OURS:
            raise UsageError(f"engine.options.{name} is not for options: {_OURS[name]}")
    try:
        json.dumps(options, allow_nan=False)
    except ValueError as error:
        raise UsageError(f"engine.options can't be sent as JSON: {error}") from error


def check_headers(headers: Mapping[str, str]) -> None:
    """Look whether headers can be part of every request; the sentence never has what one holds.

    Raises:
        UsageError: one is ours to say, or can't be sent.
    """
    for name, value in headers.items():
        spelled = name.lower()
        if not _HEADER_NAME.fullmatch(name):
            raise UsageError(f"headers: {name!r} is no name of an HTTP header")
        if spelled in _OUR_HEADERS or spelled.startswith(_OUR_PREFIX):
            raise UsageError(f"headers.{name} is not for settings: it says what a request is")
        if (at := _unsendable(value)) is not None:
            raise UsageError(f"headers.{name} can't be sent: {at}")


def check_key(api_key: str) -> None:
    """Look whether a key can be sent; the sentence never has it.

    Raises:
        UsageError: it has characters that no key has.
    """
    if (at := _unsendable(api_key)) is not None:
        raise UsageError(
            f"the API key can't be sent: {at}; copy it again, into OPENAI_API_KEY or the file of"
            " api_key_path"
        )


def check_variable(name: str, value: str) -> None:
    """Look whether a header can hold a variable of the environment; the sentence never has it.

    Raises:
        UsageError: it has characters that no header can hold.
    """
    if (at := _unsendable(value)) is not None:
        raise UsageError(f"{name} can't be sent: {at}; set it again, or unset it")


def _unsendable(value: str) -> str | None:
    """Return what of a header's value can't be sent, and where; None where all can."""
    place = _PRINTABLE.match(value)
    end = place.end() if place else 0
    if end == len(value):
        return None
    kind = "a control character" if value[end].isascii() else "not ASCII"
    return f"character {end + 1} of its {len(value)} is {kind}"


def has_key(headers: Mapping[str, str]) -> bool:
    """Say whether headers tell by themselves who asks."""
    return any(name.lower() in _KEY_HEADERS for name in headers)


def secrets_in(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return what of headers must not be printed: each value, and of one with blanks each part.

    An endpoint that complains of a key mostly repeats it without the scheme before it. The longest
    come first, so that none is broken by a part of it.
    """
    found = {part for value in headers.values() for part in (value, *value.split())}
    return tuple(sorted((each for each in found if each.lower() not in _SCHEMES), key=len))[::-1]
