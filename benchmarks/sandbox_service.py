"""The agents' sandbox on a unix socket, so that the peers run programs as we do.

A line is a program as a JSON string; the answer is one with what it printed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

from agents.tools.sandbox.bubblewrap import build_sandbox
from cluster.kernel.sections import SandboxSettings

_LINE_BYTES_MAX = 1 << 20
_TIMEOUT_S = 10.0


@contextlib.asynccontextmanager
async def sandbox_service(path: Path) -> AsyncIterator[None]:
    """Serve for as long as the context lasts."""
    sandbox = build_sandbox(SandboxSettings())

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            while line := await reader.readline():
                run = await sandbox.run(json.loads(line), _TIMEOUT_S)
                writer.write(json.dumps(run.stdout).encode() + b"\n")

    server = await asyncio.start_unix_server(answer, path, limit=_LINE_BYTES_MAX)
    try:
        yield
    finally:
        server.close()
        await sandbox.close()
