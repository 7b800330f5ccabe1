"""The local model: what it needs on this machine, and the command that serves it.

The command is run by whoever places a node's processes; the model itself is then an endpoint like
any other.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agents.models.local.catalog import find
from agents.models.local.side_process import side_process
from cluster.kernel.errors import UsageError


def server_command(name_or_path: str) -> list[str]:
    """Return the command of a model's server, to which ``--ready-file FILE`` must be added.

    Raises:
        UsageError: the package or the GGUF file is missing; says how to get it.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise UsageError(
            "local models need the package xllamacpp; install it with "
            "`pip install 'fleetmind[local]'`, or name an endpoint with --model openai:NAME"
        )
    gguf = find(name_or_path)
    return [sys.executable, "-P", "-m", "agents.models.local.server", "--gguf", str(gguf)]


@asynccontextmanager
async def local_server(name_or_path: str) -> AsyncIterator[str]:
    """Serve a local model for as long as the context lasts and give its base URL.

    Raises:
        UsageError: as `server_command`.
        ModelError: the server did not start; with its last words.
    """
    async with side_process(server_command(name_or_path)) as base_url:
        yield base_url
