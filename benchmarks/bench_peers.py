"""Request/reply messages a second between two agents, over xoscar's and AutoGen's, in one run.

64 in flight between two processes, bodies of 100 and of 500 bytes, every round of ours beside one
of each peer. What `make bench-peers` hasn't installed is shown as 'not run'.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import uvloop

from benchmarks.echo_host import start_host
from benchmarks.harness import Figure, sample_figure
from benchmarks.peer_process import (
    BODY_BYTES,
    OURS,
    PEERS,
    PeerFailed,
    RunningPeer,
    figures_of,
    not_run_figures,
    running,
    sized,
)
from benchmarks.pings import agent_ping, other_process, throughput
from cluster.memory.embedded import EmbeddedRedis
from cluster.runtime.sender import Sender

OUR_MESSAGES = 10_000


async def _rounds(
    sender: Sender, others: Sequence[RunningPeer], rounds: int, share: float
) -> dict[tuple[str, int], list[float]]:
    rates: dict[tuple[str, int], list[float]] = {}
    for number in range(rounds + 1):
        for size in BODY_BYTES:
            ping = agent_ping(sender, size)
            measured = {OURS: await throughput(ping, int(OUR_MESSAGES * share))}
            for other in others:
                count = int(other.peer.messages * share)
                measured[other.peer.name] = await other.rate(size, count)
            if number > 0:  # the first round warms up
                for name, rate in measured.items():
                    rates.setdefault((name, size), []).append(rate)
    return rates


async def _measure(redis_url: str, *, is_quick: bool) -> list[Figure]:
    rounds, share = (3, 0.2) if is_quick else (31, 1.0)
    figures: list[Figure] = []
    async with contextlib.AsyncExitStack() as stack:
        others: list[RunningPeer] = []
        for peer in PEERS:
            if not peer.is_installed:
                figures += not_run_figures(peer, "make bench-peers")
                continue
            try:
                others.append(await stack.enter_async_context(running(peer)))
            except PeerFailed as error:
                figures += not_run_figures(peer, str(error))
        if not others:
            return figures
        box: list[Sender] = []
        host = await start_host("asker-0", redis_url, box.append)
        stack.push_async_callback(host.stop)
        try:
            rates = await _rounds(box[0], others, rounds, share)
        except PeerFailed as error:
            return figures + [f for o in others for f in not_run_figures(o.peer, str(error))]
    for other in others:
        figures += figures_of(other.peer, rates, version=other.version, how=other.how)
    for size in BODY_BYTES:
        name = sized("messaging.per_s.ours_beside_peers", size)
        note = f"{size}-byte bodies, 64 in flight"
        figures.append(sample_figure(name, "1/s", rates[OURS, size], note=note))
    return figures


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `peers`."""
    with (
        EmbeddedRedis(is_temporary=True) as redis,
        other_process("agent", "--redis", redis.url),
    ):
        return uvloop.run(_measure(redis.url, is_quick=is_quick))
