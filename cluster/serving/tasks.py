"""The task API: tasks that belong to the cluster, followed, left and rejoined from anywhere.

A task belongs to the name of the token it came with: for all others, those with the scope admin
excepted, there is no such task. Whoever watches one never ends it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from cluster.kernel.errors import ClusterError, DeadlinePassed
from cluster.kernel.events import Event, Failed, StepFinished
from cluster.kernel.feed import BEFORE_ALL, Cursor, Gap, TaskRecord
from cluster.kernel.ids import NO_TASK, TaskId
from cluster.kernel.tasks.report import JsonObject, event_to_json
from cluster.kernel.vocabulary import Failure
from cluster.memory.task_records.port import TaskFilter
from cluster.serving.endings import RUNNING, ended_record
from cluster.serving.failure_log import FailureLog
from cluster.serving.following import closing
from cluster.serving.ingress import Ingress, caller_with
from cluster.serving.kept_responses import stay
from cluster.serving.ports import Caller
from cluster.serving.problems import SERVERS, ErrorBody, Problem, problem_of
from cluster.serving.sse import EventStream, Gone, frame, while_there
from cluster.serving.strict_json import StrictJsonRoute
from cluster.serving.task_begin import begin, end_of_begun
from cluster.serving.task_models import TaskAccepted, TaskEnd, TaskList, TaskRequest, TaskView
from cluster.serving.task_result import TaskResult

CANCEL_WAIT_S = 30.0
"""How long `DELETE` waits for the end of a task that runs."""
WAIT_EXTRA_S = 60.0
"""Beside its deadline: a task may be adopted in the middle of it."""
LISTED_MAX = 100
_TASK_ID = "^[0-9a-f]{32}$"
_Key = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="The same key and body within 24 hours are the same task.",
    ),
]
_After = Annotated[
    str | None, Query(max_length=40, description="Cursor of the last event that the reader has.")
]
_LastEventId = Annotated[
    str | None, Header(max_length=40, description="As `after`, and before it.")
]
_Errors = dict[int | str, dict[str, object]]


def _errors(**told: str) -> _Errors:
    """Return how errors are described, by names such as ``e404``."""
    return {
        int(status[1:]): {"model": ErrorBody, "description": description}
        for status, description in told.items()
    }


_NO_TASK_HERE = _errors(e404="There is no such task, or it is another's.")


def add_task_routes(app: FastAPI, ingress: Ingress) -> None:
    """Add all routes of the task API."""
    router = APIRouter(prefix="/v1/tasks", tags=["tasks"], route_class=StrictJsonRoute)
    asking = Depends(caller_with(ingress, "ask"))
    _add_post(router, ingress, asking)
    _add_list(router, ingress, asking)
    _add_reads(router, ingress, asking)
    _add_events(router, ingress, asking)
    _add_delete(router, ingress, asking)
    app.include_router(router)


def _add_post(router: APIRouter, ingress: Ingress, asking: Any) -> None:
    @router.post(
        "",
        status_code=202,
        response_model=TaskAccepted,
        responses={
            200: {"model": TaskResult, "description": "With `wait`: what has become of it."},
            **_errors(
                e409="The key came with another body.",
                e429="A limit of the token is reached, or no Manager takes a task just now.",
            ),
        },
    )
    async def create_task(
        body: TaskRequest,
        request: Request,
        caller: Caller = asking,
        idempotency_key: _Key = None,
    ) -> Response:
        """Hand in a task, which goes on whoever goes away; answered when it is durable."""
        task = await begin(ingress, caller, body, idempotency_key)
        if not body.wait:
            return JSONResponse(TaskAccepted.of(task).model_dump(), 202)
        timeout_s = (body.deadline_s or ingress.defaults.deadline_s) + WAIT_EXTRA_S
        ending = _ended(ingress, task, timeout_s)
        try:
            return _result(ingress, await while_there(request.receive, ending))
        except (Gone, asyncio.CancelledError) as left:  # some servers cancel us instead
            if body.on_disconnect == "cancel":
                await ingress.endings.finish(end_of_begun(ingress, task))
            if isinstance(left, asyncio.CancelledError):
                raise
            raise Problem(499, "whoever asked has gone") from None


def _add_list(router: APIRouter, ingress: Ingress, asking: Any) -> None:
    @router.get("")
    async def list_tasks(
        caller: Caller = asking,
        status: Literal["running", "answered", "clarify", "failed", "cancelled"] | None = None,
        after: Annotated[str | None, Query(pattern=_TASK_ID)] = None,
        limit: Annotated[int, Query(ge=1, le=LISTED_MAX)] = 20,
    ) -> TaskList:
        """List the caller's tasks, the newest first; with the scope admin, those of all."""
        owner = None if "admin" in caller.scopes else caller.name
        which = TaskFilter(owner, status or "", TaskId(after) if after else NO_TASK, limit + 1)
        found = await ingress.desk.tasks(which)
        views = [TaskView.of(each) for each in found[:limit]]
        return TaskList(data=views, has_more=len(found) > limit)


