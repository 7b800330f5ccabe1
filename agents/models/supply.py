"""What the cluster asks of the models: this module fills its port, `cluster.model_supply`."""

from __future__ import annotations

from agents.models.endpoint.openai_compatible import PUBLIC_BASE_URL
from agents.models.local.catalog import catalog, pull
from agents.models.local.command import local_server
from agents.models.uri import check_model

__all__ = ["PUBLIC_BASE_URL", "catalog", "check_model", "local_server", "pull"]
