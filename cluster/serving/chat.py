"""`POST /v1/chat/completions`: a chat with the team, or with one role, as with a model."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response

from cluster.kernel.errors import ClusterError
from cluster.serving.chat_request import UNOFFERED_IN_CHATS, ChatRequest, messages_of
from cluster.serving.completion import ChatCompletion, Completion
from cluster.serving.following import TakenTask, begin, leaving
from cluster.serving.ingress import Ingress, caller_with
from cluster.serving.orders import order_of, refuse_unoffered, role_of_model
from cluster.serving.ports import Caller, TaskOrder
from cluster.serving.problems import Problem, problem_of
from cluster.serving.sse import EventStream, Gone, frame, framed, while_there

_DONE = b"data: [DONE]\n\n"


def add_chat_routes(app: FastAPI, ingress: Ingress) -> None:
    """Add the route."""
    caller_who_asks = Depends(caller_with(ingress, "ask"))

    @app.post(
        "/v1/chat/completions",
        tags=["chat"],
        responses={
            200: {
                "model": ChatCompletion,
                "description": "The completion, or its chunks as server-sent events.",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            }
        },
    )
    async def complete(
        request: Request, body: ChatRequest, caller: Caller = caller_who_asks
    ) -> Response:
        """Answer the last message of a conversation."""
        order = await _order(ingress, caller, body)
        try:
            if body.stream:
                return await _streamed(ingress, caller, order, body, request)
            work = _whole(ingress, caller, order, body)
            return await while_there(request.receive, work)
        except Gone:
            return Response(status_code=499)  # nobody reads it; the log does


async def _order(ingress: Ingress, caller: Caller, body: ChatRequest) -> TaskOrder:
    role = await role_of_model(ingress, body.model)
    refuse_unoffered(body.model_extra or {}, UNOFFERED_IN_CHATS)
    messages = messages_of(body.messages)
    return order_of(ingress, caller, messages, body.fleetmind, role=role, param="messages")


def _completion(ingress: Ingress, body: ChatRequest, followed: TakenTask) -> Completion:
    return Completion(
        followed.live.id,
        body.model,
        created=int(ingress.clock.wall()),
        has_usage=bool(body.stream_options and body.stream_options.include_usage),
    )


async def _whole(ingress: Ingress, caller: Caller, order: TaskOrder, body: ChatRequest) -> Response:
    followed = await begin(ingress, caller, order)
    try:
        completion = _completion(ingress, body, followed)
        async for event in followed.events:
            completion.observe(event)
            if event.is_terminal:
                break
        if completion.failure is not None:
            raise ingress.failures.problem_of(followed.live.id, completion.failure)
        return JSONResponse(completion.to_json(), headers=_headers(followed))
    finally:
        await leaving(ingress, followed.live)()


async def _streamed(
    ingress: Ingress, caller: Caller, order: TaskOrder, body: ChatRequest, request: Request
) -> Response:
    followed = await while_there(
        request.receive,
        begin(ingress, caller, order),
        undo=lambda taken: leaving(ingress, taken.live)(),
    )
    completion = _completion(ingress, body, followed)
    return EventStream(
        _frames(ingress, completion, followed),
        leaving(ingress, followed.live),
        _headers(followed),
    )


async def _frames(
    ingress: Ingress, completion: Completion, followed: TakenTask
) -> AsyncGenerator[bytes, None]:
    try:
        yield frame(completion.first_chunk())
        async for event in followed.events:
            for chunk in completion.chunks(event):
                yield framed(chunk)
            if event.is_terminal:
                break
        if completion.failure is not None:
            raise ingress.failures.problem_of(followed.live.id, completion.failure)
    except ClusterError as error:
        yield frame(problem_of(error).to_json())
    except Problem as problem:
        yield frame(problem.to_json())
    else:
        for last in completion.last_chunks():
            yield frame(last)
        yield _DONE


def _headers(followed: TakenTask) -> dict[str, str]:
    return {"x-fleetmind-task": followed.live.id}
