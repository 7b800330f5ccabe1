"""`/healthz`: the process answers; `/readyz`: a task would be taken."""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import BaseModel

from cluster.serving.ingress import Ingress
from cluster.serving.problems import Problem


class Health(BaseModel):
    """All is well."""

    status: str = "ok"


def add_health_routes(app: FastAPI, ingress: Ingress) -> None:
    """Add both; no token is asked for, and nothing is told that needs one."""

    @app.get("/healthz", tags=["health"])
    async def alive() -> Health:
        """Say that the process answers."""
        return Health()

    @app.get("/readyz", tags=["health"])
    async def ready() -> Health:
        """Say whether a task would be taken just now: 503 where it would not."""
        reason = await ingress.desk.why_not_ready()
        if reason:
            raise Problem(
                503, reason, kind="server_error", code="not_ready", headers={"Retry-After": "1"}
            )
        return Health()
