"""The local model: what it needs on this machine, and the command that serves it.

The command is run by whoever places a node's processes; the model itself is then an endpoint like
any other.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType

from agents.models.local.catalog import find
from agents.models.local.server_options import checked_server_options
from agents.models.local.side_process import side_process
from cluster.kernel.errors import UsageError

_NO_OPTIONS: Mapping[str, object] = MappingProxyType({})


def server_command(name_or_path: str, options: Mapping[str, object] = _NO_OPTIONS) -> list[str]:
    """Return the command of a model's server, to which ``--ready-file FILE`` must be added.

    Args:
        name_or_path: of the model.
        options: of llama.cpp's server, as `cluster.kernel.sections.EngineSettings` has them.

    Raises:
        UsageError: the package or the GGUF file is missing; says how to get it. Or an option is
            none, or its value; says which there are.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise UsageError(
            "local models need the package xllamacpp; install it with "
            "`pip install 'fleetmind[local]'`, or name an endpoint with --model openai:NAME"
        )
    gguf, given = find(name_or_path), checked_server_options(options)
    command = [sys.executable, "-P", "-m", "agents.models.local.server", "--gguf", str(gguf)]
    return [*command, "--options", json.dumps(given)] if given else command


@asynccontextmanager
async def local_server(
    name_or_path: str, options: Mapping[str, object] = _NO_OPTIONS
) -> AsyncIterator[str]:
    """Serve a local model for as long as the context lasts and give its base URL.

    Raises:
        UsageError: as `server_command`.
        ModelError: the server did not start; with its last words.
    """
    async with side_process(server_command(name_or_path, options)) as base_url:
        yield base_url
