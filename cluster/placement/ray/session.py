"""This process's connection to Ray: a private cluster on this machine, or one that is joined.

Every call into Ray is made on one thread that lives as long as the connection. Ray's calls block,
so they can't be made on the event loop; and the kernel ends Ray's processes with the *thread* that
started them (PR_SET_PDEATHSIG), so it can't be a thread of a pool that comes and goes.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import ray
from ray._raylet import GcsClient  # type: ignore[attr-defined]
from ray.exceptions import AuthenticationError, RayError, RpcError

from cluster.kernel.errors import PlacementError
from cluster.placement.ray.probe import check_answers, of_resident
from cluster.placement.ray.token import HOW_TO_GIVE, keep_token, send_token

Result = TypeVar("Result")

START_TIMEOUT_S = 60.0
JOIN_TIMEOUT_S = 20.0
CALL_TIMEOUT_S = 10.0
# The least that Ray takes: objects are not what we use it for.
_OBJECT_STORE_BYTES = 80 * 1024 * 1024
_NONE_HERE = (
    "no Ray cluster runs on this machine: start one with `ray start --head`, or give the address "
    "of another"
)
_QUIET: dict[str, Any] = {
    "configure_logging": True,
    "logging_level": logging.ERROR,
    "log_to_driver": False,
}


@dataclass(frozen=True, slots=True)
class RayNode:
    """A machine of the Ray cluster that is alive."""

    id: str
    address: str
    is_ours: bool
    """Whether it is the one this process is on."""


class RaySession:
    """A connection to Ray, made by `start_local_ray` or `join_ray`."""

    def __init__(self, *, is_joined: bool) -> None:
        self.is_joined = is_joined
        self.address = ""
        self.dashboard_url = ""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ray")

    async def call(
        self, function: Callable[..., Result], *arguments: Any, timeout_s: float = CALL_TIMEOUT_S
    ) -> Result:
        """Run a function on Ray's thread and return its result.

        Raises:
            PlacementError: Ray refused or failed, or took longer than ``timeout_s``.
        """
        work = asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
        try:
            async with asyncio.timeout(timeout_s):
                return await work
        except TimeoutError:
            raise PlacementError(f"Ray did not answer within {timeout_s:g} s") from None
        except (RayError, ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise PlacementError(f"Ray failed: {last_line(error)}") from error

    async def nodes(self) -> list[RayNode]:
        """Return the machines that are alive."""
        return await self.call(_nodes)

    async def connect(self, timeout_s: float, **options: Any) -> Self:
        """Connect, in other words call `ray.init`; for the makers below."""
        try:
            context: Any = await self.call(
                lambda: ray.init(**options, **_QUIET), timeout_s=timeout_s
            )
        except BaseException:
            self._thread.shutdown(wait=False)
            raise
        self.address = context.address_info["gcs_address"]
        url = context.dashboard_url or ""
        self.dashboard_url = url if "://" in url or not url else f"http://{url}"
        return self

    async def close(self) -> None:
        """Leave Ray, which ends the actors and what `start_local_ray` started."""
        try:
            await self.call(ray.shutdown)
        finally:
            self._thread.shutdown(wait=False)


async def start_local_ray(
    temp_dir: Path, *, namespace: str, has_dashboard: bool, timeout_s: float = START_TIMEOUT_S
) -> RaySession:
    """Start a Ray of our own on this machine; it ends with this process.

    Token authentication is on, as Ray 2.60 has it by default. The dashboard listens on loopback;
    without it the start is a second or two quicker.

    Args:
        temp_dir: where Ray's session, sockets and logs are kept; a short path. Its token is
            there too, where it can't be in the home folder.
        namespace: of the actors.
        has_dashboard: whether to serve it.
        timeout_s: how long it may take, in seconds.

    Raises:
        PlacementError: it could not be started.
    """
    try:
        keep_token(temp_dir)
    except OSError as error:
        raise PlacementError(f"Ray's token can't be kept: {error}") from error
    return await RaySession(is_joined=False).connect(
        timeout_s,
        address="local",
        namespace=namespace,
        include_dashboard=has_dashboard,
        dashboard_host="127.0.0.1",
        num_cpus=os.cpu_count() or 1,
        object_store_memory=_OBJECT_STORE_BYTES,
        _temp_dir=str(temp_dir),
    )


async def join_ray(
    address: str, *, namespace: str, apart_from: str = "", timeout_s: float = JOIN_TIMEOUT_S
) -> RaySession:
    """Connect to a Ray cluster that runs; its machines need Fleetmind installed.

    Args:
        address: ``HOST:PORT`` as `ray start` prints it, or ``auto`` for the one that RAY_ADDRESS
            names or that runs on this machine.
        namespace: of the actors.
        apart_from: the address of a Ray cluster that this one is not to be.
        timeout_s: how long it may take once it has answered, in seconds.

    Raises:
        UsageError: it is no such address, or leads to the cluster that is not to be joined.
        PlacementError: nothing answers there, or it refuses our token or version.
    """
    found = await asyncio.to_thread(_discover) if address == "auto" else address
    await check_answers(found)
    own = await asyncio.to_thread(_id_of, found)
    if apart_from and own == await _id_if_there(apart_from):
        raise of_resident(address)
    return await RaySession(is_joined=True).connect(timeout_s, address=found, namespace=namespace)


def _discover() -> str:
    """Return where Ray itself finds a cluster: RAY_ADDRESS, else this machine's."""
    from ray._private.services import canonicalize_bootstrap_address

    named = os.environ.get("RAY_ADDRESS", "")
    try:
        found = canonicalize_bootstrap_address(named or "auto")
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise PlacementError(_NONE_HERE) from error
    if not found:
        raise PlacementError(_NONE_HERE)
    return str(found)


async def _id_if_there(address: str) -> object:
    """Return the id of the cluster at an address, None where none says it."""
    try:
        await check_answers(address)
        return await asyncio.to_thread(_id_of, address)
    except PlacementError:
        return None


def _id_of(address: str) -> object:
    """Ask the control store for its cluster's id, which it tells only to those with its token."""
    is_sent = send_token()
    try:
        return GcsClient(address=address).cluster_id
    except AuthenticationError as error:
        reason = "refuses our token" if is_sent else "asks for a token"
        raise PlacementError(f"the Ray cluster at {address} {reason}: {HOW_TO_GIVE}") from error
    except (RpcError, RuntimeError) as error:
        raise PlacementError(f"what answers at {address} is no Ray cluster") from error


def _nodes() -> list[RayNode]:
    ours = ray.get_runtime_context().get_node_id()
    return [
        RayNode(node["NodeID"], node["NodeManagerAddress"], node["NodeID"] == ours)
        for node in ray.nodes()  # type: ignore[no-untyped-call]
        if node["Alive"]
    ]


def last_line(error: BaseException) -> str:
    """Return what an error of Ray says in the end, which is what matters of its long texts."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
