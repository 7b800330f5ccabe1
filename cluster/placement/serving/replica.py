"""One replica of the ingress, and the Ray Serve deployment of several.

A replica does nothing but input and output: it reserves no core. It refuses before Serve does, in
the shape that its clients know; and Serve, which stops a replica after 20 s unless told otherwise,
is told how long its streams may go on.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
from collections.abc import Sized
from typing import Any, Protocol

from ray import serve
from ray.serve._private.constants import SERVE_LOGGER_NAME
from ray.serve._private.http_util import MessageQueue
from ray.serve.context import _get_global_client
from ray.serve.experimental.round_robin_router import RoundRobinRouter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cluster.placement.serving.replica_spec import ReplicaSpec
from cluster.settings import Settings

APPLICATION = "fleetmind"
DEPLOYMENT = "ingress"
_OPENER = "cluster.placement.serving.assembly:open_ingress"
PER_STREAM = 2
"""Requests that Serve lets a replica have, for each that the replica accepts: what is beyond is
there to be refused by it, which takes a millisecond."""
WAIT_LOOP_S = 0.5
"""How often a replica that is to stop looks whether it may; Serve's own 2 s are most of an end."""
QUEUED_MAX = 4
"""Messages of one answer that may wait in a replica for Serve's proxy to take them."""
_LOOK_S, _LOOK_S_MAX = 0.005, 0.25
"""How often it is looked whether they are taken: at first, and later on."""
_TRACE_OF_A_NODE = 0.001
"""Of the resource with a node's address, which it has 1.0 of: so little pins an actor there."""
_REQUEST_ID = b"x-request-id"
_OVER = frozenset({"lifespan.shutdown.complete", "lifespan.shutdown.failed"})
_ENVIRONMENT = {
    # A second thread for our code would take each message over twice: nothing of ours blocks.
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "GRPC_ENABLE_FORK_SUPPORT": "0",
}


class _ServesLog(logging.Handler):
    """Hands lines on to the log that Serve keeps of a replica, which no other logger writes to."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand on a line."""
        logging.getLogger(SERVE_LOGGER_NAME).handle(record)


_INGRESS_LOG = logging.getLogger("cluster.serving")
_SERVES_LOG = _ServesLog()


class OpenedIngress(Protocol):
    """What an opener returns, for a spec and the host that Ray Serve listens at."""

    @property
    def app(self) -> ASGIApp:
        """The ASGI application, ready to be asked."""
        ...

    async def close(self) -> None:
        """Give up its connections; no request is under way any more."""
        ...


class IngressReplica:
    """Opens the application in its own event loop, and closes it when all requests have ended."""

    def __init__(self, spec: ReplicaSpec) -> None:
        os.environ.update(_ENVIRONMENT)  # read when grpc is imported
        self._spec = spec

    async def __serve_build_asgi_app__(self) -> ASGIApp:
        """Return the application, which Serve asks for once; where it can't be opened, again later.

        Raises:
            ClusterError: why it can't be opened.
        """
        _INGRESS_LOG.setLevel(logging.INFO)
        _INGRESS_LOG.addHandler(_SERVES_LOG)
        module, _, function = (self._spec.opener or _OPENER).partition(":")
        opener = getattr(importlib.import_module(module), function)
        host = await asyncio.to_thread(_listening_host)
        return _Behind(await opener(self._spec, host))


class _Behind:
    """What is opened, behind Serve's proxy, which adds the request's id to each answer by itself.

    Serve queues what is sent without a bound and returns at once, so that nobody would see that a
    reader is slow: here it is waited for what is queued.

    An object with `__call__` and no function: Serve takes a bound method for an ASGI 2 application.
    """

    def __init__(self, opened: OpenedIngress) -> None:
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request without the header that would be there twice; close at the end of all.

        Serve ends an application when its replica has been drained, and waits for its word.
        """
        queued = _queue_of(send)

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                message["headers"] = [each for each in headers if each[0] != _REQUEST_ID]
            elif message["type"] in _OVER:
                await self._opened.close()
            await _is_short(queued)
            await send(message)

        await self._opened.app(scope, receive, send_on)


def _queue_of(send: Send) -> Sized:
    """Return what Serve's `send` appends to, which it shows nowhere; nothing for any other."""
    for cell in getattr(send, "__closure__", None) or ():
        if isinstance(cell.cell_contents, MessageQueue):
            return cell.cell_contents._message_queue  # noqa: SLF001 - it has no other reader
    return ()


async def _is_short(queued: Sized) -> None:
    """Return when there is room for another message."""
    wait_s = _LOOK_S
    while len(queued) >= QUEUED_MAX:
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, _LOOK_S_MAX)


def _listening_host() -> str:
    """Return the host that Ray Serve's proxy listens at, whoever has started it."""
    found: Any = _get_global_client()
    return str(found.http_config.host)


def deployment_of(
    spec: ReplicaSpec, settings: Settings, *, node_address: str = ""
) -> serve.Application:
    """Return the replicas as Ray Serve deploys them.

    Args:
        spec: what each replica gets.
        settings: whose section [serve] says how many there are, and what each may hold.
        node_address: of the machine that all of them stay on; empty for any.
    """
    own = settings.serve
    options: dict[str, Any] = {"num_cpus": 0, "runtime_env": {"env_vars": dict(_ENVIRONMENT)}}
    if node_address:
        options["resources"] = {f"node:{node_address}": _TRACE_OF_A_NODE}
    # In turns: of a burst, the choice by queue lengths gives most to one replica, since those it
    # knows are from before the burst; and a stream is long, however few there are just now.
    replica = serve.deployment(
        name=DEPLOYMENT,
        num_replicas=own.replicas,
        max_ongoing_requests=PER_STREAM * own.streams_max,
        max_queued_requests=PER_STREAM * own.streams_max,
        graceful_shutdown_wait_loop_s=WAIT_LOOP_S,
        graceful_shutdown_timeout_s=own.drain_s,
        request_router_config={"request_router_class": RoundRobinRouter},
        ray_actor_options=options,
        # Its line for each request has no path and no task's id: the ingress writes one itself.
        logging_config={"enable_access_log": False},
    )(serve.ingress()(IngressReplica))
    return replica.bind(spec)
