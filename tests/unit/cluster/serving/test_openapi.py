"""The published OpenAPI is true: whatever is sent by it gets an answer that it describes.

Each operation is tried with made-up requests, good and bad ones; those that stream are tested by
themselves. More of them: ``FLEETMIND_OPENAPI_EXAMPLES=200 pytest`` on this file.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from cluster.kernel.events import Answered, Thought
from cluster.kernel.ids import TaskId
from cluster.kernel.vocabulary import Answer, Citation, Claim, Support
from cluster.serving.ports import Caller, TaskOrder
from tests.support.fake_desk import FakeDesk, FakeGate, app_of

EXAMPLES = int(os.environ.get("FLEETMIND_OPENAPI_EXAMPLES", "10"))
STREAMS = ["/v1/tasks/{task}/events"]
TASKS_MAX = 50
KNOWN_BODIES: dict[str, Any] = {
    "/v1/chat/completions": {
        "model": "fleetmind",
        "messages": [{"role": "user", "content": "why?"}],
    },
    "/v1/responses": {"model": "fleetmind", "input": "why?"},
}
ANSWER = Answer(
    "It is.",
    (Citation("a.md", 1, 2, "it is"),),
    claims=(Claim("It is.", Support.QUOTED, (0,)),),
)


class InstantDesk(FakeDesk):
    """Its tasks have ended as soon as they are begun, on whichever event loop that is."""

    def __init__(self) -> None:
        super().__init__([])
        self.known: list[TaskId] = []
        self._numbers = 0

    async def start(self, order: TaskOrder, task: TaskId) -> None:
        await super().start(order, task)
        await self._play(self._played[task], [Thought("hm"), Answered(ANSWER)])
        self.known = [*self.known, task][-TASKS_MAX:]

    async def submit(self, order: TaskOrder, task: TaskId) -> Any:
        live = await super().submit(order, task)
        await self._play(self._played[task], [Thought("hm"), Answered(ANSWER)])
        return live

    async def forget(self, task: TaskId) -> None:
        await super().forget(task)
        self.known = [each for each in self.known if each != task]


class Server:
    """The application, one for all requests: building it takes longer than answering."""

    def __init__(self) -> None:
        self.desk = InstantDesk()
        self.app: FastAPI = app_of(self.desk, FakeGate({"root": Caller("root")}))
        self.requests = 0
        self.answered: dict[str, set[int]] = {}
        """The statuses that each operation has had."""

    def known_task(self) -> TaskId:
        """A task that has ended, and was not deleted."""
        if not self.desk.known:
            order = TaskOrder("why?", 60.0, owner="root")
            asyncio.run(self.desk.start(order, self.desk.new_task()))
        return self.desk.known[-1]


SERVER = Server()
SCHEMA = schemathesis.openapi.from_dict(SERVER.app.openapi())
SCHEMA.app = SERVER.app


def make_known(case: schemathesis.Case[Any]) -> None:
    """Let every second request be about something that is there; made-up names never are."""
    names, body = case.path_parameters, case.body
    case.query.pop("stream", None)
    if isinstance(body, dict) and body.get("stream"):
        body = {**body, "stream": False}
    SERVER.requests += 1
    if SERVER.requests % 2:
        for name in {"task", "response"} & set(names):
            names[name] = SERVER.known_task()
        if "model" in names:
            names["model"] = "fleetmind"
        body = KNOWN_BODIES.get(case.operation.path, body)
    case.body = body


@SCHEMA.exclude(path=STREAMS).parametrize()
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None)
def test_an_answer_is_one_that_the_openapi_has(case: schemathesis.Case[Any]) -> None:
    make_known(case)

    answer = case.call_and_validate(
        headers={"authorization": "Bearer root"},
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ],
    )
    statuses = SERVER.answered.setdefault(case.operation.label, set())
    statuses.add(answer.status_code)


def test_good_and_bad_requests_were_among_them() -> None:
    if not SERVER.answered:
        pytest.skip("the requests were left out")
    without = {"GET /healthz", "GET /readyz", "GET /v1/models"}  # nothing can be wrong with them

    all_bad = [name for name, each in SERVER.answered.items() if not any(n < 400 for n in each)]
    all_good = [name for name, each in SERVER.answered.items() if not any(n >= 400 for n in each)]

    assert all_bad == []
    assert set(all_good) <= without


def test_the_openapi_has_every_route() -> None:
    paths = SERVER.app.openapi()["paths"]

    assert {"/v1/tasks", "/v1/tasks/{task}/result", "/v1/namespaces/{name}/documents"} <= set(paths)
    assert set(STREAMS) <= set(paths)
