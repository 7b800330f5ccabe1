"""The port to the agents: which models there are, whether they and the sandbox can be used.

`cluster` never imports `agents`: that package fills the port, and is named here and in the defaults
of the settings only. Used by `cluster.joining`, `cluster.cli.models` and `cluster.placement`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, cast

from cluster.kernel.errors import UsageError
from cluster.kernel.model_uri import ModelUri
from cluster.kernel.sections import NO_ENGINE, EngineSettings, SandboxSettings

_AGENTS = "agents"
_SUPPLY = "agents.supply"


class LocalModel(Protocol):
    """A model that can be fetched by name."""

    @property
    def name(self) -> str:
        """As in ``llama:NAME``."""
        ...

    @property
    def description(self) -> str:
        """What it is, in some words."""
        ...

    @property
    def path(self) -> Path:
        """Where its file is, or will be."""
        ...

    @property
    def is_here(self) -> bool:
        """Whether it has been fetched."""
        ...


class Supply(Protocol):
    """What agents need, as far as the cluster has to know it."""

    @property
    def PUBLIC_BASE_URL(self) -> str:  # noqa: N802 - a constant of the module that fills the port
        """Of the endpoint that ``openai:`` means where none is named."""
        ...

    def check_model(
        self,
        uri: str,
        *,
        base_url: str = "",
        api_key: str = "",
        engine: EngineSettings = NO_ENGINE,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> ModelUri:
        """Say in good time whether a model can be used.

        Raises:
            UsageError: it can't; says why.
        """
        ...

    async def why_unreachable(
        self,
        uri: str,
        *,
        base_url: str = "",
        api_key: str = "",
        headers: Mapping[str, str] = MappingProxyType({}),
        timeout_s: float,
    ) -> str:
        """Return why the endpoint of an ``openai:`` model can't be asked; empty where it can.

        Raises:
            UsageError: as `check_model`.
        """
        ...

    def check_sandbox(self, settings: SandboxSettings) -> object:
        """Say in good time whether programs can be run as the settings say.

        Raises:
            UsageError: its limits or its environment will not do.
        """
        ...

    def catalog(self) -> Sequence[LocalModel]:
        """Return the local models that can be fetched by name."""
        ...

    def pull(self, name: str, progress: Callable[[int, int], None] | None = None) -> Path:
        """Fetch a local model and return where its file is; ``progress`` hears bytes.

        Raises:
            UsageError: there is no such model.
            ModelError: it could not be fetched.
        """
        ...

    def local_server(
        self, name_or_path: str, options: Mapping[str, object]
    ) -> AbstractAsyncContextManager[str]:
        """Serve a local model for as long as the context lasts; gives its base URL.

        ``options`` are those of llama.cpp's server, as `EngineSettings` has them.
        """
        ...


def installed_agents() -> Supply:
    """Return what the installed agents say of their needs.

    Raises:
        UsageError: the installed package `agents` is another one.
    """
    if not getattr(import_module(_AGENTS), "__fleetmind__", False):
        raise UsageError(
            "the installed package `agents` is not Fleetmind's but probably that of "
            "`openai-agents`, which can't be installed beside it: remove one of the two"
        )
    return cast("Supply", import_module(_SUPPLY))
