"""The application: all routes of the ingress, and what surrounds them. It knows no Ray.

`build_app` is called by whoever deploys it, once a replica.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from cluster.serving.chat import add_chat_routes
from cluster.serving.documents import add_document_routes
from cluster.serving.edge import REQUEST_ID, BoundedBody, RequestEdge
from cluster.serving.health import add_health_routes
from cluster.serving.ingress import Ingress
from cluster.serving.kept_responses import add_kept_response_routes
from cluster.serving.models import add_model_routes
from cluster.serving.problems import ErrorBody, add_problem_handlers
from cluster.serving.responses import add_response_routes
from cluster.serving.tasks import add_task_routes
from cluster.serving.webhooks import sending

ENDINGS_S: Final = 5.0
"""How long the process waits, at its end, for tasks that nobody follows any longer to be over."""
_EXPOSED: Final = (REQUEST_ID, "Retry-After", "X-Should-Retry", "X-Fleetmind-Task")
"""Headers that a page may read: an official client in one goes by the second and the third."""


def build_app(ingress: Ingress) -> FastAPI:
    """Return the ASGI application of one replica."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with sending(ingress.webhooks):
            yield
        await ingress.endings.wait(ENDINGS_S)

    app = FastAPI(
        title="Fleetmind",
        version="1",
        docs_url=None,  # its page would fetch scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        responses={
            "4XX": {"model": ErrorBody, "description": "What is wrong with the request."},
            "5XX": {"model": ErrorBody, "description": "What went wrong with it."},
        },
    )
    add_problem_handlers(app)
    for add_routes in (
        add_health_routes,
        add_model_routes,
        add_chat_routes,
        add_response_routes,
        add_kept_response_routes,
        add_task_routes,
        add_document_routes,
    ):
        add_routes(app, ingress)
    _surround(app, ingress)
    return app


def _surround(app: FastAPI, ingress: Ingress) -> None:
    settings = ingress.settings
    app.add_middleware(BoundedBody, bytes_max=settings.body_bytes_max)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=_EXPOSED,
        )
    # The last one that is added is the first that a request meets.
    app.add_middleware(RequestEdge, requests_max=settings.streams_max, now=ingress.clock.now)
