"""What a request gets that can't be answered: a status, and OpenAI's object with one sentence.

Whatever goes wrong ends here, wherever the request has got to, so that a client sees one shape.
A sentence that was made for whoever runs the server, and may name its addresses, is only logged.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from contextvars import ContextVar
from http import HTTPStatus
from typing import Final, NamedTuple

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from cluster.kernel.errors import ClusterError, TaskFailed
from cluster.kernel.vocabulary import Failure

_log = logging.getLogger(__name__)

INVALID: Final = "invalid_request_error"
_LIMITED: Final = "rate_limit_error"
SERVERS: Final = "server_error"
_UNTOLD: Final = "something went wrong inside of the server; its log has the request's id"
_AGENTS: Final = "the agents that this needs can't be reached just now"

REQUEST: Final[ContextVar[str]] = ContextVar("request", default="")
"""Id of the request that is being answered; empty outside of any."""


class ErrorDetail(BaseModel):
    """What went wrong, as OpenAI's API says it."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(BaseModel):
    """The body of every answer that is an error."""

    error: ErrorDetail


class Problem(Exception):
    """A request that gets an error; raised wherever that is found out.

    Args:
        status: of HTTP.
        message: one sentence for a person, without anything of the server's inside.
        kind: the ``type`` of OpenAI's object.
        param: which parameter is wrong; empty for none.
        code: what a program may go by; empty for none.
        headers: beside the usual ones.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = INVALID,
        param: str = "",
        code: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.param = param
        self.code = code
        self.headers = dict(headers or {})

    def to_json(self) -> dict[str, object]:
        """Return OpenAI's object."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param or None,
                "code": self.code or None,
            }
        }


class _Meaning(NamedTuple):
    """What a kind of failure is over HTTP."""

    status: HTTPStatus
    kind: str = SERVERS
    may_be_repeated: bool = False
    """Whether a client does well to send the same again by itself."""
    told: str = ""
    """What a client is told, where the sentence of the failure may name hosts, models and agents of
    the server; empty where that is about what the client asked for."""


# Official clients repeat what got a 409, a 429 or a 5xx, unless they are told not to: a task that
# has failed would be done three times. So each answer says whether repeating it is any good.
_MEANINGS: Final[Mapping[str, _Meaning]] = {
    "usage": _Meaning(HTTPStatus.BAD_REQUEST, INVALID),
    "too_large": _Meaning(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, INVALID),
    "overloaded": _Meaning(HTTPStatus.TOO_MANY_REQUESTS, _LIMITED, may_be_repeated=True),
    "budget": _Meaning(HTTPStatus.TOO_MANY_REQUESTS, "insufficient_quota"),
    "cancelled": _Meaning(HTTPStatus.CONFLICT, INVALID),
    "task_cancelled": _Meaning(HTTPStatus.CONFLICT, INVALID),
    "deadline": _Meaning(
        HTTPStatus.GATEWAY_TIMEOUT, told="the time that this may take was over before it was done"
    ),
    "answer_changed": _Meaning(HTTPStatus.BAD_GATEWAY),
    "model": _Meaning(
        HTTPStatus.BAD_GATEWAY,
        told="a model that the server asks has failed, can't be reached, or refused to answer this",
    ),
    "store": _Meaning(
        HTTPStatus.SERVICE_UNAVAILABLE,
        may_be_repeated=True,
        told="the store of the cluster can't be reached just now",
    ),
    "placement": _Meaning(
        HTTPStatus.SERVICE_UNAVAILABLE,
        may_be_repeated=True,
        told="the cluster can't be reached just now",
    ),
    **dict.fromkeys(
        ("delivery", "unknown_recipient", "peer_unavailable", "stopped", "unsupported"),
        _Meaning(HTTPStatus.SERVICE_UNAVAILABLE, may_be_repeated=True, told=_AGENTS),
    ),
}
"""By kind of `cluster.kernel.errors`."""
_DEFECT: Final = _Meaning(HTTPStatus.INTERNAL_SERVER_ERROR, told=_UNTOLD)
"""Of all other kinds."""