def _add_reads(router: APIRouter, ingress: Ingress, asking: Any) -> None:
    @router.get("/{task}", responses=_NO_TASK_HERE)
    async def get_task(task: str, caller: Caller = asking) -> TaskView:
        """Show how a task is."""
        return TaskView.of((await _record(ingress, caller, task)).summary)

    @router.get(
        "/{task}/result",
        response_model=TaskResult,
        responses={**_NO_TASK_HERE, **_errors(e409="It has not ended yet: `task_running`.")},
    )
    async def get_result(task: str, caller: Caller = asking) -> Response:
        """Return what has become of a task that has ended; it is kept for a week."""
        record = await _record(ingress, caller, task)
        if record.summary.status != RUNNING:
            return _result(ingress, record)
        raise Problem(
            409,
            "the task still runs: its result is there when it has ended",
            code="task_running",
            headers={"Retry-After": "1"},
        )


def _add_events(router: APIRouter, ingress: Ingress, asking: Any) -> None:
    @router.get(
        "/{task}/events",
        response_class=Response,
        responses={
            200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}},
            204: {"description": "It has ended, and nothing follows: do not come again."},
            **_NO_TASK_HERE,
        },
    )
    async def get_events(
        task: str,
        caller: Caller = asking,
        after: _After = None,
        last_event_id: _LastEventId = None,
    ) -> Response:
        """Stream a task's events, from the first or from a cursor on, to the terminal one."""
        # A browser that comes again sends the header, and still has the URL it came with first.
        param = "Last-Event-ID" if last_event_id else "after"
        cursor = _cursor(last_event_id or after, param) or BEFORE_ALL
        record = await _record(ingress, caller, task)
        events = ingress.desk.watch(TaskId(task), cursor)
        if record.summary.status != RUNNING:
            first = await anext(events, None)
            if first is None:
                await _refuse_unknown(ingress, TaskId(task), cursor, param)
                return Response(status_code=204)
            events = _with_first(first, events)
        return EventStream(_frames(ingress, events), stay, may_wait=True)


def _add_delete(router: APIRouter, ingress: Ingress, asking: Any) -> None:
    @router.delete("/{task}", responses=_NO_TASK_HERE)
    async def end_task(task: str, caller: Caller = asking) -> TaskEnd:
        """Cancel a task that runs, and return when it has ended; delete one that has ended."""
        desk = ingress.desk
        record = await _record(ingress, caller, task)
        if record.summary.status == RUNNING:
            await desk.cancel(TaskId(task), f"{caller.name or 'its owner'} asked for its end")
            ended = await _ended(ingress, TaskId(task), CANCEL_WAIT_S)
            if ended is None:
                raise _unknown()
            return TaskEnd(id=task, status=ended.summary.status, deleted=False)
        await desk.forget(TaskId(task))
        if ingress.webhooks is not None:
            await ingress.webhooks.drop(TaskId(task))
        return TaskEnd(id=task, status=record.summary.status, deleted=True)


