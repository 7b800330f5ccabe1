"""Texts that are learned over HTTP: a namespace's sources that no file of the server is behind."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, FastAPI, Path
from pydantic import BaseModel, ConfigDict, Field

from cluster.kernel.errors import DeadlinePassed
from cluster.serving.ingress import Ingress, caller_with, namespace_for
from cluster.serving.ports import Caller
from cluster.serving.strict_json import StrictJsonRoute
from cluster.serving.task_models import NAMESPACE

SOURCE_CHARS_MAX = 500
TEXT_CHARS_MAX = 1_000_000
LEARN_S = 60.0
_PRINTABLE = r"^[^\x00-\x1f\x7f]+$"


class DocumentRequest(BaseModel):
    """A text, and what citations call it."""

    model_config = ConfigDict(strict=True, extra="forbid")

    source: Annotated[
        str,
        Field(
            max_length=SOURCE_CHARS_MAX,
            pattern=_PRINTABLE,
            description="A name, which need be no file; a text of the same name is replaced.",
            examples=["handbook/retries.md"],
        ),
    ]
    text: Annotated[str, Field(min_length=1, max_length=TEXT_CHARS_MAX)]


class DocumentLearned(BaseModel):
    """Tasks that begin from now on may be answered from it."""

    object: Literal["document"] = "document"
    namespace: str
    source: str
    version: str = Field(description="Of the namespace, with it.")


def add_document_routes(app: FastAPI, ingress: Ingress) -> None:
    """Add the route that learns a text."""
    router = APIRouter(prefix="/v1/namespaces", tags=["documents"], route_class=StrictJsonRoute)

    learning = Depends(caller_with(ingress, "learn"))

    @router.post("/{name}/documents", status_code=201)
    async def learn_document(
        name: Annotated[str, Path(pattern=NAMESPACE)],
        body: DocumentRequest,
        caller: Caller = learning,
    ) -> DocumentLearned:
        """Learn a text: return when the store has it, embedded."""
        namespace = namespace_for(caller, name, "name")
        try:
            async with asyncio.timeout(LEARN_S):
                version = await ingress.desk.learn(namespace, body.source, body.text)
        except TimeoutError:
            raise DeadlinePassed(f"the text was not learned within {LEARN_S:g} s") from None
        return DocumentLearned(namespace=namespace, source=body.source, version=version)

    app.include_router(router)
