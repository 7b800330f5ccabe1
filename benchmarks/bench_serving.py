"""The HTTP ingress on Ray Serve: what it relays, what it adds, what it leaves behind.

The relay alone is measured with a desk that plays tokens, in turns with a plain streaming
deployment in a Serve as it is by default: its proxy, one yield a token. Streams that last, and
clients that drop, are measured with real agents and a model server. ``BENCH_SERVING_S`` is how long
the streams last, instead of 300 s, or 20 s in the short form.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ray import serve

from benchmarks.harness import Figure, Goal, judged, p99_figure, ratio_figure, sample_figure
from benchmarks.model_server_process import ModelServerProcess
from benchmarks.plain_cluster import PlainCluster, descendants, rss_bytes, until
from benchmarks.serving_client import (
    Stream,
    chat_request,
    plain_request,
    read_stream,
    read_streams,
)
from benchmarks.serving_parts import OPENER, PLAIN, plain_application
from cluster.child_environment import environment
from cluster.kernel.sections import ModelSettings
from cluster.placement.local.run_dir import make_run_dir
from cluster.placement.ray.session import RaySession, start_local_ray
from cluster.placement.serving import rollout
from cluster.placement.serving.replica import deployment_of
from cluster.placement.serving.replica_spec import ReplicaSpec
from cluster.settings.values import ServeSettings, Settings

PORT = 18_700
RELAY_STREAMS = 20
RELAY_TOKENS = 2_000
STREAMS = 200
TOKENS_PER_S = 10.0
OPENED_OVER_S = 10.0
DROPS = 1_000
AT_ONCE = 200
QUIET_S = 5.0
"""After so long nothing of clients that have dropped may be left."""
DRAINED = 50
SECONDS = 300.0
QUICK_SECONDS = 20.0
EARLY_SHARE = 0.2
"""Of the streams' time: when memory is looked at first, which is a minute of five."""
DEADLINE_S = 600.0
GOAL = "What is known of the sea?"
_SENTENCE, _SENTENCE_TOKENS = "It is known of the sea. ", 6
"""A token is about four characters long, as those of real models are."""
STEP_TOKENS_MAX = 800
"""Below what a Researcher lets its model write at once."""
_SERVED = Settings(serve=ServeSettings(port=PORT, replicas=2))


@asynccontextmanager
async def ray_alone() -> AsyncIterator[RaySession]:
    """Start a Ray for as long as the context lasts."""
    run_dir = make_run_dir()
    os.environ.update(environment(os.environ))
    try:
        session = await start_local_ray(run_dir / "ray", namespace="bench", has_dashboard=False)
        try:
            yield session
        finally:
            await session.close()
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)


@asynccontextmanager
async def our_serve(session: RaySession) -> AsyncIterator[None]:
    """Start Serve as `fleetmind serve` does."""
    await rollout.start_serve(session, _SERVED.serve)
    try:
        yield
    finally:
        await session.call(serve.shutdown, timeout_s=60.0)


@asynccontextmanager
async def plain_serve(session: RaySession) -> AsyncIterator[None]:
    """Start Serve as it is by default, with the plain deployment in it."""
    target = serve.RunTarget(
        plain_application(_SERVED.serve.replicas, AT_ONCE), name=PLAIN, route_prefix="/plain"
    )
    await session.call(lambda: serve.start(http_options={"port": PORT}), timeout_s=60.0)
    try:
        await session.call(serve.run_many, [target], timeout_s=rollout.DEPLOY_TIMEOUT_S)
        yield
    finally:
        await session.call(serve.shutdown, timeout_s=60.0)


async def _deploy_playing(session: RaySession) -> None:
    spec = ReplicaSpec(_SERVED.public_json(), "", OPENER)
    await rollout.deploy(session, deployment_of(spec, _SERVED))


# ---- the relay alone -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Relayed:
    """What the relay did with tokens that a desk plays."""

    ours: list[float]
    """Tokens a second through our ingress, one element an alternation."""
    plain: list[float]


async def relay(session: RaySession, rounds: int) -> Relayed:
    """Measure both deployments in turns, each in a Serve of its own."""
    ours, plain = chat_request(f"{RELAY_TOKENS} 0"), plain_request(RELAY_TOKENS, 0)
    relayed = Relayed([], [])
    for _ in range(rounds):
        async with plain_serve(session):
            await _throughput(plain)
            relayed.plain.append(await _throughput(plain))
        async with our_serve(session):
            await _deploy_playing(session)
            await _throughput(ours)
            relayed.ours.append(await _throughput(ours))
    return relayed


