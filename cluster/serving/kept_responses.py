"""`/v1/responses/{id}`: what has become of a response, its events again, its end.

What is made in the background is read from its task's feed, at whichever replica is asked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Annotated, Any, Final, Literal

from fastapi import Depends, FastAPI, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict

from cluster.kernel.errors import ClusterError, DeadlinePassed
from cluster.kernel.events import Event
from cluster.kernel.feed import BEFORE_ALL, TaskRecord
from cluster.kernel.ids import TaskId
from cluster.kernel.tasks.report import JsonObject
from cluster.serving.endings import RUNNING, ended_record
from cluster.serving.following import closing
from cluster.serving.ingress import Ingress, caller_with
from cluster.serving.orders import TEAM
from cluster.serving.ports import Caller
from cluster.serving.problems import Problem, problem_of
from cluster.serving.response_story import GONE, ResponseHead, ResponseStory, response_of
from cluster.serving.sse import EventStream, frame

RECORD_WAIT_S: Final = 3.0
"""How long the end of a stream waits for the record, which says what was used."""
CANCEL_WAIT_S: Final = 3.0
"""How long a cancellation is waited for; the response says what has become of it by then."""


class ResponseObject(BaseModel):
    """A response, as OpenAI's API has it."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["response"]
    status: Literal["in_progress", "completed", "failed", "cancelled"]


class ResponseDeleted(BaseModel):
    """A response that is kept no longer."""

    id: str
    object: Literal["response"] = "response"
    deleted: bool = True


STREAMED_OR_WHOLE: Final[dict[str, Any]] = {
    "model": ResponseObject,
    "description": "The response, or its events as server-sent events.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


def add_kept_response_routes(app: FastAPI, ingress: Ingress) -> None:
    """Add all routes of one response."""
    asking = Depends(caller_with(ingress, "ask"))

    @app.get("/v1/responses/{response}", tags=["responses"], responses={200: STREAMED_OR_WHOLE})
    async def retrieve(
        response: str,
        stream: bool = False,  # noqa: FBT001, FBT002 - FastAPI calls it by name
        starting_after: Annotated[int, Query(ge=0)] | None = None,
        caller: Caller = asking,
    ) -> Response:
        """Show a response as it is, or stream what follows an event of it."""
        record = await _record(ingress, caller, response)
        if not stream:
            return JSONResponse(response_of(record, TEAM, ingress.failures))
        _refuse_foreground(record, "streamed again")
        after = -1 if starting_after is None else starting_after
        story = ResponseStory(_head_of(record), ingress.failures)
        frames = watched(ingress, story, after)
        if record.summary.status != RUNNING:
            frames = await _begun(frames, story, after)
        return EventStream(frames, stay, may_wait=True)

    @app.post("/v1/responses/{response}/cancel", tags=["responses"])
    async def cancel(response: str, caller: Caller = asking) -> ResponseObject:
        """End a response that is made in the background; one that has ended stays as it is."""
        record = await _record(ingress, caller, response)
        _refuse_foreground(record, "cancelled")
        if record.summary.status == RUNNING:
            await _cancel(ingress, TaskId(response))
            record = await _record(ingress, caller, response)
        return ResponseObject.model_validate(response_of(record, TEAM, ingress.failures))

    @app.delete("/v1/responses/{response}", tags=["responses"])
    async def delete(response: str, caller: Caller = asking) -> ResponseDeleted:
        """Remove what is kept of a response that has ended."""
        record = await _record(ingress, caller, response)
        if record.summary.status == RUNNING:
            raise Problem(
                409,
                "the response is still being made: cancel it first",
                code="response_in_progress",
                headers={"X-Should-Retry": "false"},
            )
        await ingress.desk.forget(TaskId(response))
        return ResponseDeleted(id=response)


async def _record(ingress: Ingress, caller: Caller, response: str) -> TaskRecord:
    """Return the record of a caller's response; raises Problem where there is none."""
    record = await ingress.known_record(caller, response)
    if record is None:
        message = "there is no such response, or no longer"
        raise Problem(404, message, code="response_not_found")
    return record


def _head_of(record: TaskRecord) -> ResponseHead:
    summary = record.summary
    return ResponseHead(
        TaskId(summary.task), TEAM, int(summary.submitted_wall_s), summary.is_detached
    )


async def watched(
    ingress: Ingress, story: ResponseStory, after: int = -1
) -> AsyncGenerator[bytes, None]:
    """Yield what follows an event: the whole feed makes it, so that the numbers are its own."""
    watching = ingress.desk.watch(story.task, BEFORE_ALL)

    async def read() -> AsyncGenerator[tuple[Event, int], None]:
        async for cursor, event in watching:
            if event.is_terminal:  # what was used is in no event of a feed, but in the record
                story.told = await _report_of(ingress, story.task)
            yield event, cursor.term

    async with closing(watching), aclosing(frames_of(story, read(), after)) as frames:
        async for each in frames:
            yield each


async def _begun(
    frames: AsyncGenerator[bytes, None], story: ResponseStory, after: int
) -> AsyncGenerator[bytes, None]:
    """Return the frames of a response that has ended, of which one or none was read.

    Raises:
        Problem: they were to follow an event that it doesn't have.
    """
    first = await anext(frames, None)
    if first is None and after >= story.events_made:
        last = story.events_made - 1
        message = f"starting_after: the response has ended, and its last event is {last}"
        raise Problem(400, message, param="starting_after", code="invalid_value")
    return _with_first(first, frames)


async def _with_first(
    first: bytes | None, frames: AsyncGenerator[bytes, None]
) -> AsyncGenerator[bytes, None]:
    async with aclosing(frames):
        if first is not None:
            yield first
        async for each in frames:
            yield each


async def _report_of(ingress: Ingress, task: TaskId) -> JsonObject | None:
    """Return the FIXED object of a task that has ended; None where its record is not there yet."""
    with suppress(DeadlinePassed):
        record = await ended_record(ingress.desk, task, RECORD_WAIT_S, asyncio.sleep)
        if record is not None and record.report_json:
            report: JsonObject = json.loads(record.report_json)
            return report
    return None


async def frames_of(
    story: ResponseStory, events: AsyncIterator[tuple[Event, int]], after: int = -1
) -> AsyncGenerator[bytes, None]:
    """Yield the events that a task's events make, after the one of a number.

    That what was streamed is kept no longer is told whatever the number.
    """
    try:
        async for event, term in events:
            made = list(story.events(event, term))
            for each in made if story.has_gap else _following(made, after):
                yield frame(each, event=str(each["type"]))
            if story.has_ended:
                return
        raise Problem(410, GONE, code="gap")
    except ClusterError as error:
        yield frame({"type": "error", **problem_of(error).to_json()}, event="error")
    except Problem as problem:
        yield frame({"type": "error", **problem.to_json()}, event="error")


def _following(events: list[JsonObject], after: int) -> list[JsonObject]:
    return [each for each in events if int(str(each["sequence_number"])) > after]


async def stay() -> None:
    """Leave a task that belongs to the cluster as it is."""


async def _cancel(ingress: Ingress, task: TaskId) -> None:
    await ingress.desk.cancel(task, "its client asked for its end")
    with suppress(TimeoutError):
        watching = ingress.desk.watch(task, BEFORE_ALL)
        async with asyncio.timeout(CANCEL_WAIT_S), closing(watching):
            async for _, event in watching:
                if event.is_terminal:
                    return


def _refuse_foreground(record: TaskRecord, what: str) -> None:
    if not record.summary.is_detached:
        raise Problem(
            400, f"only a response in the background can be {what}", code="not_in_background"
        )
