"""An OpenAI-compatible server that plays the agents' parts with exact timing, and logs everything.

For benchmarks and tests: ``python -m benchmarks.model_server --ttft-s 0.3 --tokens-per-s 50``, or
`model_server` in process. The words are `agents.models.simulated.script`'s or, for the models named
in `benchmarks.workloads`, theirs; what goes wrong on request is in `benchmarks.model_faults`, which
calls are slow in `benchmarks.slow_calls`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

from aiohttp import web

from agents.models.local.side_process import die_with_parent, write_ready
from agents.models.port import Asker, Message, Request
from agents.models.simulated.model import Timing
from agents.models.simulated.parts import reply
from agents.models.simulated.script import NO_LINES, Line, Lines, load_lines
from benchmarks import model_faults as faults
from benchmarks.model_faults import Fault
from benchmarks.slow_calls import SlowCalls
from benchmarks.workloads import WORKLOADS

MODEL = "simulated"
_KEPT_HEADERS = ("X-Fleetmind-Task", "X-Fleetmind-Agent", "X-Fleetmind-Step", "traceparent")
_BODY_BYTES_MAX = 16 << 20
_SLOW = Timing(tokens_per_s=1.0)


@dataclass(slots=True)
class Entry:
    """One request in the log. Times are `time.monotonic`, one clock for a machine's processes."""

    received: float
    path: str
    model: str
    headers: dict[str, str]
    prompt: list[dict[str, Any]]
    options: dict[str, Any]
    """The rest of the request's body."""
    first_token: float | None = None
    last_token: float | None = None
    ended_at: float | None = None
    tokens: int = 0
    written: list[float] = field(default_factory=list)
    """When each token was."""
    ended: str = "cancelled"
    """``finished``, ``cancelled`` by the client, or ``fault``."""

    @property
    def prompt_characters(self) -> int:
        """How long the prompt is."""
        return sum(len(str(part.get("content"))) for part in self.prompt)

    @property
    def task(self) -> str:
        """The task it was asked for."""
        return self.headers["X-Fleetmind-Task"]

    @property
    def agent(self) -> str:
        """The role that asked."""
        return self.headers["X-Fleetmind-Agent"]

    @property
    def step(self) -> str:
        """The step it was asked for."""
        return self.headers["X-Fleetmind-Step"]