async def added(seconds: float) -> list[float]:
    """Return how many milliseconds each token of many streams was on its way."""
    paced = [chat_request(f"{int(TOKENS_PER_S * seconds)} {TOKENS_PER_S}")] * STREAMS
    opened_over_s = min(OPENED_OVER_S, seconds / 2)
    streams = await read_streams(PORT, paced, opened_over_s=opened_over_s, is_timed=True)
    _check_whole(streams)
    return [1000 * each for stream in streams for each in stream.added_s]


async def _throughput(request: bytes) -> float:
    """Return tokens a second of some streams together."""
    began_at = time.monotonic()
    streams = await read_streams(PORT, [request] * RELAY_STREAMS)
    seconds = time.monotonic() - began_at
    _check_whole(streams)
    return sum(stream.tokens for stream in streams) / seconds


def _check_whole(streams: Sequence[Stream]) -> None:
    cut = [stream for stream in streams if not stream.is_done]
    assert not cut, f"{len(cut)} of {len(streams)} streams were cut, as {cut[0]}"


# ---- an upgrade ------------------------------------------------------------------------------


async def cut_by_redeploy(session: RaySession, seconds: float) -> int:
    """Replace all replicas under streams; return how many of these were cut."""
    request = chat_request(f"{int(TOKENS_PER_S * seconds)} {TOKENS_PER_S}")
    reading = asyncio.ensure_future(read_streams(PORT, [request] * DRAINED))
    await asyncio.sleep(min(2.0, seconds / 4))
    await _deploy_playing(session)
    streams = await reading
    return sum(not (stream.is_done and stream.tokens) for stream in streams)


# ---- real agents -----------------------------------------------------------------------------


@dataclass
class Lasting:
    """What many streams of real tasks came to."""

    streams: list[Stream]
    rss: dict[str, tuple[float, float]]
    """Bytes early on and at the end, by process."""


