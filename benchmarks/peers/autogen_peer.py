"""AutoGen: two agents in two worker runtimes, in two processes, through the gRPC host between them.

`python -m benchmarks.peers.autogen_peer` is the asking agent's process. It starts a second one with
the answering agent and the host, which saves a third process on a small machine. All on uvloop and
a unix socket, without tracing; the runtime sends its requests as JSON whatever it is told.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from asyncio.subprocess import PIPE
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvloop
from autogen_core import AgentId, BaseAgent, try_get_known_serializers_for_type
from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost
from pydantic import BaseModel

from benchmarks.peers.rounds import requests_a_second, serve_rounds

HOW = "host beside the answering worker, gRPC over a unix socket, uvloop, JSON of a pydantic model"
EMPTY_JSON_BYTES = len('{"text":""}')
ECHO = AgentId("echo", "default")
ASKER = AgentId("asker", "default")


class Body(BaseModel):
    """What is sent; its JSON has the number of bytes that was asked for."""

    text: str


class Agent(BaseAgent):
    """Answers with what it is asked, and asks the other one."""

    async def on_message_impl(self, message: Any, ctx: object) -> Any:  # noqa: ARG002 - its port
        """Return the message."""
        return message

    async def run_round(self, body_bytes: int, count: int) -> float:
        """Return messages a second."""
        body = Body(text="x" * (body_bytes - EMPTY_JSON_BYTES))
        assert await self.send_message(body, ECHO) == body
        return await requests_a_second(lambda: self.send_message(body, ECHO), count)


async def join(address: str, agent: AgentId) -> GrpcWorkerAgentRuntime:
    """Connect to the host with a worker runtime that has one agent."""
    runtime = GrpcWorkerAgentRuntime(address)
    runtime.add_message_serializer(try_get_known_serializers_for_type(Body))
    await runtime.start()
    await Agent.register(runtime, agent.type, lambda: Agent(""))
    return runtime


async def answer(address: str) -> None:
    """Serve as the host and as the answering agent until standard input ends."""
    host = GrpcWorkerAgentRuntimeHost(address)
    host.start()
    runtime = await join(address, ECHO)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    del runtime, host
    os._exit(0)  # stopping either waits for the other


async def ask(address: str) -> None:
    """Serve rounds as the asking agent, with the other process started and ended."""
    other = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.peers.autogen_peer", address), stdin=PIPE, stdout=PIPE
    )
    assert other.stdout is not None
    await other.stdout.readline()
    runtime = await join(address, ASKER)
    asker = await runtime.try_get_underlying_agent_instance(ASKER, Agent)
    about = {"peer": "autogen", "version": version("autogen-core"), "how": HOW}
    await serve_rounds(about, asker.run_round)
    await runtime.stop()
    await other.communicate()


def main() -> None:
    """Ask, or answer at the address that is given."""
    if len(sys.argv) > 1:
        uvloop.run(answer(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(ask(f"unix:{Path(folder) / 'host'}"))


if __name__ == "__main__":
    os.environ["AUTOGEN_DISABLE_RUNTIME_TRACING"] = "true"
    main()
