"""Texts that are learned, and forgotten, over HTTP: sources with no file of the server behind."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, FastAPI, Path
from pydantic import BaseModel, ConfigDict, Field

from cluster.kernel.errors import DeadlinePassed
from cluster.serving.ingress import Ingress, caller_with, namespace_for
from cluster.serving.ports import Caller
from cluster.serving.problems import Problem
from cluster.serving.strict_json import StrictJsonRoute
from cluster.serving.task_models import NAMESPACE

SOURCE_CHARS_MAX = 500
TEXT_CHARS_MAX = 1_000_000
LEARN_S = 60.0
"""The longest that a text may take, to be learned or forgotten."""
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


class DocumentForgotten(BaseModel):
    """No look-up finds it from now on, in running tasks either."""

    object: Literal["document"] = "document"
    namespace: str
    source: str
    deleted: Literal[True] = True


def add_document_routes(app: FastAPI, ingress: Ingress) -> None:
    """Add the routes that learn a text and forget it."""
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

    @router.delete("/{name}/documents/{source:path}")
    async def forget_document(
        name: Annotated[str, Path(pattern=NAMESPACE)],
        source: Annotated[str, Path(max_length=SOURCE_CHARS_MAX, pattern=_PRINTABLE)],
        caller: Caller = learning,
    ) -> DocumentForgotten:
        """Forget a text that was learned here; files that a command has learned stay."""
        namespace = namespace_for(caller, name, "name")
        try:
            async with asyncio.timeout(LEARN_S):
                was_there = await ingress.desk.forget_text(namespace, source)
        except TimeoutError:
            raise DeadlinePassed(f"the text was not forgotten within {LEARN_S:g} s") from None
        if not was_there:
            raise Problem(404, "there is no such text, or no longer", code="document_not_found")
        return DocumentForgotten(namespace=namespace, source=source)

    app.include_router(router)
