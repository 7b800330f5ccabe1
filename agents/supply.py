"""What the cluster asks of the agents before it starts them: fills its port, `cluster.supply`."""

from __future__ import annotations

from agents.models.endpoint.openai_compatible import PUBLIC_BASE_URL
from agents.models.local.catalog import local_models, pull
from agents.models.local.command import local_server
from agents.models.one_token import ask_one_token
from agents.models.uri import check_model
from agents.tools.sandbox.bubblewrap import build_sandbox as check_sandbox

__all__ = [
    "PUBLIC_BASE_URL",
    "ask_one_token",
    "check_model",
    "check_sandbox",
    "local_models",
    "local_server",
    "pull",
]
