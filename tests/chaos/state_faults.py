"""The faults of the state campaign: authors that die, a store that takes nothing, deletions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.state.redis import RedisStateLog
from cluster.memory.store.redis import RedisStore
from tests.chaos.faults import LEASES, REDIS_FAULTS, Inject, Injection, crash, freeze, kill
from tests.chaos.state_board import MORTAL, PERSONS, WATCHERS, WORKERS
from tests.chaos.state_worker import POINTS
from tests.chaos.supervisor import ChaosCluster

Told = TypeVar("Told")

_TOLD_S = 10.0
_AWAY_S = (0.1, 1.5)
_RETRY_S = 0.1
_FORGOTTEN = "return redis.call('DEL', KEYS[1])"
"""A day after a deletion."""


async def _tell(cluster: ChaosCluster, *words: bytes) -> None:
    """Tell the store something until it has taken it."""
    gives_up_at = time.monotonic() + _TOLD_S
    while not (await cluster.redis.command(*words)).startswith((b"+OK", b":")):
        if time.monotonic() > gives_up_at:
            raise TimeoutError(f"the store did not take {words!r}")
        await asyncio.sleep(0.05)


def _refusing(name: str, begin: tuple[bytes, ...], end: tuple[bytes, ...]) -> Inject:
    """Have the store refuse what writes for three leases."""

    async def inject(cluster: ChaosCluster) -> Injection:
        injection = Injection(name)
        await _tell(cluster, *begin)
        await asyncio.sleep(LEASES * cluster.lease_s)
        await _tell(cluster, *end)
        return injection.over()

    return inject


async def _paused(cluster: ChaosCluster) -> Injection:
    """Have the store answer nothing that writes for three leases, and then all of it."""
    injection = Injection("redis paused")
    milliseconds = round(LEASES * cluster.lease_s * 1000)
    await _tell(cluster, b"CLIENT", b"PAUSE", str(milliseconds).encode(), b"WRITE")
    await asyncio.sleep(LEASES * cluster.lease_s)
    return injection.over()


async def _deleted(cluster: ChaosCluster) -> Injection:
    """Delete a document that is edited, and let the store forget that, so that it begins anew."""
    injection = Injection("document deleted")
    store = await _until_taken(lambda: RedisStore.connect(cluster.redis.url))
    head = f"state:head:{MORTAL.name}"
    try:
        await _until_taken(lambda: RedisStateLog(store).delete(MORTAL.name))
        await asyncio.sleep(cluster.rng.uniform(*_AWAY_S))
        await _until_taken(lambda: store.run_script(_FORGOTTEN, [head], []))
    finally:
        await store.close()
    return injection.over()


async def _until_taken(call: Callable[[], Awaitable[Told]]) -> Told:
    """Ask the store until it answers: another fault may hurt it at the same time."""
    while True:
        try:
            return await call()
        except StoreUnavailable:
            await asyncio.sleep(_RETRY_S)


def _one_of(cluster: ChaosCluster, agents: tuple[str, ...]) -> str:
    return cluster.rng.choice([agent for agent in agents if agent in cluster.members])


def _any(agents: tuple[str, ...], *, is_freeze: bool = False) -> Inject:
    """Hurt one of several."""

    async def injected(cluster: ChaosCluster) -> Injection | None:
        agent = _one_of(cluster, agents)
        return await (freeze(agent) if is_freeze else kill(agent))(cluster)

    return injected


def _crash(point: str) -> Inject:
    async def inject(cluster: ChaosCluster) -> Injection | None:
        return await crash(_one_of(cluster, WORKERS), point)(cluster)

    return inject


STORE_FAULTS: dict[str, Inject] = {
    **REDIS_FAULTS,
    "redis paused": _paused,
    "redis full": _refusing(
        "redis full",
        (b"CONFIG", b"SET", b"maxmemory", b"1"),
        (b"CONFIG", b"SET", b"maxmemory", b"0"),
    ),
    "redis read-only": _refusing(
        "redis read-only", (b"REPLICAOF", b"127.0.0.1", b"1"), (b"REPLICAOF", b"NO", b"ONE")
    ),
}


async def _nemesis(cluster: ChaosCluster) -> Injection:
    """Hurt authors, readers, the store and a document at the same time."""
    injection = Injection("nemesis")
    rng = cluster.rng
    chosen = [
        rng.choice((kill, freeze))(_one_of(cluster, WORKERS)),
        rng.choice((kill, freeze))(_one_of(cluster, (*PERSONS, *WATCHERS))),
        STORE_FAULTS[rng.choice(sorted(STORE_FAULTS))],
        _crash(rng.choice(POINTS)),
        _deleted,
    ]
    await asyncio.gather(*[fault(cluster) for fault in rng.sample(chosen, rng.choice((2, 3)))])
    return injection.over()


STATE_FAULTS: dict[str, Inject] = {
    "kill worker": _any(WORKERS),
    **{f"worker {point}": _crash(point) for point in POINTS},
    "freeze worker": _any(WORKERS, is_freeze=True),
    "kill person": _any(PERSONS),
    "freeze person": _any(PERSONS, is_freeze=True),
    "kill watcher": _any(WATCHERS),
    **STORE_FAULTS,
    "document deleted": _deleted,
    "nemesis": _nemesis,
}
