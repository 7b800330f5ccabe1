"""A request as an endpoint wants it. Pure; its answer is read by `agents.models.endpoint.chunk`."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Mapping
from itertools import groupby
from urllib.parse import quote

from agents.models.port import Asker, Request

_HEADER_SAFE = " !#$&'()*+,/:;=?@[]~"

# Parts of a request that an endpoint may refuse, each with the name it may go by instead.
_OPTIONAL = {
    "prediction": "",
    "response_format": "",
    "stream_options": "",
    "temperature": "",
    "max_tokens": "max_completion_tokens",
}
# Those that old and small endpoints refuse without saying which it was.
_OFTEN_REFUSED = ("prediction", "response_format", "stream_options")

SYSTEM_ROLE = "system role"
"""Refused by chat templates that know a user and an assistant only, as those of the first Gemma and
Mistral models."""
_ROLE = (
    r"(?:\broles?\b|\b(?:system|developer)\s(?:role|message|prompt|instruction|turn)s?\b|"
    r"['\"`](?:system|developer)\b)"
)
_NOT_TAKEN = (
    r"(?:\b(?:not|isn't|aren't|doesn't)\s(?:\w+\s)?(?:support|allow|enable|permit|accept|valid)|"
    r"\b(?:unsupported|unknown|unexpected|invalid|only|must|should|alternate)\b)"
)
_ABOUT_ROLES = re.compile(
    rf"{_ROLE}[^.!]{{0,60}}{_NOT_TAKEN}|{_NOT_TAKEN}[^.!]{{0,60}}{_ROLE}|"
    r"\b(?:message|conversation)\b[^.!]{0,40}\b(?:must|should|has\sto)\b[^.!]{0,40}\buser\b",
    re.IGNORECASE,
)
"""A role, and beside it in one sentence that it isn't taken. Either word alone tells nothing: an
endpoint's system fails too, and an account has a role."""


def messages(request: Request, refused: Collection[str] = frozenset()) -> list[dict[str, str]]:
    """Return the messages as the endpoint wants them.

    Where it refuses the role of the system, what that says begins what the user says; and since
    such an endpoint mostly wants its roles in turns, neighbours of one role become one message.
    """
    said = [(message.role, message.text) for message in request.messages]
    if SYSTEM_ROLE in refused:
        said = _folded(said)
    return [{"role": role, "content": text} for role, text in said]


def _folded(said: list[tuple[str, str]]) -> list[tuple[str, str]]:
    rules = [("user", text) for role, text in said if role == "system"]
    rest = [each for each in said if each[0] != "system"]
    turns = groupby([*rules, *rest], key=lambda each: each[0])
    return [(role, "\n\n".join(text for _, text in each)) for role, each in turns]


def headers(asker: Asker, rng: random.Random) -> dict[str, str]:
    """Return the headers that say who asks; without a trace, one of its own begins."""
    trace = asker.traceparent or f"00-{rng.getrandbits(128):032x}-{rng.getrandbits(64):016x}-00"
    named = {
        "X-Fleetmind-Task": asker.task,
        "X-Fleetmind-Agent": asker.agent,
        "X-Fleetmind-Step": asker.step,
        "traceparent": trace,
    }
    # Step ids come from models: a line break in one must not become a header.
    return {name: quote(value, _HEADER_SAFE) for name, value in named.items()}


def parts(
    request: Request,
    refused: frozenset[str],
    *,
    answer_tokens_max: int | None = None,
    with_schema: bool = False,
    with_prediction: bool = False,
) -> dict[str, object]:
    """Return the parts of a request beside model and messages, without the refused ones.

    An answer is bounded by ``answer_tokens_max`` where the request allows more.
    """
    wanted: dict[str, object] = {"stream_options": {"include_usage": True}}
    if with_prediction and request.prediction:
        wanted["prediction"] = {"type": "content", "content": request.prediction}
    if request.wants_json:
        wanted["response_format"] = _response_format(request.json_schema if with_schema else None)
    if request.tokens_max is not None:
        wanted["max_tokens"] = min(request.tokens_max, answer_tokens_max or request.tokens_max)
    if request.temperature is not None:
        wanted["temperature"] = request.temperature
    for part in refused & wanted.keys():
        value = wanted.pop(part)
        if instead := _OPTIONAL[part]:
            wanted[instead] = value
    return wanted


def _response_format(schema: Mapping[str, object] | None) -> dict[str, object]:
    if schema is None:
        return {"type": "json_object"}
    named = {"name": "answer", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": named}


def refused_part(said: str, sent: Collection[str], *, is_broken: bool = False) -> str | None:
    """Return the part of a request that an endpoint's complaint is about, as far as can be told.

    Args:
        said: the complaint.
        sent: the names of the parts, `SYSTEM_ROLE` among them where a message has that.
        is_broken: whether the endpoint says that it has failed. Some do where the chat template
            refuses a role, and only that is believed of a failure.
    """
    is_about_roles = SYSTEM_ROLE in sent and _ABOUT_ROLES.search(said) is not None
    if is_broken:
        return SYSTEM_ROLE if is_about_roles else None
    named = [part for part in _OPTIONAL if part in sent and part in said]
    if is_about_roles and not named:
        return SYSTEM_ROLE
    likely = [part for part in _OFTEN_REFUSED if part in sent]
    return next(iter(named or likely), None)
