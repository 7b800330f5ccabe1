"""Typed settings of a cluster, from defaults, `fleet.toml`, the environment and flags.

`load` resolves them in the driver; actors get `Settings.public_json` and the path of `Secrets`.
"""

from __future__ import annotations

from cluster.settings.model_entries import HIDDEN, with_header_values
from cluster.settings.secrets import Secrets
from cluster.settings.sources import Configuration, Flag, load
from cluster.settings.values import AgentSettings, Settings

__all__ = [
    "HIDDEN",
    "AgentSettings",
    "Configuration",
    "Flag",
    "Secrets",
    "Settings",
    "load",
    "with_header_values",
]
