"""JSON as the standard has it: Python reads more than that, and reads some of it in silence.

Used by the routes with a body. Of two equal keys Python takes the last one, where another reader
of the same bytes may take the first; and ``NaN`` is no number that anybody else would read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response


class StrictJsonRoute(APIRoute):
    """A route whose body, where it is JSON, has no key twice and only numbers that are some."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of the route, which is given such a request."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly


class _StrictRequest(Request):
    async def json(self) -> Any:
        """Return the body's value.

        Raises:
            JSONDecodeError: it is no JSON, or not as strict; FastAPI turns it into bad input.
        """
        text = (await self.body()).decode("utf-8-sig", "strict")
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, value in pairs:
        if key in made:
            raise json.JSONDecodeError(f"the key {key[:40]!r} is there twice", "", 0)
        made[key] = value
    return made


def _refuse_constant(name: str) -> NoReturn:
    raise json.JSONDecodeError(f"{name} is no number of JSON", "", 0)
