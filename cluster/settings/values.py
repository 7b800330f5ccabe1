"""What can be set, its types, units and defaults; each class is a section of `fleet.toml`.

Plain dataclasses, so that a command that only attaches to a running cluster does not pay for
importing pydantic; `cluster.settings.config_file` validates a file against these annotations.
Nothing secret is kept here: see `cluster.settings.secrets`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le, MinLen

CHECKED: Mapping[str, object] = {"extra": "forbid", "allow_inf_nan": False}
"""How pydantic reads a section: no unknown keys, no NaN."""

PositiveInt = Annotated[int, Gt(0)]
Seconds = Annotated[float, Gt(0)]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """[model]: which language model, and how it is asked."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = CHECKED

    uri: str = ""
    """``openai:NAME``, ``llama:NAME-or-GGUF-path`` or ``simulated:``; `load` fills in a default."""
    base_url: str = ""
    """Of an OpenAI-compatible endpoint; empty for the provider's own."""
    api_key_path: str = ""
    """A file with the key, relative to the config file; OPENAI_API_KEY goes before it."""
    tokens_max: PositiveInt | None = None
    timeout_s: Seconds = 60.0


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """[store]: the central store."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = CHECKED

    redis: str = ""
    """URL without credentials, for people; empty for an embedded server. See `Secrets`."""


@dataclass(frozen=True, slots=True)
class RaySettings:
    """[ray]: the Ray cluster to join."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = CHECKED

    address: str = ""
    """As `ray.init` takes it; empty for a private one on this machine."""


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """[network]: where our own servers listen."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = CHECKED

    host: Annotated[str, MinLen(1)] = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """[task]: bounds of one task."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = CHECKED

    deadline_s: Seconds = 300.0
    steps: Annotated[int, Gt(0), Le(12)] = 12
    """The most steps a plan may have."""


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """[sandbox]: whether programs are run at all, and what one program may use."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = CHECKED

    enabled: bool = True
    timeout_s: Seconds = 10.0
    cpu_s: PositiveInt = 5
    memory_bytes_max: PositiveInt = 512 * 1024 * 1024
    file_bytes_max: PositiveInt = 16 * 1024 * 1024
    output_bytes_max: PositiveInt = 64 * 1024
    processes_max: PositiveInt = 32


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """[agents.ROLE]: one role. Its key in the file is ``class``, a word Python keeps for itself."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = CHECKED

    class_path: str
    """``module:Class``, importable from the config file's folder or the working directory."""
    replicas: Annotated[int, Ge(1), Le(64)] = 1
    concurrency: PositiveInt = 16
    """How many tasks one replica works on at a time."""
    purpose: str = ""
    """What the Manager is told this role is for when it plans."""


@dataclass(frozen=True, slots=True)
class PartsSettings:
    """[parts]: who builds an agent with its model, knowledge and sandbox."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = CHECKED

    factory: str = "agents.factory:build_agent"


DEFAULT_AGENTS: Mapping[str, AgentSettings] = {
    "manager": AgentSettings(
        "agents.manager:Manager", purpose="plans the work and composes the answer"
    ),
    "researcher": AgentSettings(
        "agents.researcher:Researcher", purpose="finds facts in the knowledge and cites them"
    ),
    "coder": AgentSettings("agents.coder:Coder", purpose="writes one Python program and runs it"),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of a cluster, resolved from every source; safe to print and to hand on."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = CHECKED

    model: ModelSettings = field(default_factory=ModelSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    ray: RaySettings = field(default_factory=RaySettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    task: TaskSettings = field(default_factory=TaskSettings)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    parts: PartsSettings = field(default_factory=PartsSettings)
    agents: dict[str, AgentSettings] = field(default_factory=lambda: dict(DEFAULT_AGENTS))
    python_path: tuple[str, ...] = ()
    """Folders from which agents' modules may be imported, absolute."""
    telemetry: dict[str, str] = field(default_factory=dict)
    """The OTEL_* variables, except those that carry credentials."""

    def public_json(self) -> str:
        """Return everything as one line of JSON; `from_public_json` reads it back."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_public_json(cls, text: str) -> Settings:
        """Return the settings that `public_json` wrote, in this process or another.

        Raises:
            UsageError: the text is of another version, or is not what `public_json` writes.
        """
        from cluster.settings.config_file import validated

        return validated(text, "the cluster's settings")