@asynccontextmanager
async def served_agents(
    session: RaySession, seconds: float
) -> AsyncIterator[tuple[PlainCluster, ModelServerProcess]]:
    """Serve a cluster of real agents whose Researcher thinks aloud for so long, step after step."""
    steps = math.ceil(TOKENS_PER_S * seconds / STEP_TOKENS_MAX)
    tokens = math.ceil(TOKENS_PER_S * seconds / steps)
    script = {
        "manager": {"plan": {"text": json.dumps(_plan(steps)), "tokens": 4}},
        "researcher": {"*": {"text": _SENTENCE * (tokens // _SENTENCE_TOKENS), "tokens": tokens}},
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "script.json").write_text(json.dumps(script), encoding="utf-8")
        with (
            ModelServerProcess(folder, 0.0, TOKENS_PER_S, script=folder / "script.json") as model,
            PlainCluster(
                folder,
                ModelSettings("openai:simulated", model.base_url),
                _AGENTS,
                concurrency=dict.fromkeys(("manager", "researcher"), 2 * STREAMS),
            ) as cluster,
        ):
            spec = ReplicaSpec(_SERVED.public_json(), str(folder / "secrets"))
            await rollout.deploy(session, deployment_of(spec, _SERVED))
            yield cluster, model


_AGENTS = ("manager-0", "researcher-0")


def _plan(steps: int) -> dict[str, object]:
    """Return the plan of so many steps, one after another."""
    return {
        "steps": [
            {
                "id": f"r{number}",
                "agent": "researcher",
                "instruction": f"{GOAL} Part {number}.",
                "needs": [f"r{number - 1}"] if number > 1 else [],
            }
            for number in range(1, steps + 1)
        ]
    }


async def lasting(cluster: PlainCluster, seconds: float) -> Lasting:
    """Open many streams, read all of them to their end, and look at memory meanwhile."""
    requests = [chat_request(GOAL, deadline_s=DEADLINE_S)] * STREAMS
    reading = asyncio.ensure_future(read_streams(PORT, requests, opened_over_s=OPENED_OVER_S))
    await asyncio.sleep(max(seconds * EARLY_SHARE, OPENED_OVER_S + 1.0))
    early = _rss(cluster)
    await asyncio.sleep(max(0.0, seconds * (1 - EARLY_SHARE) - 2.0))
    late = _rss(cluster)
    return Lasting(
        await reading, {name: (early[name], late[name]) for name in early if late.get(name)}
    )


def _rss(cluster: PlainCluster) -> dict[str, float]:
    """Return the resident memory of what serves, and of the agents."""
    found = {agent: float(host.rss_bytes) for agent, host in cluster.hosts.items()}
    for pid, command in descendants(os.getpid()).items():
        if command.startswith(_OF_SERVE):
            found[str(pid)] = float(rss_bytes(pid))  # its title says what it does just now
    return found


_OK = 200
_OF_SERVE = ("ray::ServeReplica", "ray::ProxyActor")


async def dropping(model: ModelServerProcess) -> tuple[float, dict[str, int]]:
    """Have clients leave at random moments.

    Returns:
        The seconds until nothing is left of them, and what was left after `QUIET_S`, by kind.
    """
    rng = random.Random(1)
    request = chat_request(GOAL, deadline_s=DEADLINE_S)
    for _ in range(DROPS // AT_ONCE):
        stays = [rng.uniform(0.0, 4.0) for _ in range(AT_ONCE)]
        await asyncio.gather(*(read_stream(PORT, request, leave_after_s=each) for each in stays))
    began_at = time.monotonic()
    with suppress(TimeoutError):
        await until(lambda: not any(_left(model).values()), QUIET_S)
    left = _left(model)
    await until(lambda: not any(_left(model).values()))
    return time.monotonic() - began_at, left


def _left(model: ModelServerProcess) -> dict[str, int]:
    """Count what is still there of requests: streams of the model, connections to the ingress."""
    return {"streams": model.counts()["running"], "connections": _connections(PORT)}


def _connections(port: int) -> int:
    """Count the established connections to a port of this machine."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    fields = [line.split() for line in lines]
    return sum(int(each[1].rpartition(":")[2], 16) == port and each[3] == "01" for each in fields)


# ---- figures ---------------------------------------------------------------------------------


async def _measured(seconds: float, rounds: int) -> list[Figure]:
    short_s = min(seconds, 30.0)
    async with ray_alone() as session:
        relayed = await relay(session, rounds)
        async with our_serve(session):
            await _deploy_playing(session)
            added_ms = await added(short_s)
            cut = await cut_by_redeploy(session, short_s)
            async with served_agents(session, seconds) as (cluster, model):
                lasted = await lasting(cluster, seconds)
                left_s, left = await dropping(model)
    return [
        *_relay_figures(relayed, added_ms),
        judged(Figure("serving.redeploy_cut", cut, "streams", n=DRAINED), Goal("<=", 0)),
        *_lasting_figures(lasted, seconds),
        judged(
            Figure(
                "serving.left_after_drops", sum(left.values()), "things", n=DROPS, note=f"{left}"
            ),
            Goal("<=", 0),
        ),
        judged(Figure("serving.quiet_after_drops_s", left_s, "s", n=DROPS), Goal("<=", QUIET_S)),
    ]


def _relay_figures(relayed: Relayed, added_ms: list[float]) -> list[Figure]:
    note = f"{RELAY_STREAMS} streams of {RELAY_TOKENS} tokens as fast as they come"
    return [
        ratio_figure(
            "serving.relay_ratio",
            Goal(">=", 2.0),
            relayed.ours,
            relayed.plain,
            peer="a plain streaming deployment of Ray Serve",
            note=note,
        ),
        sample_figure("serving.relay_tokens_per_s", "tokens/s", relayed.ours, note=note),
        sample_figure(
            "serving.added_ms",
            "ms",
            added_ms,
            note=f"a token, {STREAMS} streams at {TOKENS_PER_S:g} a second; p99 beside it",
        ),
    ]


def _lasting_figures(lasted: Lasting, seconds: float) -> list[Figure]:
    errors = sum(not (stream.is_done and stream.status == _OK) for stream in lasted.streams)
    first_ms = [1000 * stream.first_s for stream in lasted.streams if stream.first_s]
    growth = [late / early for early, late in lasted.rss.values() if early]
    note = f"{STREAMS} streams at {TOKENS_PER_S:g} tokens/s for {seconds:g} s"
    worst = Figure("serving.rss_growth", max(growth), "ratio", n=len(growth), note=note)
    return [
        judged(Figure("serving.errors", errors, "streams", n=STREAMS, note=note), Goal("<=", 0)),
        p99_figure("serving.first_event.p99_ms", first_ms, Goal("<=", 200.0), note=note),
        judged(worst, Goal("<=", 1.05)),
    ]


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `serving`."""
    seconds = float(os.environ.get("BENCH_SERVING_S", QUICK_SECONDS if is_quick else SECONDS))
    return asyncio.run(_measured(seconds, 3 if is_quick else 10))