@dataclass(slots=True)
class ModelServer:
    """The server's state: how fast it is, what it says, what it was asked."""

    timing: Timing = field(default_factory=Timing)
    lines: Lines = field(default_factory=lambda: NO_LINES)
    file: TextIO | None = None
    slow_calls: SlowCalls = field(default_factory=SlowCalls)
    tokens_per_event: int = 1
    """How many tokens of a stream come at once, when the last of them is due."""
    log: list[Entry] = field(default_factory=list)
    listed: int = 0
    """How often it was asked which models it has."""
    root_url: str = ""
    connections: Callable[[], int] = lambda: 0
    """Counts the open ones, once it serves."""
    _struck: Counter[str] = field(default_factory=Counter)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def base_url(self) -> str:
        """What goes into OPENAI_BASE_URL."""
        return f"{self.root_url}/v1"

    def fault_url(self, name: str) -> str:
        """Return the base URL at which everything goes wrong in one way."""
        return f"{self.root_url}/fault/{name}/v1"

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds that the log decides."""
        while not holds():
            self._changed.clear()
            await self._changed.wait()

    def app(self) -> web.Application:
        """Return the application, to be run with handler_cancellation."""
        app = web.Application(client_max_size=_BODY_BYTES_MAX)
        for prefix in ("", "/fault/{fault}"):
            app.router.add_get(f"{prefix}/v1/models", self._models)
            app.router.add_post(f"{prefix}/v1/chat/completions", self._complete)
        app.router.add_get("/counts", self._counts)
        app.router.add_post("/script", self._change_lines)
        return app

    async def _counts(self, _: web.Request) -> web.Response:
        """Say what is open; this request's own connection is not counted."""
        running = sum(entry.ended_at is None for entry in self.log)
        counts = {
            "requests": len(self.log),
            "running": running,
            "slow": self.slow_calls.count,
            "connections": self.connections() - 1,
        }
        return web.json_response(counts)

    async def _change_lines(self, request: web.Request) -> web.Response:
        """Say from now on what a script's file says."""
        self.lines = await asyncio.to_thread(load_lines, Path(await request.text()))
        return web.Response()

    async def _models(self, _: web.Request) -> web.Response:
        self.listed += 1
        names = [MODEL, *WORKLOADS]
        return web.json_response(
            {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}
        )

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        received = time.monotonic()
        body = await request.json()
        entry = Entry(
            received=received,
            path=request.path,
            model=body.pop("model", ""),
            headers={name: request.headers.get(name, "") for name in _KEPT_HEADERS},
            prompt=body.pop("messages", []),
            options=body,
        )
        self.log.append(entry)
        self._changed.set()
        try:
            return await self._answer(request, entry)
        except ConnectionResetError:  # the client has left
            return web.Response()
        finally:
            entry.ended_at = time.monotonic()
            self._changed.set()
            if self.file is not None:
                self.file.write(json.dumps(asdict(entry)) + "\n")
                self.file.flush()

    async def _answer(self, request: web.Request, entry: Entry) -> web.StreamResponse:
        fault = self._fault(request.match_info.get("fault", ""))
        struck = faults.refused_for_length(
            fault, entry.prompt_characters, entry.options
        ) or await faults.strike(fault, request, entry.options)
        if struck is not None:
            entry.ended = "fault"
            return struck
        said = reply(_request(entry), WORKLOADS.get(entry.model, self.lines))
        timing = self.slow_calls.timing_of(entry.task, entry.step, self.timing)
        if fault.kind == faults.SLOW:
            timing = _SLOW
        answer = _Answer(entry, said, fault, timing, self.tokens_per_event)
        return await (answer.stream(request) if entry.options.get("stream") else answer.whole())

    def _fault(self, name: str) -> Fault:
        fault = Fault.parse(name) if name else Fault()
        self._struck[name] += 1
        is_over = fault.times is not None and self._struck[name] > fault.times
        return Fault() if is_over else fault


def _request(entry: Entry) -> Request:
    """Return a logged request as the script's reader knows it."""
    messages = tuple(Message(part["role"], str(part["content"])) for part in entry.prompt)
    asker = Asker(agent=entry.agent, step=entry.step)
    return Request(messages, asker, wants_json="response_format" in entry.options)


class _Answer:
    """One answer on its way: pieces on an absolute schedule, and the fault that befalls it."""

    def __init__(
        self, entry: Entry, said: Line, fault: Fault, timing: Timing, per_event: int
    ) -> None:
        self._entry = entry
        self._fault = fault.kind
        self._timing = timing
        pieces = said.pieces()
        options = entry.options
        limit = options.get("max_tokens") or options.get("max_completion_tokens") or len(pieces)
        if fault.kind == faults.LENGTH:
            limit = len(pieces) // 2
        self._pieces = pieces[:limit]
        self._reason = "stop" if len(self._pieces) == len(pieces) else "length"
        if fault.kind == faults.FILTERED:
            self._reason = "content_filter"
        self._half = (len(self._pieces) + 1) // 2
        self._events = [
            range(first, min(first + per_event, len(self._pieces)))
            for first in range(0, len(self._pieces), per_event)
        ]
        """The tokens of each."""

    async def whole(self) -> web.Response:
        """Answer in one piece when the last token is due."""
        for tokens in self._events:
            await self._due(tokens)
        self._entry.ended = "finished"
        message = {"role": "assistant", "content": "".join(self._pieces)}
        choice = {"index": 0, "message": message, "finish_reason": self._reason}
        return web.json_response(
            {**_HEAD, "object": "chat.completion", "choices": [choice], "usage": self._usage()}
        )

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Answer token by token."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for tokens in self._events:
            if self._half in tokens and await self._strike(request, response):
                self._entry.ended = "fault"
                return response
            await self._due(tokens)
            is_reasoning = self._fault == faults.REASONING and tokens.start < self._half
            text = "".join(self._pieces[tokens.start : tokens.stop])
            await response.write(_event({"reasoning_content" if is_reasoning else "content": text}))
        if self._fault != faults.NO_REASON:
            await response.write(_event({}, self._reason))
        wants_usage = self._entry.options.get("stream_options", {}).get("include_usage")
        if wants_usage and self._fault != faults.NO_USAGE:
            await response.write(_data({**_HEAD, "choices": [], "usage": self._usage()}))
        if self._fault != faults.NO_MARK:
            await response.write(b"data: [DONE]\n\n")
        self._entry.ended = "finished"
        return response

    async def _due(self, tokens: range) -> None:
        """Wait for the last token's time: the schedule is absolute, so nothing adds up."""
        entry = self._entry
        left_s = entry.received + self._timing.due_s(tokens[-1]) - time.monotonic()
        if left_s > 0.0:
            await asyncio.sleep(left_s)
        entry.last_token = time.monotonic()
        entry.first_token = entry.first_token or entry.last_token
        entry.written += [entry.last_token] * len(tokens)
        entry.tokens = tokens.stop

    async def _strike(self, request: web.Request, response: web.StreamResponse) -> bool:
        """Let the fault befall the half-finished stream; say whether that is its end."""
        if self._fault == faults.STALL:
            await asyncio.Event().wait()
        if self._fault == faults.CUT and request.transport is not None:
            request.transport.abort()
        if self._fault == faults.ERROR_EVENT:
            await response.write(_data({"error": {"message": "the model ran out of memory"}}))
        return self._fault in {faults.CUT, faults.CUT_CLEAN, faults.ERROR_EVENT}

    def _usage(self) -> dict[str, float]:
        if self._fault == faults.NAN_USAGE:
            return {"prompt_tokens": math.nan, "completion_tokens": -7, "total_tokens": 10**100}
        prompt = sum(len(Line(str(part.get("content"))).pieces()) for part in self._entry.prompt)
        completion = len(self._pieces)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }


_HEAD = {"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 0, "model": MODEL}


def _event(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return _data({**_HEAD, "choices": [choice]})


def _data(chunk: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(chunk)}\n\n".encode()


@asynccontextmanager
async def model_server(
    timing: Timing | None = None, lines: Lines = NO_LINES, *, port: int = 0
) -> AsyncIterator[ModelServer]:
    """Serve on loopback for as long as the context lasts."""
    async with _serving(ModelServer(timing or Timing(), lines), port) as server:
        yield server


@asynccontextmanager
async def _serving(server: ModelServer, port: int) -> AsyncIterator[ModelServer]:
    runner = web.AppRunner(
        server.app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.0
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        server.root_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        served = runner.server
        server.connections = lambda: len(served.connections) if served else 0
        yield server
    finally:
        await runner.cleanup()


async def _serve(options: argparse.Namespace, file: TextIO | None) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    timing = Timing(options.ttft_s, options.tokens_per_s)
    lines = load_lines(options.script) if options.script else NO_LINES
    slow_calls = SlowCalls(options.slow_share)
    state = ModelServer(timing, lines, file, slow_calls, options.tokens_per_event)
    async with _serving(state, options.port) as server:
        print(server.base_url, flush=True)
        if options.ready_file:
            write_ready(options.ready_file, server.base_url)
        await stopping.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model_server")
    parser.add_argument("--port", type=int, default=0, help="0 is any free port")
    parser.add_argument("--ready-file", type=Path, help="gets the base URL once it serves")
    parser.add_argument("--parent", type=int, default=0, help="process to die with")
    parser.add_argument("--ttft-s", type=float, default=0.0, help="time to the first token")
    parser.add_argument("--tokens-per-s", type=float, default=math.inf)
    parser.add_argument("--tokens-per-event", type=int, default=1, help="of a stream")
    parser.add_argument("--slow-share", type=float, default=0.0, help="of calls: ten times slower")
    parser.add_argument("--script", type=Path, help="TOML or JSON: what is said at each step")
    parser.add_argument("--log", type=Path, help="JSON lines, one a request, written at its end")
    options = parser.parse_args(arguments)
    if options.parent:
        die_with_parent(options.parent)
    if options.log is None:
        asyncio.run(_serve(options, None))
    else:
        with options.log.open("a", encoding="utf-8") as file:
            asyncio.run(_serve(options, file))
    return 0


if __name__ == "__main__":
    sys.exit(main())
