"""What can be set, its types, units and defaults; each class is a section of `fleet.toml`.

Plain dataclasses, so that a command that only attaches to a running cluster does not pay for
importing pydantic; `cluster.settings.config_file` validates a file against these annotations.
Nothing secret is kept here: see `cluster.settings.secrets`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import ClassVar, Literal

from cluster.kernel.roles import CODER, MANAGER, RESEARCHER
from cluster.kernel.trace import SAMPLED_SHARE

SAMPLED_SHARE_VARIABLE = "OTEL_TRACES_SAMPLER_ARG"


class Section:
    """A section of the file: no unknown keys, no NaN, and every number is above 0."""

    __slots__ = ()
    __pydantic_config__: ClassVar[Mapping[str, object]] = {
        "extra": "forbid",
        "allow_inf_nan": False,
    }

    def __post_init__(self) -> None:
        """Raise ValueError where a number is out of its range."""
        for each in fields(self):  # type: ignore[arg-type]  # sections are dataclasses
            value = getattr(self, each.name)
            if isinstance(value, int | float) and not isinstance(value, bool) and value <= 0:
                raise ValueError(f"{each.name} must be above 0, not {value}")


@dataclass(frozen=True, slots=True)
class ModelSettings(Section):
    """[model]: which language model, and how it is asked."""

    uri: str = ""
    """``openai:NAME``, ``llama:NAME-or-GGUF-path`` or ``simulated:``; `load` fills in a default."""
    base_url: str = ""
    """Of an OpenAI-compatible endpoint; empty for the provider's own."""
    api_key_path: str = ""
    """A file with the key, relative to the config file; OPENAI_API_KEY goes before it."""
    tokens_max: int | None = None
    """Where a call is to stop at the latest; the embedded model's stop at 120 without it."""


@dataclass(frozen=True, slots=True)
class StoreSettings(Section):
    """[store]: the central store."""

    redis: str = ""
    """URL without credentials, for people; empty for an embedded server. See `Secrets`."""


@dataclass(frozen=True, slots=True)
class RaySettings(Section):
    """[ray]: the Ray cluster to join."""

    address: str = ""
    """As `ray.init` takes it; empty for a private one on this machine."""


@dataclass(frozen=True, slots=True)
class NetworkSettings(Section):
    """[network]: where our own servers listen."""

    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class TaskSettings(Section):
    """[task]: bounds of one task."""

    deadline_s: float = 300.0


@dataclass(frozen=True, slots=True)
class AnswerSettings(Section):
    """[answer]: what a sentence needs to be shown, and whether it is looked at again."""

    support: Literal["auto", "strict", "marked"] = "auto"
    """``strict``: only what is quoted or extracted; ``marked``: every sentence that no source
    contradicts, with a mark where nothing backs it; ``auto``: strict for the embedded model."""
    verify: Literal["off", "background"] = "off"
    """``background``: sentences that nothing backs are looked at again once the answer is out,
    where the driver that has submitted the goal waits for it."""


@dataclass(frozen=True, slots=True)
class SandboxSettings(Section):
    """[sandbox]: whether programs are run at all, and what one program may use.

    The limits are named as in `agents.tools.sandbox.command.SandboxLimits`, which explains them.
    """

    enabled: bool = True
    timeout_s: float = 10.0
    """Of one run, within the step's deadline."""
    python: str = ""
    """A virtual environment, or its interpreter, whose libraries programs can import, relative to
    the config file; empty for the standard library only. It has to be on each node with a Coder."""
    cpu_s_max: int = 60
    memory_bytes_max: int = 512 * 1024 * 1024
    processes_max: int = 64
    file_size_bytes_max: int = 16 * 1024 * 1024
    tmp_bytes_max: int = 64 * 1024 * 1024
    output_bytes_max: int = 256 * 1024


@dataclass(frozen=True, slots=True)
class AgentSettings(Section):
    """[agents.ROLE]: one role. Its key in the file is ``class``, a word Python keeps for itself."""

    class_path: str
    """``module:Class``, importable from the config file's folder or the working directory."""
    replicas: int = 1
    concurrency: int = 16
    """How many tasks one replica works on at a time. A Manager refuses more, and says when to try
    again; others let them wait."""
    purpose: str = ""
    """What the Manager is told this role is for when it plans; empty for what the class says."""


@dataclass(frozen=True, slots=True)
class PartsSettings(Section):
    """[parts]: who builds an agent with its model, knowledge and sandbox."""

    factory: str = "agents.factory:build_agent"


DEFAULT_AGENTS: Mapping[str, AgentSettings] = {
    MANAGER: AgentSettings("agents.manager:Manager", concurrency=256),
    RESEARCHER: AgentSettings("agents.researcher:Researcher"),
    CODER: AgentSettings("agents.coder:Coder"),
}


@dataclass(frozen=True, slots=True)
class Settings(Section):
    """All settings of a cluster, resolved from every source; safe to print and to hand on."""

    model: ModelSettings = field(default_factory=ModelSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    ray: RaySettings = field(default_factory=RaySettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    task: TaskSettings = field(default_factory=TaskSettings)
    answer: AnswerSettings = field(default_factory=AnswerSettings)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)
    parts: PartsSettings = field(default_factory=PartsSettings)
    agents: dict[str, AgentSettings] = field(default_factory=lambda: dict(DEFAULT_AGENTS))
    python_path: tuple[str, ...] = ()
    """Folders from which agents' modules may be imported, absolute."""
    telemetry: dict[str, str] = field(default_factory=dict)
    """The OTEL_* variables, except those that carry credentials."""

    @property
    def sampled_share(self) -> float:
        """Of the tasks whose turns leave spans."""
        return float(self.telemetry.get(SAMPLED_SHARE_VARIABLE, SAMPLED_SHARE))

    def public_json(self) -> str:
        """Return everything as one line of JSON; `config_file.from_public_json` reads it."""
        return json.dumps(asdict(self), sort_keys=True)
