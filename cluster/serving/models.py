"""`GET /v1/models`: the team, and each of its roles alone, as the models that there are."""

from __future__ import annotations

from typing import Final, Literal

from fastapi import Depends, FastAPI
from pydantic import BaseModel

from cluster.serving.ingress import Ingress, caller_with
from cluster.serving.orders import TEAM, role_of_model
from cluster.serving.ports import Caller

_CREATED: Final = 1_735_689_600
"""Some instant, as the API wants one: Unix seconds of 2025-01-01."""


class Model(BaseModel):
    """The team, or one role of it."""

    id: str
    object: Literal["model"] = "model"
    created: int = _CREATED
    owned_by: str = "fleetmind"


class ModelList(BaseModel):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[Model]


def add_model_routes(app: FastAPI, ingress: Ingress) -> None:
    """Add both routes."""
    caller_who_asks = Depends(caller_with(ingress, "ask"))

    @app.get("/v1/models", tags=["models"])
    async def models(_: Caller = caller_who_asks) -> ModelList:
        """List the models."""
        roles = await ingress.desk.roles()
        return ModelList(data=[Model(id=TEAM), *(Model(id=f"{TEAM}/{role}") for role in roles)])

    @app.get("/v1/models/{model:path}", tags=["models"])
    async def model(model: str, _: Caller = caller_who_asks) -> Model:
        """Show one of them."""
        await role_of_model(ingress, model)
        return Model(id=model)
