"""`ReplicaSpec`: what one replica of the ingress is built from, as it travels to its actor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReplicaSpec:
    """What a replica gets: the public settings, where the secrets lie, and what opens its parts.

    Secrets are a path, never a value: Ray shows arguments and environments (ray#28276).
    """

    settings_json: str
    secrets_path: str
    opener: str = ""
    """``module:function``; empty for the real one."""
