"""What can be set, its types, units and defaults; each class is a section of `fleet.toml`.

Plain dataclasses, so that a command that only attaches to a running cluster does not pay for
importing pydantic; `cluster.settings.config_file` validates a file against these annotations.
The sections that agents read too are in `cluster.kernel.sections`. Nothing secret is kept here: see
`cluster.settings.secrets`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from cluster.kernel.roles import CODER, MANAGER, RESEARCHER
from cluster.kernel.sections import (
    AnswerSettings,
    ModelEntry,
    ModelSettings,
    RouterSettings,
    SandboxSettings,
    Section,
)
from cluster.kernel.trace import SAMPLED_SHARE

SAMPLED_SHARE_VARIABLE = "OTEL_TRACES_SAMPLER_ARG"


@dataclass(frozen=True, slots=True)
class StoreSettings(Section):
    """[store]: the central store."""

    redis: str = ""
    """URL without credentials, for people; empty for an embedded server. See `Secrets`."""


@dataclass(frozen=True, slots=True)
class KnowledgeSettings(Section):
    """[knowledge]: what each host keeps near of what was learned."""

    cache: str = ""
    """Folder of a node's index segments; empty for the user's cache folder."""
    memory_bytes_max: int = 4_000_000_000
    """Of the namespaces a host keeps, the files that it maps included; those not used for longest
    go first, the latest is kept in any case."""


@dataclass(frozen=True, slots=True)
class StateSettings(Section):
    """[state]: what agents share."""

    check_policies: bool = False
    """Whether a program's own policy merges everything twice, so that one that isn't deterministic
    is found: a conflict then says so. For trying it out."""


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
class ServeSettings(Section):
    """[serve]: the HTTP ingress."""

    host: str = "127.0.0.1"
    port: int = 8000
    replicas: int = 2
    tls_cert: str = ""
    """File with the certificate chain, as PEM; with ``tls_key`` the ingress speaks HTTPS."""
    tls_key: str = ""
    origins: tuple[str, ...] = ()
    """Whose pages may call it from a browser, as in ``https://chat.example.org``; ``*`` for all."""
    body_bytes_max: int = 2_000_000
    streams_max: int = 400
    """Requests that one replica answers at a time; more are refused with 429."""
    drain_s: float = 600.0
    """How long a replica that is to stop goes on with the streams it has."""
    webhook_hosts: tuple[str, ...] = ()
    """Hosts on private addresses that webhooks may call nevertheless."""


@dataclass(frozen=True, slots=True)
class TaskSettings(Section):
    """[task]: bounds of one task."""

    deadline_s: float = 300.0
    tokens_max: int | None = None
    """What its model calls may use, prompt and completion together; any number without it."""
    cost_max: float | None = None
    """What they may cost, in the currency of the models' prices."""
    coherence: Literal["chained", "broadcast"] = "chained"
    """``chained``: a step begins when all that it needs is there; ``broadcast``: all begin at once,
    and one is done again where what came later matters to it."""
    stream_plan: bool = True
    """Whether a step begins while the plan is still being written."""
    prepare: bool = True
    """Whether who will get a step gets ready for it while what it needs is still being done."""
    hedge_steps: bool = True
    """Whether a pure step that takes much longer than usual is given to a second replica too."""


@dataclass(frozen=True, slots=True)
class AgentSettings(Section):
    """[agents.ROLE]: one role. Its key in the file is ``class``, a word Python keeps for itself."""

    class_path: str
    """``module:Class``, importable from the config file's folder or the working directory."""
    replicas: int = 1
    concurrency: int = 16
    """How many tasks a Manager works on at a time, and how many steps a replica of another role. A
    Manager refuses more, and says when to try again; others let them wait."""
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
    models: dict[str, ModelEntry] = field(default_factory=dict)
    """Further ones, by the name that a user gave each."""
    router: RouterSettings = field(default_factory=RouterSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    knowledge: KnowledgeSettings = field(default_factory=KnowledgeSettings)
    state: StateSettings = field(default_factory=StateSettings)
    ray: RaySettings = field(default_factory=RaySettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    serve: ServeSettings = field(default_factory=ServeSettings)
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
    def role_calls_max(self) -> dict[str, int]:
        """Of each role, how many model calls its agents have under way at once, if limited.

        Each agent's process has a limit of its own, so a role has that many times its replicas.
        """
        calls_max = self.model.calls_max
        if calls_max is None:
            return {}
        return {role: calls_max * each.replicas for role, each in self.agents.items()}

    @property
    def sampled_share(self) -> float:
        """Of the tasks whose turns leave spans."""
        return float(self.telemetry.get(SAMPLED_SHARE_VARIABLE, SAMPLED_SHARE))

    def public_json(self) -> str:
        """Return everything as one line of JSON; `config_file.from_public_json` reads it."""
        return json.dumps(asdict(self), sort_keys=True)
