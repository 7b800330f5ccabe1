"""What keeps the ingress: ``python -m cluster.placement.serving.process``.

It joins the cluster's Ray, deploys the replicas there, and takes them away when its lifeline
(standard input) is cut. Started by `cluster.placement.serving.control`; it is apart for the reasons
that `cluster.placement.local.local_cluster` has.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Self

from cluster.kernel.errors import ClusterError, PlacementError
from cluster.kernel.vocabulary import Failure
from cluster.placement.local.child_process import last_words
from cluster.placement.local.handover import take_over
from cluster.placement.local.reports import Progress, Ready, Reporter
from cluster.placement.serving.listening import (
    check_can_listen,
    is_listening_within,
    wait_until_free,
)
from cluster.placement.serving.ownership import only_server_of
from cluster.settings.values import ServeSettings
from cluster.wire.failure import failure_from_error

if TYPE_CHECKING:
    from cluster.placement.ray.session import RaySession

NAMESPACE = "fleetmind-ingress"
WITHDRAW_MARGIN_S = 15.0
"""What Ray Serve may take for the end of replicas beyond that of their streams."""
CUT = signal.SIGUSR1
"""Tells it that streams may not go on; the signals that end processes come from elsewhere too."""
WATCH_S = 5.0
MISSED_MAX = 3
_FREE_TIMEOUT_S = 10.0
"""What the end of a proxy may take until its port is free."""
_LISTEN_TIMEOUT_S = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServeRequest:
    """What is to be served, and where; secrets are the path of their file."""

    ray_address: str
    settings_json: str
    secrets_path: str
    is_private: bool = False
    """Whether only this user's commands on this machine can use that Ray cluster."""

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what `to_json` gave."""
        return cls(**json.loads(text))


def main() -> NoReturn:
    """Serve until told to stop; never returns."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m cluster.placement.serving.process")
    parser.add_argument("--request", type=int, required=True)
    request = ServeRequest.from_json(take_over(parser.parse_args().request))
    reporter = Reporter.take_over_stdout()
    lifeline = os.dup(0)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    code = asyncio.run(_reported(request, reporter, lifeline))
    logging.shutdown()
    os._exit(code)  # threads may hang in Ray


async def _reported(request: ServeRequest, reporter: Reporter, lifeline: int) -> int:
    is_over, is_cut = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, is_over.set)
    loop.add_signal_handler(CUT, is_cut.set)

    def cut() -> None:
        loop.remove_reader(lifeline)
        is_over.set()

    loop.add_reader(lifeline, cut)
    try:
        await _serve(request, reporter, is_over, is_cut)
    except ClusterError as error:
        _log.error("%s", error)
        reporter.send(failure_from_error(error))
        return 1
    except Exception as error:  # noqa: BLE001 - contained: it is reported
        _log.exception("the ingress failed")
        reporter.send(Failure("internal", f"the ingress failed: {type(error).__name__}: {error}"))
        return 1
    return 0


async def _serve(
    request: ServeRequest, reporter: Reporter, is_over: asyncio.Event, is_cut: asyncio.Event
) -> None:
    # Ray takes a second to import: after the signals are in place.
    from cluster.placement.ray.session import join_ray
    from cluster.placement.serving import rollout
    from cluster.placement.serving.replica import deployment_of
    from cluster.placement.serving.replica_spec import ReplicaSpec
    from cluster.settings.config_file import from_public_json

    settings = from_public_json(request.settings_json)
    spec = ReplicaSpec(request.settings_json, request.secrets_path)
    session = await join_ray(request.ray_address, namespace=NAMESPACE)
    async with AsyncExitStack() as ending:
        ending.push_async_callback(session.close)
        ending.enter_context(only_server_of(session.address))
        if request.is_private:
            await _end_left_over(session, settings.serve, reporter)
        reporter.send(Progress("starting Ray Serve"))
        if await rollout.start_serve(session, settings.serve):
            ending.push_async_callback(rollout.stop_serve, session)
        reporter.send(Progress(f"placing {settings.serve.replicas} replicas of the ingress"))
        drain_s = settings.serve.drain_s + WITHDRAW_MARGIN_S
        ending.push_async_callback(rollout.withdraw, session, drain_s, is_cut.is_set)
        node = await _own_address(session)  # where the secrets are
        await rollout.deploy(session, deployment_of(spec, settings, node_address=node))
        if request.is_private or node == session.address.rpartition(":")[0]:
            await _check_listens(session, settings.serve)
        reporter.send(Ready(request.ray_address, "", ()))
        missed = 0
        while missed < MISSED_MAX and not await _is_set_within(is_over, WATCH_S):
            missed = 0 if await _is_there(session) else missed + 1
        if missed:
            raise PlacementError("the ingress is no longer there: Ray Serve, or Ray, has ended")


async def _end_left_over(session: RaySession, own: ServeSettings, reporter: Reporter) -> None:
    """End a Ray Serve whose `fleetmind serve` is gone, and see whether the port is free then.

    Raises:
        UsageError: something else listens there.
        PlacementError: it can't be ended.
    """
    from cluster.placement.serving import rollout

    is_left_over = await rollout.is_left_over(session)
    if is_left_over is None:
        check_can_listen(own)
    elif is_left_over:
        reporter.send(Progress("ending what a `fleetmind serve` that is gone has left"))
        await rollout.withdraw(session, WITHDRAW_MARGIN_S, lambda: True)
        await rollout.stop_serve(session)
        await wait_until_free(own, _FREE_TIMEOUT_S)


async def _check_listens(session: RaySession, own: ServeSettings) -> None:
    from cluster.placement.serving import rollout

    if not await is_listening_within(own, _LISTEN_TIMEOUT_S):
        log = await rollout.proxy_log(session)
        raise PlacementError(
            f"nothing listens at {own.host}:{own.port}, although Ray Serve has started: its log "
            f"{log} ends with: {last_words(log).rpartition(' | ')[2]}"
        )


async def _is_there(session: RaySession) -> bool:
    """Say whether the ingress is deployed; where Serve doesn't answer, it may be restarting."""
    from cluster.placement.serving import rollout

    try:
        return await rollout.is_deployed(session)
    except PlacementError:
        return False


async def _own_address(session: RaySession) -> str:
    """Return how Ray calls this machine."""
    return next((node.address for node in await session.nodes() if node.is_ours), "")


async def _is_set_within(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True


if __name__ == "__main__":
    main()
