"""Starts Ray Serve in a Ray cluster, deploys the ingress there, and takes it away again.

Whatever else the cluster serves is left alone. Called by `cluster.placement.serving.process`, and
by what measures the ingress.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray import serve
from ray.serve._private.common import REPLICA_ID_FULL_ID_STR_PREFIX
from ray.serve._private.constants import SERVE_NAMESPACE
from ray.serve.context import _get_global_client
from ray.serve.schema import ApplicationStatus

from cluster.kernel.errors import PlacementError
from cluster.placement.ray.session import RaySession, last_line
from cluster.placement.serving.replica import APPLICATION
from cluster.settings.values import ServeSettings

START_TIMEOUT_S = 90.0
"""Above Serve's own deadline for its proxy."""
DEPLOY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 40.0
"""Above Serve's own deadline for its end."""
POLL_S = 0.2
_HEAD_ONLY = "HeadOnly"
_ENVIRONMENT = {
    # Of the proxy, which its controller hands it on to: one loop instead of two threads, and gRPC
    # instead of a Ray generator, whose items cost twice as much at both ends.
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    "RAY_SERVE_PROXY_USE_GRPC": "1",
}


@dataclass(frozen=True, slots=True)
class RolloutState:
    """How far a deployment is."""

    is_running: bool
    """All replicas are the latest, and answer."""
    failure: str = ""
    """Why it will not run."""


async def start_serve(session: RaySession, own: ServeSettings) -> bool:
    """Have Ray Serve listen where the settings say; return whether it was not there before.

    Raises:
        PlacementError: it can't be started, or listens elsewhere already.
    """
    return await session.call(_start, own, timeout_s=START_TIMEOUT_S)


async def deploy(session: RaySession, application: serve.Application) -> None:
    """Deploy the ingress, or replace its replicas one by one, and wait until it runs.

    Streams of replicas that are replaced go on until they end.

    Raises:
        PlacementError: it can't run, or does not in time.
    """
    await session.call(_run, application, timeout_s=DEPLOY_TIMEOUT_S)
    give_up_at = time.monotonic() + DEPLOY_TIMEOUT_S
    while not (found := await session.call(_state)).is_running:
        if found.failure or time.monotonic() > give_up_at:
            why = found.failure or f"it did not run within {DEPLOY_TIMEOUT_S:g} s"
            raise PlacementError(f"Ray Serve can't run the ingress: {why}")
        await asyncio.sleep(POLL_S)


async def is_deployed(session: RaySession) -> bool:
    """Say whether the ingress is there.

    Raises:
        PlacementError: Ray, or Serve, does not answer.
    """
    return APPLICATION in await session.call(_applications)


async def is_left_over(session: RaySession) -> bool | None:
    """Say whether Ray Serve is there for nothing but an ingress; None where it is not there.

    Raises:
        PlacementError: Ray, or Serve, does not answer.
    """
    if not await session.call(_is_there):
        return None
    return not set(await session.call(_applications)) - {APPLICATION}


async def proxy_log(session: RaySession) -> Path:
    """Return the log that Ray Serve's proxy writes on this machine, or the folder it is to be in.

    Raises:
        PlacementError: Ray does not answer.
    """
    return await session.call(_proxy_log)


async def withdraw(
    session: RaySession, timeout_s: float, is_cut: Callable[[], bool] = lambda: False
) -> None:
    """Take no request any more, and return when those that are under way have ended.

    Args:
        session: the connection to Ray.
        timeout_s: how long they may go on, in seconds.
        is_cut: asked again and again whether they may not go on at all.

    Raises:
        PlacementError: Ray does not answer, or they have not ended in time.
    """
    await session.call(lambda: serve.delete(APPLICATION, _blocking=False))
    give_up_at = time.monotonic() + timeout_s
    while APPLICATION in await session.call(_applications):
        if time.monotonic() > give_up_at:
            raise PlacementError(f"the ingress had streams for longer than {timeout_s:g} s")
        if is_cut():
            await session.call(_kill_replicas)
        await asyncio.sleep(POLL_S)


async def stop_serve(session: RaySession) -> None:
    """End Ray Serve, unless it serves others.

    Raises:
        PlacementError: Ray does not answer, or Serve has not ended in time.
    """
    if await is_left_over(session):
        await session.call(serve.shutdown, timeout_s=STOP_TIMEOUT_S)
        if await session.call(_is_there):
            raise PlacementError("Ray Serve has not ended in time: `serve shutdown` ends it")


def _start(own: ServeSettings) -> bool:
    wanted = {
        "host": own.host.strip("[]"),
        "port": own.port,
        "ssl_certfile": own.tls_cert or None,
        "ssl_keyfile": own.tls_key or None,
    }
    is_new = not _is_there()
    serve.start(
        proxy_location=_HEAD_ONLY,
        http_options=wanted,
        controller_options={"runtime_env": {"env_vars": _ENVIRONMENT}},
    )
    if not is_new:
        client: Any = _get_global_client()
        found = client.http_config
        if any(getattr(found, name) != value for name, value in wanted.items()):
            raise PlacementError(
                f"Ray Serve listens at {found.host}:{found.port} in this Ray cluster already, and "
                "can listen at one place only: serve there, or end it with `serve shutdown`"
            )
    return is_new


def _is_there() -> bool:
    return _get_global_client(raise_if_no_controller_running=False) is not None


def _kill_replicas() -> None:
    """End the ingress's replicas with whatever they stream; while it is there Serve makes others.

    Their names are Serve's: it has no call for this.
    """
    prefix = f"{REPLICA_ID_FULL_ID_STR_PREFIX}{APPLICATION}#"
    for found in ray.util.list_named_actors(all_namespaces=True):
        if found["namespace"] == SERVE_NAMESPACE and found["name"].startswith(prefix):
            try:
                ray.kill(ray.get_actor(found["name"], SERVE_NAMESPACE))
            except ValueError:
                continue  # it has ended meanwhile


def _proxy_log() -> Path:
    node: Any = ray._private.worker.global_worker.node  # noqa: SLF001
    folder = Path(node.get_logs_dir_path()) / "serve"
    return next(iter(sorted(folder.glob("proxy_*.log"))), folder)


def _run(application: serve.Application) -> None:
    target = serve.RunTarget(application, name=APPLICATION, route_prefix="/")
    serve.run_many([target], wait_for_applications_running=False)


def _applications() -> dict[str, Any]:
    return dict(serve.status().applications)


def _state() -> RolloutState:
    found = _applications().get(APPLICATION)
    if found is None:
        return RolloutState(is_running=False)
    if found.status is ApplicationStatus.DEPLOY_FAILED:
        said = [each.message for each in found.deployments.values() if each.message]
        return RolloutState(
            is_running=False, failure=last_line(RuntimeError(said[-1] if said else found.message))
        )
    return RolloutState(is_running=found.status is ApplicationStatus.RUNNING)
