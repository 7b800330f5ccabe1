"""A request as an endpoint wants it. Pure; its answer is read by `agents.models.endpoint.chunk`."""

from __future__ import annotations

import random
from collections.abc import Mapping
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


def messages(request: Request) -> list[dict[str, str]]:
    """Return the messages as the endpoint wants them."""
    return [{"role": message.role, "content": message.text} for message in request.messages]


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
    with_schema: bool = False,
    with_prediction: bool = False,
) -> dict[str, object]:
    """Return the parts of a request beside model and messages, without the refused ones."""
    wanted: dict[str, object] = {"stream_options": {"include_usage": True}}
    if with_prediction and request.prediction:
        wanted["prediction"] = {"type": "content", "content": request.prediction}
    if request.wants_json:
        wanted["response_format"] = _response_format(request.json_schema if with_schema else None)
    if request.tokens_max is not None:
        wanted["max_tokens"] = request.tokens_max
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


def refused_part(said: str, sent: Mapping[str, object]) -> str | None:
    """Return the part of a request that an endpoint's complaint is about, as far as can be told."""
    named = [part for part in _OPTIONAL if part in sent and part in said]
    likely = [part for part in _OFTEN_REFUSED if part in sent]
    return next(iter(named or likely), None)
