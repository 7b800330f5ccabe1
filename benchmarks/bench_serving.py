"""The HTTP ingress on Ray Serve: what it relays, what it adds, what it leaves behind.

The relay alone is measured with a desk that plays tokens, in turns with a plain streaming
deployment of the same Serve: default proxy, one yield a token. Streams that last, and clients that
drop, are measured with real agents and a model server. ``BENCH_SERVING_S`` is how long the streams
last, instead of 300 s, or 20 s in the short form.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
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
from cluster.kernel.sections import ModelSettings
from cluster.placement.local.child_process import environment
from cluster.placement.local.run_dir import make_run_dir
from cluster.placement.ray.session import RaySession, start_local_ray
from cluster.placement.serving import rollout
from cluster.placement.serving.replica import ReplicaSpec, deployment_of
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
_SERVED = Settings(serve=ServeSettings(port=PORT, replicas=2))


@asynccontextmanager
async def stage() -> AsyncIterator[RaySession]:
    """Start a Ray with a Serve in it, for as long as the context lasts."""
    run_dir = make_run_dir()
    os.environ.update(environment(os.environ))
    try:
        session = await start_local_ray(run_dir / "ray", namespace="bench", has_dashboard=False)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(session.close)
            await rollout.start_serve(session, _SERVED.serve)
            stack.push_async_callback(session.call, serve.shutdown, timeout_s=60.0)
            yield session
    finally:
        shutil.rmtree(run_dir, ignore_errors=True)


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
    added_ms: list[float]
    """Of each token at 10 a second in each of many streams."""


async def relay(session: RaySession, rounds: int, seconds: float) -> Relayed:
    """Measure both deployments in turns, then what ours adds to a token."""
    await _deploy_playing(session)
    target = serve.RunTarget(
        plain_application(_SERVED.serve.replicas, AT_ONCE), name=PLAIN, route_prefix="/plain"
    )
    await session.call(serve.run_many, [target], timeout_s=rollout.DEPLOY_TIMEOUT_S)
    ours = chat_request(f"{RELAY_TOKENS} 0")
    plain = plain_request(RELAY_TOKENS, 0)
    await _throughput(ours)
    await _throughput(plain)
    figures: dict[bytes, list[float]] = {ours: [], plain: []}
    for number in range(rounds):
        for request in (ours, plain) if number % 2 else (plain, ours):
            figures[request].append(await _throughput(request))
    paced = [chat_request(f"{int(TOKENS_PER_S * seconds)} {TOKENS_PER_S}")] * STREAMS
    opened_over_s = min(OPENED_OVER_S, seconds / 2)
    streams = await read_streams(PORT, paced, opened_over_s=opened_over_s, is_timed=True)
    _check_whole(streams)
    await session.call(lambda: serve.delete(PLAIN), timeout_s=60.0)
    added = [1000 * each for stream in streams for each in stream.added_s]
    return Relayed(figures[ours], figures[plain], added)


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
