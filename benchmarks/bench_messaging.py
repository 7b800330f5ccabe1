"""Messaging between two agents in two processes, beside bare grpc.aio and Ray, in one run.

Round trip at 1 in flight and request/reply throughput at 64 in flight, with the full envelope,
receipts, done, dedupe and trace context on; what a streamed token takes through two agents. Ours is
measured as it ships, which on one machine is a unix socket, and forced to gRPC. All on uvloop;
alternated, so that a slow moment of the machine hits every side.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

import uvloop

from benchmarks.echo_host import start_host
from benchmarks.harness import Figure, Goal, not_run, ratio_figure, sample_figure
from benchmarks.pings import (
    Ping,
    agent_ping,
    grpc_ping,
    grpc_throughput,
    other_process,
    ray_echo,
    rtt_us,
    throughput,
    token_delays_ms,
)
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.runtime.messaging.sender import Sender

TITLES = {
    "ours": "two agents, unix socket",
    "ours_500": "two agents, unix socket, bodies of 500 bytes",
    "ours_grpc": "two agents, gRPC",
    "ours_uncoalesced": "two agents, unix socket, a frame a message",
    "grpc": "bare grpc.aio stream",
    "ray": "Ray async actor call",
    "ray_500": "Ray async actor call, 500 bytes",
}
COALESCING_RUNS = 4
"""Short runs of either side in each alternation: a few percent are to be seen."""


@dataclass
class Measured:
    """Samples by side; element i of every list is of alternation i."""

    rtts_us: dict[str, list[list[float]]] = field(default_factory=dict)
    rates: dict[str, list[float]] = field(default_factory=dict)
    coalesced_us: list[float] = field(default_factory=list)
    uncoalesced_us: list[float] = field(default_factory=list)
    token_ms: list[list[float]] = field(default_factory=list)

    def medians_us(self, side: str) -> list[float]:
        """Return a side's median round trip of each alternation."""
        return [statistics.median(run) for run in self.rtts_us[side]]


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    rounds: int
    pings: int
    messages: int
    ray_messages: int


FULL, QUICK = Sizes(15, 400, 10_000, 2000), Sizes(3, 100, 2000, 500)


async def _measure(redis_url: str, grpc_address: str, sizes: Sizes) -> Measured:
    measured = Measured()
    async with contextlib.AsyncExitStack() as stack:

        async def sender_of(agent: str, *, is_grpc_only: bool, is_coalescing: bool) -> Sender:
            box: list[Sender] = []
            host = await start_host(
                agent,
                redis_url,
                box.append,
                is_grpc_only=is_grpc_only,
                is_coalescing=is_coalescing,
            )
            stack.push_async_callback(host.stop)
            return box[0]

        near = await sender_of("asker-0", is_grpc_only=False, is_coalescing=True)
        far = await sender_of("asker-1", is_grpc_only=True, is_coalescing=True)
        uncoalesced = await sender_of("asker-2", is_grpc_only=False, is_coalescing=False)
        bare = await stack.enter_async_context(grpc_ping(grpc_address))
        ray_ping = stack.enter_context(ray_echo())
        pings = {
            "ours": agent_ping(near),
            "ours_500": agent_ping(near, 500),
            "ours_grpc": agent_ping(far, to="echo-1"),
            "ours_uncoalesced": agent_ping(uncoalesced, to="echo-2"),
            "grpc": bare,
            "ray": ray_ping(100),
            "ray_500": ray_ping(500),
        }
        for ping in pings.values():
            await rtt_us(ping, 200)
        await token_delays_ms(near, "relay-0")
        for _ in range(sizes.rounds):
            await _alternation(measured, pings, grpc_address, sizes)
            await _compare_coalescing(measured, pings, sizes.pings)
            measured.token_ms.append(await token_delays_ms(near, "relay-0"))
    return measured


async def _alternation(
    measured: Measured, pings: dict[str, Ping], grpc_address: str, sizes: Sizes
) -> None:
    for side, ping in pings.items():
        measured.rtts_us.setdefault(side, []).append(await rtt_us(ping, sizes.pings))
    for side, ping in pings.items():
        if side == "grpc":
            rate = await grpc_throughput(grpc_address, sizes.messages)
        else:
            count = sizes.ray_messages if side.startswith("ray") else sizes.messages
            rate = await throughput(ping, count)
        measured.rates.setdefault(side, []).append(rate)


