"""`POST /v1/responses`: as chat completions, or in the background, to be read at any replica."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Final

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse, Response

from cluster.kernel.conversation import ChatMessage
from cluster.kernel.events import Event, Submitted
from cluster.kernel.feed import BEFORE_ALL
from cluster.kernel.ids import TaskId
from cluster.serving.following import begin, closing, leaving, start
from cluster.serving.ingress import Ingress, caller_with
from cluster.serving.kept_responses import STREAMED_OR_WHOLE, frames_of, stay, watched
from cluster.serving.orders import order_of, refuse_unoffered, role_of_model
from cluster.serving.ports import Caller, TaskOrder
from cluster.serving.problems import SERVERS, Problem
from cluster.serving.response_request import (
    UNOFFERED_IN_RESPONSES,
    ResponseRequest,
    messages_of_input,
)
from cluster.serving.response_story import (
    ResponseHead,
    ResponseStory,
    answer_in,
)
from cluster.serving.sse import EventStream, Gone, while_there

FIRST_WAIT_S: Final = 5.0
"""How long the first event of an earlier task is waited for, which is in the store already."""


def add_response_routes(app: FastAPI, ingress: Ingress) -> None:
    """Add the route that makes them."""
    asking = Depends(caller_with(ingress, "ask"))

    @app.post("/v1/responses", tags=["responses"], responses={200: STREAMED_OR_WHOLE})
    async def create(request: Request, body: ResponseRequest, caller: Caller = asking) -> Response:
        """Answer the last message of the input."""
        order = await _order(ingress, caller, body)
        if body.background:
            return await _in_background(ingress, caller, order, body)
        try:
            if body.stream:
                return await _streamed(ingress, caller, order, body, request)
            return await while_there(request.receive, _whole(ingress, caller, order, body))
        except Gone:
            return Response(status_code=499)  # nobody reads it; the log does


async def _order(ingress: Ingress, caller: Caller, body: ResponseRequest) -> TaskOrder:
    role = await role_of_model(ingress, body.model)
    refuse_unoffered(body.model_extra or {}, UNOFFERED_IN_RESPONSES)
    messages = messages_of_input(body)
    if body.previous_response_id:
        before = await _conversation_before(ingress, caller, body.previous_response_id)
        if body.instructions:  # those of the earlier response don't hold any longer
            before = [each for each in before if each.role != "system"]
            messages = [messages[0], *before, *messages[1:]]
        else:
            messages = [*before, *messages]
    return order_of(ingress, caller, messages, body.fleetmind, role=role, param="input")


async def _conversation_before(
    ingress: Ingress, caller: Caller, response: str
) -> list[ChatMessage]:
    """Return what was said up to the end of a response.

    The first event of its task has the conversation that it continued, and is kept for a day.
    """
    name = "previous_response_id"
    record = await ingress.known_record(caller, response)
    if record is None:
        message = f"{name}: there is no such response, or no longer"
        raise Problem(404, message, param=name, code="previous_response_not_found")
    report = json.loads(record.report_json) if record.report_json else {"status": "running"}
    if report["status"] not in {"answered", "clarify"}:
        message = f"{name}: this response has no answer that could be continued"
        raise Problem(400, message, param=name, code="invalid_value")
    watching = ingress.desk.watch(TaskId(response), BEFORE_ALL)
    try:
        async with asyncio.timeout(FIRST_WAIT_S), closing(watching):
            first = await anext(watching, None)
    except TimeoutError:
        message = f"{name}: it could not be read within {FIRST_WAIT_S:g} s"
        raise Problem(504, message, kind=SERVERS, param=name, code="deadline") from None
    if first is None or not isinstance(submitted := first[1].detail, Submitted):
        message = f"{name}: what was said before this response is kept no longer: send it all"
        raise Problem(404, message, param=name, code="previous_response_not_found")
    said = ChatMessage("user", submitted.goal), ChatMessage("assistant", answer_in(report))
    return [*submitted.conversation, *said]


def _head(ingress: Ingress, task: TaskId, body: ResponseRequest) -> ResponseHead:
    return ResponseHead(
        task,
        body.model,
        int(ingress.clock.wall()),
        is_background=bool(body.background),
        instructions=body.instructions,
        previous=body.previous_response_id,
    )


async def _whole(
    ingress: Ingress, caller: Caller, order: TaskOrder, body: ResponseRequest
) -> Response:
    followed = await begin(ingress, caller, order)
    try:
        story = ResponseStory(_head(ingress, followed.live.id, body), ingress.failures)
        async for event in followed.events:
            for _ in story.events(event):
                pass
            if story.has_ended:
                break
        if story.problem is not None:
            raise story.problem
        return JSONResponse(story.to_json())
    finally:
        await leaving(ingress, followed.live)()


async def _streamed(
    ingress: Ingress, caller: Caller, order: TaskOrder, body: ResponseRequest, request: Request
) -> Response:
    followed = await while_there(
        request.receive,
        begin(ingress, caller, order),
        undo=lambda taken: leaving(ingress, taken.live)(),
    )
    story = ResponseStory(_head(ingress, followed.live.id, body), ingress.failures)
    frames = frames_of(story, _without_terms(followed.events))
    return EventStream(frames, leaving(ingress, followed.live))


async def _in_background(
    ingress: Ingress, caller: Caller, order: TaskOrder, body: ResponseRequest
) -> Response:
    task = ingress.desk.new_task()
    head = _head(ingress, task, body)
    await start(ingress, caller, order, task)
    if body.stream:
        story = ResponseStory(head, ingress.failures)
        return EventStream(watched(ingress, story), stay, may_wait=True)
    return JSONResponse(head.to_json("in_progress"))


async def _without_terms(events: AsyncIterator[Event]) -> AsyncIterator[tuple[Event, int]]:
    async for event in events:
        yield event, 0
