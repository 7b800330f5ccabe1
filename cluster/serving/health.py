"""`/healthz`: the process answers; `/readyz`: a task would be taken. No token is asked for."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import FastAPI
from pydantic import BaseModel

from cluster.serving.ingress import Ingress
from cluster.serving.problems import Problem

READY_WAIT_S: Final = 2.0
"""How long the cluster is waited for: whoever asks does so every few seconds."""


class Health(BaseModel):
    """All is well."""

    status: str = "ok"


def add_health_routes(app: FastAPI, ingress: Ingress) -> None:
    """Add both; nothing is told that needs a token."""

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz", tags=["health"])
    async def alive() -> Health:
        """Say that the process answers."""
        return Health()

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", tags=["health"])
    async def ready() -> Health:
        """Say whether a task would be taken just now: 503 where it would not."""
        try:
            async with asyncio.timeout(READY_WAIT_S):
                reason = await ingress.desk.why_not_ready()
        except TimeoutError:
            reason = "the cluster does not answer"
        if reason:
            raise Problem(
                503, reason, kind="server_error", code="not_ready", headers={"Retry-After": "1"}
            )
        return Health()
