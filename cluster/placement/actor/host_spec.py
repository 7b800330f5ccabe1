"""`HostSpec`: what the host of one agent is built from, as it travels to the agent's actor."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.kernel.ids import AgentId


@dataclass(frozen=True, slots=True)
class HostSpec:
    """What an actor gets: its name, the public settings, and where the secrets lie.

    Secrets are a path, never a value: Ray shows arguments and environments (ray#28276).
    """

    agent: AgentId
    settings_json: str
    secrets_path: str