async def _compare_coalescing(measured: Measured, pings: dict[str, Ping], count: int) -> None:
    """Alternate in short runs, the first one in turn: the machine's load drifts within seconds."""
    taken: dict[str, list[float]] = {"ours": [], "ours_uncoalesced": []}
    for _ in range(COALESCING_RUNS):
        for side in (*taken, *reversed(taken)):
            taken[side] += await rtt_us(pings[side], count // COALESCING_RUNS)
    measured.coalesced_us.append(statistics.median(taken["ours"]))
    measured.uncoalesced_us.append(statistics.median(taken["ours_uncoalesced"]))


def _against_ray(measured: Measured) -> list[Figure]:
    peer, its_version = "ray async actor call", version("ray")
    ray_us, rates = measured.medians_us("ray"), measured.rates

    def ratio(name: str, goal: Goal | None, ours: Sequence[float], rays: Sequence[float]) -> Figure:
        return ratio_figure(
            f"messaging.{name}", goal, ours, rays, peer=peer, peer_version=its_version
        )

    return [
        ratio("throughput_vs_ray_async", Goal(">=", 15), rates["ours"], rates["ray"]),
        ratio("throughput_vs_ray_async.500", Goal(">=", 15), rates["ours_500"], rates["ray_500"]),
        ratio("throughput_vs_ray_async.grpc", None, rates["ours_grpc"], rates["ray"]),
        ratio("rtt_vs_ray", Goal("<=", 0.4), measured.medians_us("ours"), ray_us),
        ratio("rtt_vs_ray.grpc", None, measured.medians_us("ours_grpc"), ray_us),
    ]


def _against_grpc(measured: Measured) -> list[Figure]:
    def ratio(name: str, goal: Goal | None, side: str) -> Figure:
        return ratio_figure(
            f"messaging.{name}",
            goal,
            measured.medians_us(side),
            measured.medians_us("grpc"),
            peer="grpc.aio bidirectional ping-pong",
            peer_version=version("grpcio"),
            note=TITLES[side],
        )

    return [
        ratio("rtt_vs_grpc", Goal("<=", 1.25), "ours"),
        ratio("rtt_vs_grpc.grpc", None, "ours_grpc"),
    ]


def figures_of(measured: Measured) -> list[Figure]:
    """Return the group's figures."""
    tokens = [statistics.median(run) for run in measured.token_ms]
    figures = [
        *_against_ray(measured),
        *_against_grpc(measured),
        ratio_figure(
            "messaging.coalescing_cost",
            Goal("<=", 1.05),
            measured.coalesced_us,
            measured.uncoalesced_us,
            peer="ourselves, with a frame for each message",
        ),
        sample_figure(
            "streaming.two_hop_added_ms",
            "ms",
            tokens,
            Goal("<=", 0.8),
            note="median of each alternation",
        ),
    ]
    for side, title in TITLES.items():
        flat = [sample for run in measured.rtts_us[side] for sample in run]
        figures.append(sample_figure(f"messaging.rtt_us.{side}", "us", flat, note=title))
        rate_note = f"{title}, 64 in flight"
        figures.append(
            sample_figure(f"messaging.per_s.{side}", "1/s", measured.rates[side], note=rate_note)
        )
    return figures


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `messaging`."""
    with contextlib.ExitStack() as stack:
        redis_url = stack.enter_context(EmbeddedRedis(is_temporary=True)).url

        def agent(name: str, *flags: str) -> None:
            stack.enter_context(
                other_process("agent", "--redis", redis_url, "--name", name, *flags)
            )

        agent("echo-0")
        agent("echo-1", "--grpc-only")
        agent("echo-2", "--no-coalescing")
        agent("tokens-0")
        agent("relay-0")
        grpc_address = stack.enter_context(other_process("grpc"))
        sizes = QUICK if is_quick else FULL
        try:
            return figures_of(uvloop.run(_measure(redis_url, grpc_address, sizes)))
        except ImportError as error:
            return [not_run("messaging.rtt_vs_ray", "<= 0.4", str(error))]