async def _record(ingress: Ingress, caller: Caller, task: str) -> TaskRecord:
    """Return the record of a task that the caller may see; raises Problem where there is none."""
    may_be_anothers = "admin" in caller.scopes
    record = await ingress.known_record(caller, task, may_be_anothers=may_be_anothers)
    if record is None:
        raise _unknown()
    return record


def _unknown() -> Problem:
    return Problem(404, "there is no such task, or no longer", code="task_not_found")


async def _ended(ingress: Ingress, task: TaskId, timeout_s: float) -> TaskRecord | None:
    """As `ended_record`; that it takes longer is no failure of the task, and a Problem here."""
    try:
        return await ended_record(ingress.desk, task, timeout_s, asyncio.sleep)
    except DeadlinePassed as late:
        headers = {"X-Should-Retry": "false"}
        raise Problem(504, late.message, kind=SERVERS, code=late.kind, headers=headers) from None


def _result(ingress: Ingress, record: TaskRecord | None) -> Response:
    """Return the FIXED object as the record has it, but for what only the server's log tells."""
    if record is None:
        raise _unknown()
    text = record.report_json
    if record.summary.status == "failed":
        report = json.loads(text)
        failure = Failure(report["error"]["kind"], report["error"]["message"])
        problem = ingress.failures.problem_of(TaskId(record.summary.task), failure)
        text = json.dumps({**report, "error": _error_of(failure, problem)})
    return Response(text, media_type="application/json")


def _cursor(text: str | None, param: str) -> Cursor | None:
    if not text:
        return None
    try:
        return Cursor.parse(text)
    except ValueError as error:
        raise Problem(400, str(error), param=param, code="invalid_value") from None


async def _refuse_unknown(ingress: Ingress, task: TaskId, cursor: Cursor, param: str) -> None:
    """Refuse a cursor that nothing follows and that is no event's, of a task that has ended.

    Raises:
        Problem: it is such a one: its reader would believe to have all.
    """
    if cursor == BEFORE_ALL:
        return
    events = ingress.desk.watch(task, Cursor(cursor.term, max(0, cursor.number - 1)))
    async with closing(events):
        found = await anext(events, None)
    if found is not None and (found[0] == cursor or isinstance(found[1].detail, Gap)):
        return
    message = f"{param}: the task has ended, and has no event {cursor}"
    raise Problem(400, message, param=param, code="invalid_value")


async def _with_first(
    first: tuple[Cursor, Event], events: AsyncIterator[tuple[Cursor, Event]]
) -> AsyncGenerator[tuple[Cursor, Event]]:
    async with closing(events):
        yield first
        async for each in events:
            yield each


async def _frames(
    ingress: Ingress, events: AsyncIterator[tuple[Cursor, Event]]
) -> AsyncGenerator[bytes]:
    """Yield the events as they are written; a failure of the cluster is one without a cursor."""
    try:
        async with closing(events):
            async for cursor, event in events:
                if (line := _line_of(event, ingress.failures)) is not None:
                    yield frame(line, event=event.kind, cursor=str(cursor))
    except ClusterError as error:
        yield frame(problem_of(error).to_json(), event="error")


def _line_of(event: Event, failures: FailureLog) -> JsonObject | None:
    """Return the FIXED line of an event; None where it isn't shown.

    Why something failed is said in a sentence for whoever runs the server, which may name its
    hosts: clients are told it by its kind.
    """
    line = event_to_json(event)
    if line is None:
        return None
    match event.detail:
        case Failed(failure):
            line["error"] = _error_of(failure, failures.problem_of(event.task, failure))
        case StepFinished(failure=Failure() as failure):
            line["error"] = _error_of(failure, problem_of(failure, may_log=False))
    return line


def _error_of(failure: Failure, problem: Problem) -> dict[str, str]:
    """Return the ``error`` of the FIXED object as a client is told it."""
    return {"kind": failure.kind, "message": problem.message}
