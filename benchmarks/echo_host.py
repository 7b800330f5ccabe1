"""The other process of the messaging benchmark: an agent, or a bare grpc.aio stream.

`python -m benchmarks.echo_host agent --redis URL` or `grpc` instead; prints its address, then
serves until its standard input ends. The agent echoes, or emits tokens, or relays the tokens that
another agent emits.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc
import uvloop
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from cluster.kernel.clock import SystemClock
from cluster.kernel.events import Thought
from cluster.kernel.ids import AgentId, role_of
from cluster.kernel.turn import Turn
from cluster.memory.store.redis import RedisStore
from cluster.runtime.host import AgentProfile, Host
from cluster.runtime.messaging.sender import Sender, Unobserved
from cluster.runtime.observers.spans import Spans
from cluster.runtime.turns.handler import Handler
from cluster.runtime.turns.running_turn import RunningTurn
from cluster.transport.grpc_exchange import GrpcTransport
from cluster.transport.nearest import nearest_transport
from cluster.transport.port import Transport
from cluster.wire.messages import MessageCodec

TOKEN = "benchmark"  # noqa: S105 - of a cluster that lives for one measurement
TOKEN_INTERVAL_S = 0.005
TOKENS_PER_TURN = 40


class Echo:
    """Answers each message with itself."""

    async def handle(self, message: object, turn: Turn) -> object:  # noqa: ARG002 - the port
        """Return the message."""
        return message


class Discarding(SpanExporter):
    """Takes what the sampled traces leave, as far as our own processes see of it."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002 - the port
        """Drop them."""
        return SpanExportResult.SUCCESS


class TokenSource:
    """Emits tokens at the pace of a fast model; each says when it left."""

    async def handle(self, message: object, turn: Turn) -> object:
        """Return the message after the last token."""
        for _ in range(TOKENS_PER_TURN):
            await asyncio.sleep(TOKEN_INTERVAL_S)
            turn.emit(Thought(repr(time.monotonic())))
        return message


class _HandedOn(Unobserved):
    """Hands the tokens of an ask on to whoever asked for them."""

    def __init__(self, turn: RunningTurn) -> None:
        self._turn = turn

    def on_progress(self, _: AgentId, token: object, /) -> None:
        self._turn.emit(token)


class Relay:
    """Hands on what `tokens-0` emits, as a Manager does with the thoughts of a step."""

    async def handle(self, message: object, turn: Turn) -> object:
        """Return what `tokens-0` answers."""
        assert isinstance(turn, RunningTurn)
        return await turn.ask_observed("tokens-0", message, None, _HandedOn(turn))


HANDLERS: dict[str, type[Handler]] = {"tokens": TokenSource, "relay": Relay}
"""By role; any other echoes."""


async def start_host(
    agent: str,
    redis_url: str,
    keep: Callable[[Sender], None] = lambda _: None,
    *,
    is_grpc_only: bool = False,
    is_coalescing: bool = True,
) -> Host:
    """Start an agent that does what its role says; ``keep`` gets the sender of its asks."""
    clock = SystemClock()
    make_transport: Callable[..., Transport] = GrpcTransport if is_grpc_only else nearest_transport

    def make_handler(sender: Sender) -> Handler:
        keep(sender)
        return HANDLERS.get(role_of(agent), Echo)()

    host = Host(
        AgentProfile(AgentId(agent), concurrency=1024),
        make_handler,
        store=await RedisStore.connect(redis_url),
        transport=make_transport(TOKEN, "127.0.0.1", clock.now),
        clock=clock,
        codec=MessageCodec(),
        is_coalescing=is_coalescing,
        spans=Spans(AgentId(agent), Discarding()),
    )
    await host.start()
    gc.collect()
    gc.freeze()  # as `cluster.placement.actor.actors` does
    return host


async def serve_agent(arguments: argparse.Namespace) -> None:
    """Serve as an agent until standard input ends."""
    host = await start_host(
        arguments.name,
        arguments.redis,
        is_grpc_only=arguments.grpc_only,
        is_coalescing=not arguments.no_coalescing,
    )
    print(host.exchange.address, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await host.stop()


async def serve_grpc() -> None:
    """Serve a bare bidirectional stream that echoes bytes."""

    async def echo_bytes(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        async for data in requests:
            yield data

    server = grpc.aio.server()
    handler: Any = grpc.stream_stream_rpc_method_handler(echo_bytes)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("bench.Echo", {"Open": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(0.2)


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["agent", "grpc"])
    parser.add_argument("--name", default="echo-0", help="its role says what it does")
    parser.add_argument("--redis", default="")
    parser.add_argument("--grpc-only", action="store_true")
    parser.add_argument("--no-coalescing", action="store_true")
    arguments = parser.parse_args()
    uvloop.run(serve_agent(arguments) if arguments.what == "agent" else serve_grpc())


if __name__ == "__main__":
    main()
