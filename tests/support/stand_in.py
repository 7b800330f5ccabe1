"""A stand-in of an endpoint on loopback: answers as a test says, and keeps what it was asked."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Body = dict[str, Any]
Answer = web.StreamResponse | None
"""None where the chat is answered as any endpoint does."""
SAID = "Nine bean rows."


@dataclass(slots=True)
class Asked:
    """A request that came."""

    path: str
    query: str
    headers: Mapping[str, str]
    body: Body

    @property
    def roles(self) -> list[str]:
        return [message["role"] for message in self.body.get("messages", ())]


@dataclass(slots=True)
class StandIn:
    """Where it is, and what it was asked."""

    root_url: str
    asked: list[Asked] = field(default_factory=list)

    @property
    def base_url(self) -> str:
        return f"{self.root_url}/v1"


def refusal(status: int, error: object, **headers: str) -> web.Response:
    """What an endpoint answers that takes no request like this one."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.json_response(error, status=status, headers=named)


def said(text: str = SAID) -> web.Response:
    """A whole stream."""
    chunks = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}},
    ]
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks]
    return web.Response(
        text="".join([*lines, "data: [DONE]\n\n"]), content_type="text/event-stream"
    )


@asynccontextmanager
async def stand_in(
    answer: Callable[[Asked], Answer] = lambda _: None, context: ssl.SSLContext | None = None
) -> AsyncIterator[StandIn]:
    """Serve while the block runs; what ``answer`` gives goes before the usual answer."""
    running = StandIn("")

    async def handle(request: web.Request) -> web.StreamResponse:
        text = await request.text()
        asked = Asked(
            request.path, request.query_string, dict(request.headers), json.loads(text or "{}")
        )
        running.asked.append(asked)
        return answer(asked) or said()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    running.root_url = f"{'https' if context else 'http'}://127.0.0.1:{port}"
    try:
        yield running
    finally:
        await runner.cleanup()
