"""What the cluster asks of the agents before it starts them: fills its port, `cluster.supply`."""

from __future__ import annotations

from agents.models.endpoint.openai_compatible import PUBLIC_BASE_URL
from agents.models.local.catalog import catalog, pull
from agents.models.local.command import local_server
from agents.models.uri import check_model, why_unreachable
from agents.tools.sandbox.bubblewrap import build_sandbox as check_sandbox

__all__ = [
    "PUBLIC_BASE_URL",
    "catalog",
    "check_model",
    "check_sandbox",
    "local_server",
    "pull",
    "why_unreachable",
]
