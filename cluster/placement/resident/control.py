"""`up`, `down` and `status`: the resident cluster of this machine, seen from outside.

Called by the command line. Nothing here imports Ray, and only `status` imports redis.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.kernel.clock import SystemClock
from cluster.kernel.delivery.dead_letters import DeadLetter
from cluster.kernel.errors import ClusterError, PlacementError, UsageError
from cluster.kernel.ids import AgentId
from cluster.kernel.registration import Registration
from cluster.memory.store.users_store import end_orphan, is_run_beside
from cluster.placement.local.child_process import ChildProcess
from cluster.placement.local.local_cluster import NAMESPACE, START_TIMEOUT_S, STOP_TIMEOUT_S
from cluster.placement.local.process_table import ProcessId, kill_session
from cluster.placement.local.request import StartRequest
from cluster.placement.resident.file import (
    ResidentRecord,
    read_file,
    read_resident,
    remove_file,
    state_dir,
)
from cluster.settings import Configuration, Secrets
from cluster.transport.port import Transport

LOG_FILE = "resident.log"
_MODULE = "cluster.placement.resident.process"
_MARGIN_S = 10.0
"""What the resident process itself may take on top of the cluster's own deadlines."""
_KILL_S = 5.0
_POLL_S = 0.02
PING_S = 1.5
"""How long an agent may take to answer when it is only asked whether it lives."""


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """The resident cluster and the agents that hold a lease in its directory now."""

    resident: ResidentRecord
    serving: tuple[Registration, ...]
    dead_letters: tuple[DeadLetter, ...] = ()
    """What was given up lately, the newest last."""
    silent: frozenset[AgentId] = frozenset()
    """Those of the serving that don't answer: they have died, or hang, and their lease still
    runs."""

    @property
    def is_well(self) -> bool:
        """Say whether all agents serve and answer."""
        return not self.missing and not self.silent

    @property
    def missing(self) -> tuple[str, ...]:
        """The agents that should serve and don't; Ray is restarting them."""
        present = {registration.agent for registration in self.serving}
        return tuple(agent for agent in self.resident.agents if agent not in present)


async def up(
    configuration: Configuration, on_progress: Callable[[str], None] = lambda _text: None
) -> ResidentRecord:
    """Start the resident cluster, which stays after this process has ended, and return it.

    Raises:
        UsageError: one is up already.
        ClusterError: what kept it from starting, in one sentence; nothing is left then.
    """
    if (found := read_resident()) is not None:
        raise UsageError(
            f"a cluster is up already on this machine (process {found.process.pid}); "
            "`fleetmind down` stops it"
        )
    await _clean_up_after_the_dead()
    if not configuration.secrets.redis_url and await asyncio.to_thread(is_run_beside):
        raise UsageError(
            "a run of yours, or a command such as `fleetmind learn`, has the store with your data:"
            " a cluster that stays would not know what you have taught; wait for its end, or stop"
            " it, or name a Redis of your own with --redis"
        )
    log = state_dir() / LOG_FILE
    log.unlink(missing_ok=True)
    settings, secrets = configuration.settings, configuration.secrets
    request = StartRequest(settings, secrets, NAMESPACE, has_dashboard=True)
    process = await ChildProcess.start(_MODULE, request=request.to_json(), log=log)
    try:
        await process.ready(on_progress, START_TIMEOUT_S + _MARGIN_S)
    except BaseException:
        await process.stop(STOP_TIMEOUT_S + _MARGIN_S)
        raise
    process.let_go()
    resident = read_resident()
    if resident is None:
        raise PlacementError(f"the cluster ended as soon as it was up; its log is {log}")
    return resident


async def down() -> bool:
    """Stop the resident cluster; return False where there is none.

    Raises:
        PlacementError: it can't be stopped.
    """
    resident = read_resident()
    if resident is None:
        await _clean_up_after_the_dead()
        return False
    resident.process.send(signal.SIGTERM)
    if not await _gone(resident.process, STOP_TIMEOUT_S + _MARGIN_S):
        resident.process.send(signal.SIGKILL)  # cuts the lifeline of the cluster's process
        if not await _gone(resident.process, _KILL_S):
            raise PlacementError(f"process {resident.process.pid} can't be stopped")
    await _clean_up_after_the_dead()
    return True


async def status() -> ClusterStatus | None:
    """Return how the resident cluster is, None where there is none; each agent is called upon.

    Raises:
        StoreUnavailable: its store does not answer.
    """
    resident = read_resident()
    if resident is None:
        return None
    # Redis' client takes a fifth of a second to import, which nothing else here needs.
    from cluster.memory.directory import Directory, scope_of
    from cluster.memory.store.redis import RedisStore
    from cluster.runtime.messaging.dead_letters import DeadLetterBox
    from cluster.transport.nearest import nearest_transport

    try:
        secrets = Secrets.read_secrets(resident.secrets_path)
    except UsageError:
        return None  # it is just being removed
    store = await RedisStore.connect(secrets.redis_url)
    try:
        scope = scope_of(secrets.token, secrets.scope)
        serving = await Directory(store, SystemClock(), scope=scope).all(is_fresh=True)
        dead_letters = await DeadLetterBox(store, scope).latest()
    finally:
        await store.close()
    transport = nearest_transport(secrets.token, "", time.monotonic)
    try:
        silent = await silent_ones(serving, transport)
    finally:
        await transport.close()
    return ClusterStatus(resident, tuple(serving), tuple(dead_letters), silent)


async def silent_ones(
    serving: Sequence[Registration], transport: Transport, timeout_s: float = PING_S
) -> frozenset[AgentId]:
    """Return the agents that nobody answers for at their address."""
    answers = await asyncio.gather(
        *(_answers(each.address, transport, timeout_s) for each in serving)
    )
    found = zip(serving, answers, strict=True)
    return frozenset(each.agent for each, is_there in found if not is_there)


async def _answers(address: str, transport: Transport, timeout_s: float) -> bool:
    """Say whether a connection can be opened: its agent's event loop has to accept it."""
    try:
        async with asyncio.timeout(timeout_s):
            connection = await transport.dial(address, timeout_s)
    except (ClusterError, TimeoutError):
        return False
    connection.close()
    return True


async def _gone(process: ProcessId, timeout_s: float) -> bool:
    give_up_at = time.monotonic() + timeout_s
    while process.is_alive:
        if time.monotonic() > give_up_at:
            return False
        await asyncio.sleep(_POLL_S)
    return True


async def _clean_up_after_the_dead() -> None:
    """Remove the file and folder of a cluster that has died, and what is left of its session."""
    dead = read_file()
    if dead is None:
        return
    # Its number is not given out again while members of the session live; so where some do and
    # the leader is dead, they are what it left.
    if await _gone(dead.session, STOP_TIMEOUT_S) and ProcessId.of(dead.session.pid) is None:
        await asyncio.to_thread(kill_session, dead.session.pid, _KILL_S)
        await asyncio.to_thread(end_orphan, Path(dead.secrets_path).parent)
        shutil.rmtree(Path(dead.secrets_path).parent, ignore_errors=True)
    remove_file()
