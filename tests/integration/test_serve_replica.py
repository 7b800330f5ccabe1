"""A replica opens what its spec names, and is deployed with our bounds rather than Serve's."""

from __future__ import annotations

import asyncio
import inspect
import logging
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from ray import serve
from ray.serve._private.constants import SERVE_LOGGER_NAME
from ray.serve._private.http_util import MessageQueue
from ray.serve._private.replica import UserCallableWrapper
from starlette.types import Message, Receive, Scope, Send

from cluster.placement.serving import replica
from cluster.placement.serving.replica import QUEUED_MAX, IngressReplica, deployment_of
from cluster.placement.serving.replica_spec import ReplicaSpec
from cluster.settings.values import ServeSettings, Settings

pytestmark = pytest.mark.integration

SETTINGS = Settings(serve=ServeSettings(replicas=3, streams_max=50, drain_s=90.0))


async def says_its_id(scope: Scope, _receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.shutdown.complete"})
        return
    headers = [(b"x-request-id", b"1"), (b"x-other", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"well"})


@dataclass
class Opened:
    """What the opener was given, and whether it was closed."""

    given: list[tuple[ReplicaSpec, str]] = field(default_factory=list)
    is_closed: bool = False
    app = staticmethod(says_its_id)

    async def open(self, spec: ReplicaSpec, host: str) -> Opened:
        self.given.append((spec, host))
        return self

    async def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    found = Opened()
    module = types.ModuleType("an_opener")
    module.open_it = found.open  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "an_opener", module)
    monkeypatch.setattr(replica, "_listening_host", lambda: "10.0.0.1")
    return found


@pytest.fixture(autouse=True)
def _no_line_of_other_tests_is_served() -> Iterator[None]:
    log = logging.getLogger("cluster.serving")
    handlers, level = log.handlers[:], log.level
    yield
    log.handlers[:] = handlers
    log.setLevel(level)


def bound(application: serve.Application) -> serve.Deployment:
    return application._bound_deployment  # noqa: SLF001 - Serve shows it nowhere else


SPEC = ReplicaSpec("{}", "/secrets", "an_opener:open_it")


async def said(scope_type: str) -> list[Message]:
    """Have a replica's application called, and return what it sends."""
    app = await IngressReplica(SPEC).__serve_build_asgi_app__()
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    await app({"type": scope_type}, receive, send)
    return sent


async def test_it_opens_its_application_for_where_serve_really_listens(opened: Opened) -> None:
    await said("http")

    assert opened.given == [(SPEC, "10.0.0.1")]
    assert not opened.is_closed


async def test_it_closes_what_it_has_opened_before_it_says_that_it_is_over(opened: Opened) -> None:
    sent = await said("lifespan")

    assert opened.is_closed
    assert sent == [{"type": "lifespan.shutdown.complete"}]


@pytest.mark.usefixtures("opened")
async def test_the_id_of_a_request_is_left_to_serve_which_adds_it_too() -> None:
    start, body = await said("http")

    assert start["headers"] == [(b"x-other", b"2")]
    assert body["body"] == b"well"


@pytest.mark.usefixtures("opened")
async def test_the_line_of_each_request_is_in_the_log_that_serve_keeps_once() -> None:
    lines: list[str] = []
    kept = logging.Handler()
    kept.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger(SERVE_LOGGER_NAME)
    log.addHandler(kept)
    try:
        for _ in range(2):
            await IngressReplica(SPEC).__serve_build_asgi_app__()
        logging.getLogger("cluster.serving.edge").info("GET %s: %d", "/v1/models", 200)
    finally:
        log.removeHandler(kept)

    assert lines == ["GET /v1/models: 200"]


async def test_what_serve_has_not_passed_on_yet_is_waited_for(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def talks(_scope: Scope, _receive: Receive, send: Send) -> None:
        for _ in range(5 * QUEUED_MAX):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    queue = MessageQueue()  # type: ignore[no-untyped-call] # it is Serve's

    async def enqueue(message: Message) -> None:  # as Serve has it
        queue.put_nowait(message)

    monkeypatch.setattr(opened, "app", talks, raising=False)
    app = await IngressReplica(SPEC).__serve_build_asgi_app__()
    answering = asyncio.ensure_future(app({"type": "http"}, receive, enqueue))
    taken = []
    while not answering.done():
        await asyncio.wait({answering}, timeout=0.01)
        taken.append(len(queue.get_messages_nowait()))

    assert max(taken) == QUEUED_MAX
    assert sum(taken) == 5 * QUEUED_MAX


def test_the_send_of_serve_has_its_queue_where_it_is_looked_for() -> None:
    code = inspect.getsource(UserCallableWrapper.call_http_entrypoint)

    assert "result_queue = MessageQueue()" in code
    assert "async def enqueue(item: Any):\n                result_queue.put_nowait(item)" in code


def test_serve_lets_in_more_than_a_replica_takes_so_that_it_refuses_by_itself() -> None:
    deployment = bound(deployment_of(SPEC, SETTINGS))

    assert deployment.num_replicas == 3
    assert deployment.max_ongoing_requests > SETTINGS.serve.streams_max
    assert deployment.max_queued_requests > 0


def test_a_replica_that_is_to_stop_has_the_time_that_the_settings_say() -> None:
    deployment = bound(deployment_of(SPEC, SETTINGS))

    config = deployment._deployment_config  # noqa: SLF001 - its options have no other reader
    assert config.graceful_shutdown_timeout_s == 90.0


def test_serve_itself_writes_no_second_line_of_a_request() -> None:
    config = bound(deployment_of(SPEC, SETTINGS))._deployment_config  # noqa: SLF001 - as above

    assert config.logging_config is not None
    assert not config.logging_config["enable_access_log"]


def test_replicas_reserve_no_core_and_stay_where_they_are_told_to() -> None:
    anywhere = bound(deployment_of(SPEC, SETTINGS)).ray_actor_options or {}
    pinned = bound(deployment_of(SPEC, SETTINGS, node_address="10.0.0.1")).ray_actor_options or {}

    assert anywhere["num_cpus"] == 0
    assert not anywhere.get("resources")
    assert list(pinned["resources"]) == ["node:10.0.0.1"]
