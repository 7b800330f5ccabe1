"""A real HTTP server on loopback before an application, in the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import openai
import uvicorn
from fastapi import FastAPI


class _Server(uvicorn.Server):
    """Says when it listens, and leaves the signals of whoever runs it alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serve an application while the block runs; gives the URL of its root."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=2))
        serving = asyncio.create_task(server.serve([listener]))
        try:
            await server.listens.wait()
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving


@asynccontextmanager
async def official_client(app: FastAPI) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's own client of a served application; it repeats nothing by itself."""
    # Reading the certificates of the machine would take longer than most of the tests.
    http_client = openai.DefaultAsyncHttpxClient(verify=False)
    async with (
        served(app) as url,
        openai.AsyncOpenAI(
            base_url=f"{url}/v1", api_key="none", max_retries=0, http_client=http_client
        ) as client,
    ):
        yield client