def problem_of(error: ClusterError | Failure, *, may_log: bool = True) -> Problem:
    """Return what a failure of the cluster is over HTTP; log it where a client is told less.

    Args:
        error: the failure.
        may_log: False for what is read again: the log has it, or has a failure that it led to.
    """
    if isinstance(error, TaskFailed):
        return problem_of(error.failure, may_log=may_log)
    meaning = _MEANINGS.get(error.kind, _DEFECT)
    headers = {"X-Should-Retry": str(meaning.may_be_repeated).lower()}
    if meaning.may_be_repeated:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if may_log and meaning.told:
        level = logging.ERROR if meaning is _DEFECT else logging.WARNING
        request, kind = REQUEST.get(), error.kind
        _log.log(level, "request %s: an error of kind %s: %s", request, kind, error.message)
    message = meaning.told or error.message
    return Problem(meaning.status, message, kind=meaning.kind, code=error.kind, headers=headers)


def too_many(
    message: str,
    *,
    retry_after_s: float = 1.0,
    may_be_repeated: bool = True,
    code: str = "overloaded",
) -> Problem:
    """Return the refusal of what is right in itself, and too much just now."""
    headers = {
        "Retry-After": str(max(1, math.ceil(retry_after_s))),
        "X-Should-Retry": str(may_be_repeated).lower(),
    }
    return Problem(429, message, kind=_LIMITED, code=code, headers=headers)


def problem_of_crash() -> Problem:
    """Return what is told of an error that nobody has foreseen: nothing."""
    return Problem(500, _UNTOLD, kind=SERVERS, code="internal")


def problem_response(problem: Problem) -> JSONResponse:
    """Return the answer that says a problem."""
    return JSONResponse(problem.to_json(), problem.status, problem.headers)


def add_problem_handlers(app: FastAPI) -> None:
    """Let everything that an application raises or refuses have OpenAI's shape."""

    @app.exception_handler(Problem)
    async def answer_problem(_: Request, error: Problem) -> JSONResponse:
        return problem_response(error)

    @app.exception_handler(ClusterError)
    async def answer_failure(_: Request, error: ClusterError) -> JSONResponse:
        return problem_response(problem_of(error))

    @app.exception_handler(RequestValidationError)
    async def answer_bad_input(_: Request, error: RequestValidationError) -> JSONResponse:
        return problem_response(_problem_of_input(error))

    @app.exception_handler(HTTPException)
    async def answer_refusal(request: Request, error: HTTPException) -> JSONResponse:
        return problem_response(_problem_of_refusal(request, error))


def _problem_of_input(error: RequestValidationError) -> Problem:
    first = error.errors()[0]
    where = [str(part) for part in first["loc"][1:] if not _is_of_union(str(part))]
    if first["type"] == "json_invalid":
        return Problem(400, f"the body is no JSON: {first['ctx']['error']} at byte {where[0]}")
    if not where:
        return Problem(400, "the body must be a JSON object, sent as application/json")
    name = ".".join(where)
    return Problem(400, f"{name}: {_told(first)}", param=name, code=_code(first["type"]))


def _is_of_union(part: str) -> bool:
    """Say whether it names one of the types that a value may have, not a place in the body."""
    return "[" in part or part in {"str", "int", "float", "bool"}


def _told(fault: Mapping[str, object]) -> str:
    """Return pydantic's sentence, or ours where a validator of ours has raised it."""
    context = fault.get("ctx")
    ours = context.get("error") if isinstance(context, Mapping) else None
    text = str(ours) if isinstance(ours, ValueError) else str(fault["msg"])
    return text[:1].lower() + text[1:]


def _code(kind: str) -> str:
    return "missing_required_parameter" if kind == "missing" else "invalid_value"


def _problem_of_refusal(request: Request, error: HTTPException) -> Problem:
    path = json.dumps(request.url.path)[1:-1][:200]
    messages = {
        404: f"there is nothing at {request.method} {path}",
        405: f"{request.method} is not allowed at {path}",
        400: "the body can't be read",
    }
    code = {404: "unknown_url", 405: "method_not_allowed"}.get(error.status_code, "")
    message = messages.get(error.status_code, HTTPStatus(error.status_code).phrase)
    return Problem(error.status_code, message, code=code, headers=error.headers)
