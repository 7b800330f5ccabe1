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
    Peer,
    PeerFailed,
    Rates,
    RunningPeer,
    figures_of,
    not_run_figures,
    running,
    sized,
)
from benchmarks.pings import agent_ping, other_process, throughput
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.runtime.messaging.sender import Sender

OUR_MESSAGES = 10_000
SETS, ROUNDS_PER_SET = 3, 11
"""Of processes started anew: how its memory happens to lie makes one faster than the next by some
percent, on every side."""


async def _rounds(
    sender: Sender, others: Sequence[RunningPeer], rounds: int, share: float
) -> Rates:
    rates: Rates = {}
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


async def _set(
    peers: Sequence[Peer], failed: dict[Peer, str], rounds: int, share: float
) -> tuple[Rates, list[RunningPeer]]:
    """Measure with processes of its own; ``failed`` gets the peers that don't come up, and why."""
    async with contextlib.AsyncExitStack() as stack:
        url = stack.enter_context(EmbeddedRedis(is_temporary=True)).url
        stack.enter_context(other_process("agent", "--redis", url))
        others: list[RunningPeer] = []
        for peer in peers:
            try:
                others.append(await stack.enter_async_context(running(peer)))
            except PeerFailed as error:
                failed[peer] = str(error)
        box: list[Sender] = []
        host = await start_host("asker-0", url, box.append)
        stack.push_async_callback(host.stop)
        return await _rounds(box[0], others, rounds, share), others


async def _measure(*, is_quick: bool) -> list[Figure]:
    sets, rounds, share = (1, 3, 0.2) if is_quick else (SETS, ROUNDS_PER_SET, 1.0)
    failed = {peer: "make bench-peers" for peer in PEERS if not peer.is_installed}
    rates: Rates = {}
    others: list[RunningPeer] = []
    for _ in range(sets):
        peers = [peer for peer in PEERS if peer not in failed]
        if not peers:
            break
        try:
            measured, others = await _set(peers, failed, rounds, share)
        except PeerFailed as error:
            failed |= dict.fromkeys(peers, str(error))
            break
        for side, samples in measured.items():
            rates.setdefault(side, []).extend(samples)
    figures = [figure for peer, why in failed.items() for figure in not_run_figures(peer, why)]
    if len(failed) == len(PEERS):
        return figures
    for other in others:
        if other.peer not in failed:
            figures += figures_of(other.peer, rates, version=other.version, how=other.how)
    for size in BODY_BYTES:
        name = sized("messaging.per_s.ours_beside_peers", size)
        note = f"{size}-byte bodies, 64 in flight"
        figures.append(sample_figure(name, "1/s", rates[OURS, size], note=note))
    return figures


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `peers`."""
    return uvloop.run(_measure(is_quick=is_quick))
