"""The faults that every campaign knows: what is done to a cluster, for how long, and to whom.

One call of a fault is one injection. What lasts, lasts three leases, so that nobody can wait it
out. Each returns when the fault is over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tests.chaos.event_log import Record
from tests.chaos.proxy import BOTH, ChaosProxy, Direction
from tests.chaos.supervisor import ChaosCluster

LEASES = 3.0
FENCED_S = 15.0
CRASH_WAIT_S = 5.0
_THROTTLED_BYTES_PER_S = 64 * 1024
_DELAY_S = (0.05, 0.5)
_CORRUPT_SHARE = 0.02
_LOADING_S = 1.5


@dataclass(slots=True)
class Injection:
    """One fault as it happened; the times are `time.monotonic`."""

    fault: str
    agent: str = ""
    started: float = field(default_factory=time.monotonic)
    ended: float = 0.0
    restarted: float | None = None
    """When the replacement served, where there is one."""
    fenced: float | None = None
    """When the one that was replaced had noticed."""

    def over(self) -> Injection:
        """Note that the fault ends now."""
        self.ended = self.ended or time.monotonic()
        return self


Inject = Callable[[ChaosCluster], Awaitable[Injection | None]]
"""Returns None where the cluster did not come to the point at which it was to be hurt."""


def kill(agent: str) -> Inject:
    """Kill an agent at a random moment; its supervisor starts it anew."""

    async def inject(cluster: ChaosCluster) -> Injection:
        injection = Injection("kill", agent)
        old = cluster.kill(agent)
        injection.over()
        injection.restarted = (await cluster.restarted(agent, old))["t"]
        return injection

    return inject


def crash(agent: str, point: str) -> Inject:
    """Kill an agent exactly at a boundary of its work."""

    async def inject(cluster: ChaosCluster) -> Injection | None:
        old = cluster.members[agent].pid
        died = await cluster.crash_at(agent, point, CRASH_WAIT_S)
        if died is None:
            return None
        injection = Injection(f"crash {point}", agent, died, died)
        injection.restarted = (await cluster.restarted(agent, old))["t"]
        return injection

    return inject


def freeze(agent: str) -> Inject:
    """Stop an agent for three leases and let it go on; nobody takes its place."""

    async def inject(cluster: ChaosCluster) -> Injection:
        injection = Injection("freeze", agent)
        pid = cluster.freeze(agent)
        await asyncio.sleep(LEASES * cluster.lease_s)
        cluster.thaw(pid)
        return injection.over()

    return inject


def zombie(agent: str) -> Inject:
    """Stop an agent for three leases while its replacement starts, then let it go on."""

    async def inject(cluster: ChaosCluster) -> Injection:
        injection = Injection("zombie", agent)
        pid = cluster.freeze(agent)
        await asyncio.sleep(cluster.rng.uniform(0.1, LEASES - 1) * cluster.lease_s)
        injection.restarted = (await cluster.replace(agent))["t"]
        since = time.monotonic() - injection.started
        await asyncio.sleep(max(0.1, LEASES * cluster.lease_s - since))
        cluster.thaw(pid)
        injection.over()
        fenced: Record = await cluster.events.until("fenced", FENCED_S, pid=pid)
        injection.fenced = fenced["t"]
        return injection

    return inject


# ---- links -------------------------------------------------------------------------------------

Shape = Callable[[ChaosProxy], None]


def _for_three_leases(name: str, shape: Shape) -> Inject:
    async def inject(cluster: ChaosCluster) -> Injection:
        injection = Injection(name)
        for proxy in link_proxies(cluster):
            shape(proxy)
        await asyncio.sleep(LEASES * cluster.lease_s)
        for proxy in link_proxies(cluster):
            proxy.heal()
        return injection.over()

    return inject


def _repeated(name: str, strike: Shape) -> Inject:
    """Strike again and again for three leases: reconnecting must survive being struck too."""

    async def inject(cluster: ChaosCluster) -> Injection:
        injection = Injection(name)
        while time.monotonic() - injection.started < LEASES * cluster.lease_s:
            for proxy in link_proxies(cluster):
                strike(proxy)
            await asyncio.sleep(cluster.rng.uniform(0.05, 0.6) * cluster.lease_s)
        return injection.over()

    return inject


def link_proxies(cluster: ChaosCluster) -> list[ChaosProxy]:
    """Return the proxies that stand before agents."""
    return [member.proxy for member in cluster.members.values() if member.proxy is not None]


def _half_close(direction: Direction) -> Shape:
    return lambda proxy: proxy.half_close(direction)


def _corrupt(proxy: ChaosProxy) -> None:
    proxy.corrupt(_CORRUPT_SHARE, *BOTH)


LINK_FAULTS: dict[str, Inject] = {
    "link reset": _repeated("link reset", ChaosProxy.reset),
    "link closed": _repeated("link closed", ChaosProxy.finish),
    "link half-closed up": _repeated("link half-closed up", _half_close("up")),
    "link half-closed down": _repeated("link half-closed down", _half_close("down")),
    "link blackholed": _for_three_leases("link blackholed", lambda proxy: proxy.stall(*BOTH)),
    "link blackholed up": _for_three_leases("link blackholed up", lambda proxy: proxy.stall("up")),
    "link blackholed down": _for_three_leases(
        "link blackholed down", lambda proxy: proxy.stall("down")
    ),
    "link delayed": _for_three_leases("link delayed", lambda proxy: proxy.delay(*_DELAY_S)),
    "link throttled": _for_three_leases(
        "link throttled", lambda proxy: proxy.throttle(_THROTTLED_BYTES_PER_S)
    ),
    "link corrupted": _for_three_leases("link corrupted", _corrupt),
}


# ---- the store ---------------------------------------------------------------------------------


async def _redis_killed(cluster: ChaosCluster) -> Injection:
    injection = Injection("redis killed")
    await cluster.redis.kill()
    await asyncio.sleep(cluster.rng.uniform(0.1, LEASES) * cluster.lease_s)
    await cluster.redis.start()
    return injection.over()


async def _redis_frozen(cluster: ChaosCluster) -> Injection:
    injection = Injection("redis frozen")
    cluster.redis.freeze()
    await asyncio.sleep(LEASES * cluster.lease_s)
    cluster.redis.thaw()
    return injection.over()


async def _redis_loading(cluster: ChaosCluster) -> Injection:
    """Kill the server and have the new one say LOADING for a while."""
    injection = Injection("redis loading")
    await cluster.redis.kill()
    await cluster.redis.start(loading_s=_LOADING_S)
    return injection.over()


async def _clients_killed(cluster: ChaosCluster) -> Injection:
    injection = Injection("redis clients killed")
    while time.monotonic() - injection.started < LEASES * cluster.lease_s:
        await cluster.redis.command(b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"yes")
        await asyncio.sleep(cluster.rng.uniform(0.02, 0.3) * cluster.lease_s)
    return injection.over()


async def _redis_reset(cluster: ChaosCluster) -> Injection:
    injection = Injection("redis link reset")
    while time.monotonic() - injection.started < LEASES * cluster.lease_s:
        cluster.redis_proxy.reset()
        await asyncio.sleep(cluster.rng.uniform(0.02, 0.3) * cluster.lease_s)
    return injection.over()


async def _redis_blackholed(cluster: ChaosCluster) -> Injection:
    injection = Injection("redis link blackholed")
    cluster.redis_proxy.stall(*BOTH)
    await asyncio.sleep(LEASES * cluster.lease_s)
    cluster.redis_proxy.heal()
    return injection.over()


async def _redis_delayed(cluster: ChaosCluster) -> Injection:
    injection = Injection("redis link delayed")
    cluster.redis_proxy.delay(*_DELAY_S)
    await asyncio.sleep(LEASES * cluster.lease_s)
    cluster.redis_proxy.heal()
    return injection.over()


REDIS_FAULTS: dict[str, Inject] = {
    "redis killed": _redis_killed,
    "redis frozen": _redis_frozen,
    "redis loading": _redis_loading,
    "redis clients killed": _clients_killed,
    "redis link reset": _redis_reset,
    "redis link blackholed": _redis_blackholed,
    "redis link delayed": _redis_delayed,
}


# ---- all at once -------------------------------------------------------------------------------


def together(agents: Sequence[str]) -> Inject:
    """Hurt an agent, the links and the store at the same time, each in a way chosen at random."""

    async def inject(cluster: ChaosCluster) -> Injection:
        injection = Injection("nemesis")
        rng = cluster.rng
        agent = rng.choice(agents)
        chosen = [
            rng.choice((kill, freeze, zombie))(agent),
            LINK_FAULTS[rng.choice(sorted(LINK_FAULTS.keys() - {"link corrupted"}))],
            REDIS_FAULTS[rng.choice(sorted(REDIS_FAULTS))],
        ]
        await asyncio.gather(*[fault(cluster) for fault in rng.sample(chosen, rng.choice((2, 3)))])
        return injection.over()

    return inject


def needs_proxies(fault: str) -> bool:
    """Say whether a fault is done to bytes on their way."""
    return "link" in fault or fault == "nemesis"


def is_grpcs_own(fault: str, end: str) -> bool:
    """Say whether a process was ended by grpc: it aborts on a damaged GOAWAY (FOUND.md, 15)."""
    return "corrupted" in fault and end.endswith("ended with -6")
