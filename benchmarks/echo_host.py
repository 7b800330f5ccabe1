"""The other process of the messaging benchmark: an agent that echoes, or a bare grpc.aio stream.

`python -m benchmarks.echo_host agent --redis URL` or `grpc` or `socket` instead; prints its
address, then serves until its standard input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import uvloop

from cluster.kernel.clock import SystemClock
from cluster.kernel.ids import AgentId
from cluster.kernel.turn import Turn
from cluster.memory.redis_store import RedisStore
from cluster.runtime.host import AgentProfile, Host
from cluster.runtime.sender import Sender
from cluster.transport.grpc_exchange import GrpcTransport
from cluster.transport.nearest import nearest_transport
from cluster.transport.port import Transport
from cluster.wire.messages import MessageCodec

TOKEN = "benchmark"  # noqa: S105 - of a cluster that lives for one measurement


class Echo:
    """Answers each message with itself."""

    async def handle(self, message: object, turn: Turn) -> object:  # noqa: ARG002 - the port
        """Return the message."""
        return message


async def start_host(
    agent: str,
    redis_url: str,
    keep: Callable[[Sender], None] = lambda _: None,
    *,
    is_grpc_only: bool = False,
) -> Host:
    """Start an echoing agent; ``keep`` gets the sender that its asks go through."""
    clock = SystemClock()
    make_transport: Callable[..., Transport] = GrpcTransport if is_grpc_only else nearest_transport

    def make_handler(sender: Sender) -> Echo:
        keep(sender)
        return Echo()

    host = Host(
        AgentProfile(AgentId(agent), concurrency=1024),
        make_handler,
        store=await RedisStore.connect(redis_url),
        transport=make_transport(TOKEN, "127.0.0.1", clock.now),
        clock=clock,
        codec=MessageCodec(),
    )
    await host.start()
    return host


async def serve_agent(name: str, redis_url: str, *, is_grpc_only: bool) -> None:
    """Serve as an agent until standard input ends."""
    host = await start_host(name, redis_url, is_grpc_only=is_grpc_only)
    print(host.exchange.address, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await host.stop()


async def serve_grpc() -> None:
    """Serve a bare bidirectional stream that echoes bytes."""

    async def echo(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        async for data in requests:
            yield data

    server = grpc.aio.server()
    handler: Any = grpc.stream_stream_rpc_method_handler(echo)
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
    parser.add_argument("--name", default="echo-0")
    parser.add_argument("--redis", default="")
    parser.add_argument("--is-grpc-only", action="store_true")
    arguments = parser.parse_args()
    if arguments.what == "agent":
        uvloop.run(
            serve_agent(arguments.name, arguments.redis, is_grpc_only=arguments.is_grpc_only)
        )
    else:
        uvloop.run(serve_grpc())


if __name__ == "__main__":
    main()
