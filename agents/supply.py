"""What the cluster asks of the agents before it starts them: fills its port, `cluster.supply`."""

from __future__ import annotations

from agents.models.endpoint.openai_compatible import PUBLIC_BASE_URL
from agents.models.local.catalog import local_models, pull
from agents.models.local.command import local_server
from agents.models.one_token import timed_token
from agents.models.uri import build_model, check_model, why_unreachable
from agents.tools.sandbox.bubblewrap import build_sandbox as check_sandbox
from cluster.kernel.sections import ModelSettings

__all__ = [
    "PUBLIC_BASE_URL",
    "ask_one_token",
    "check_model",
    "check_sandbox",
    "local_models",
    "local_server",
    "pull",
    "why_unreachable",
]


async def ask_one_token(settings: ModelSettings, api_key: str, timeout_s: float) -> float:
    """Have a model say one token; returns how many seconds that took, raises what kept it from."""
    return await timed_token(settings, api_key, timeout_s, build_model)
