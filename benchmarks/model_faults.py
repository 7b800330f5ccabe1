"""What can be wrong with a model endpoint, by name: the model server plays it on request.

A client picks a fault by its base URL: ``/fault/NAME/v1``. ``NAMExN`` goes wrong for the first N
requests only.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

from aiohttp import web

_NAME = re.compile(r"(?P<kind>[a-z0-9-]+?)(?:-after-(?P<after>[0-9.]+))?(?:x(?P<times>\d+))?")
_BLOCK = b"x" * 65536
_WORDS = b'data: {"choices": [{"delta": {"content": "' + b"words without end " * 500 + b'"}}]}\n\n'
_DRIP_S = 0.02

NO_FAULT = ""
SLOW = "slow"
"""One token a second."""
STALL = "stall"
"""Silence after half of the answer."""
CUT = "cut"
"""The connection breaks after half of the answer."""
CUT_CLEAN = "cut-clean"
"""The stream ends in order after half of the answer, without a finish reason."""
ERROR_EVENT = "error-event"
"""An error event after half of the answer, under 200."""
REASONING = "reasoning"
"""The first half comes as reasoning_content; not a fault, but a thing to be ready for."""
FILTERED = "content-filter"
LENGTH = "length"
"""The model may say no more after half of its answer, and that is its finish reason."""
NO_USAGE = "no-usage"
"""The usage never comes, though asked for."""
NAN_USAGE = "nan-usage"
"""The usage is of numbers that count nothing."""
NO_MARK = "no-mark"
"""The stream ends after its finish reason, without the mark of its end."""
NO_REASON = "no-reason"
"""The whole answer comes, and the stream ends with its mark, without a finish reason."""
WINDOW = 2_048
"""Of the endpoints that have a small one, in tokens."""
CHARACTERS_PER_TOKEN = 4
"""As these endpoints count."""

_SSE = "text/event-stream"
_SAID = 'data: {"choices": [{"delta": {"content": "Ni"}}]}\n\n'
_SAID_LAST = 'data: {"choices": [{"delta": {"content": "ne"}, "finish_reason": "stop"}]}\n\n'
_TOOL_CALL = (
    'data: {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "search", '
    '"arguments": "{\\"query\\": [}"}}]}}]}\n\n'
    'data: {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]}\n\ndata: [DONE]\n\n'
)
_EMPTY_CHOICE = 'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
_HUGE_CHUNK = f'data: {{"choices": [], "padding": [{"0," * 1_000_000}0]}}\n\n'
_WHOLE = '{"choices": [{"message": {"content": "Nine"}, "finish_reason": "stop"}]}'
_CANNED = {
    "tool-args": (_SSE, _TOOL_CALL),
    "no-choice": (_SSE, 'data: {"choices": []}\n\ndata: [DONE]\n\n'),
    "empty-choice": (_SSE, _EMPTY_CHOICE),
    "huge-json": (_SSE, _HUGE_CHUNK),
    "whole-json": ("application/json", _WHOLE),
    "garbage": ("text/html", "<html><body>It works!</body></html>"),
    "bad-json": (_SSE, 'data: {"choices": [\n\n'),
    "deep-json": (_SSE, f"data: {'[' * 200_000}\n\n"),
    "odd-json": (_SSE, 'data: 7\n\ndata: [null]\n\ndata: {"choices": [{"delta": []}]}\n\n'),
    "error-first": (_SSE, 'data: {"error": {"message": "the model crashed"}}\n\n'),
    "empty": (_SSE, ""),
    "done-only": (_SSE, "data: [DONE]\n\n"),
    "no-done": (_SSE, f"{_SAID}{_SAID_LAST}"),
    "half-line": (_SSE, f"{_SAID}{_SAID_LAST[:50]}"),
}


_REFUSED_PARTS = {
    "no-json": (("response_format",), "'response_format' of type 'json_object' is not supported"),
    "no-prediction": (("prediction",), "Unsupported parameter: 'prediction' is not supported"),
    "no-options": (
        ("prediction", "response_format", "stream_options"),
        "extra inputs are not permitted",
    ),
}
"""Parts of a request that a fault refuses, and in which words."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault as its name says it."""

    kind: str = NO_FAULT
    retry_after_s: str = ""
    times: int | None = None
    """How many requests it strikes; all where there is none."""

    @classmethod
    def parse(cls, name: str) -> Fault:
        """Return the fault of a name."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise web.HTTPNotFound(text=f"no fault is named {name}")
        times = match["times"]
        return cls(match["kind"], match["after"] or "", int(times) if times else None)


async def strike(fault: Fault, request: web.Request, body: object) -> web.StreamResponse | None:
    """Answer a request as a fault wants it; None where it strikes later in the stream."""
    if fault.kind.isdigit():
        return _refusal(fault, request)
    if fault.kind in _REFUSED_PARTS:
        parts, said = _REFUSED_PARTS[fault.kind]
        return _error(400, said) if _has(body, *parts) else None
    if fault.kind == "hang":
        await asyncio.Event().wait()
    if fault.kind in _ENDLESS:
        return await _endless(request, *_ENDLESS[fault.kind])
    if fault.kind in _CANNED:
        content_type, text = _CANNED[fault.kind]
        return web.Response(text=text, content_type=content_type)
    return None


def refused_for_length(fault: Fault, characters: int, body: object) -> web.Response | None:
    """Answer as an endpoint whose window a prompt doesn't fit into; None where it does.

    Most count the answer that was asked for too; llama.cpp ends it where the window ends.
    """
    prompt_tokens = characters // CHARACTERS_PER_TOKEN
    answer = body.get("max_tokens") or 0 if isinstance(body, dict) else 0
    asked = prompt_tokens + answer
    said = f"This model's maximum context length is {WINDOW} tokens. However, "
    match fault.kind:
        case "window-openai" if asked > WINDOW:
            said += f"your messages resulted in {prompt_tokens} tokens. Please reduce the length."
            return _error(400, said, code="context_length_exceeded")
        case "window-vllm" if asked > WINDOW:
            parts = f"({prompt_tokens} in the messages, {answer} in the completion)"
            return _error(400, f"{said}you requested {asked} tokens {parts}.")
        case "window-llama" if prompt_tokens > WINDOW:
            said = f"request ({prompt_tokens} tokens) exceeds the available context size"
            counts = {"n_prompt_tokens": prompt_tokens, "n_ctx": WINDOW}
            error = {"code": 400, "message": said, "type": "exceed_context_size_error", **counts}
            return web.json_response({"error": error}, status=400)
    return None


def _has(body: object, *keys: str) -> bool:
    return isinstance(body, dict) and any(key in body for key in keys)


def _refusal(fault: Fault, request: web.Request) -> web.Response:
    """Refuse with a status; 401 quotes the key, as some endpoints do."""
    status = int(fault.kind)
    said = f"scripted to answer {status}"
    if status == web.HTTPUnauthorized.status_code:
        said = f"Incorrect API key provided: {request.headers.get('Authorization', '')[7:]}"
    return _error(status, said, fault.retry_after_s)


def _error(
    status: int, message: str, retry_after_s: str = "", code: str | None = None
) -> web.Response:
    headers = {"Retry-After": retry_after_s} if retry_after_s else {}
    error = {"message": message, "type": "scripted", "code": code}
    return web.json_response({"error": error}, status=status, headers=headers)


_ENDLESS = {"endless": (_BLOCK, 0.0), "drip": (_BLOCK[:1], _DRIP_S), "babble": (_WORDS, 0.0)}
"""An event that never ends, in large blocks or byte by byte; and an answer that never does."""


async def _endless(request: web.Request, block: bytes, pause_s: float) -> web.StreamResponse:
    """Send the same again and again."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    while True:
        await response.write(block)
        await asyncio.sleep(pause_s)
