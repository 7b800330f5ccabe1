"""How soon a step that can begin is begun: decided on, and durable in the journal.

In the process of a real Manager with the embedded Redis on the disk of this checkout, synced: from
the moment its model hands over the last byte of a step, or the result that the step needs is
there, until the engine has decided and until `StepStarted` is durable. The plans have a step by
itself, five that need it, and five that come in one piece. The steps are done by another process.
"""

from __future__ import annotations

from pathlib import Path

import uvloop

from benchmarks.bench_engine import folder_on_disk
from benchmarks.dispatch_parts import FACTORY, GOAL, moments, watch
from benchmarks.harness import Figure, Goal, p99_figure, sample_figure
from benchmarks.plain_cluster import PlainCluster
from cluster.kernel.events import Answered
from cluster.kernel.ids import AgentId
from cluster.kernel.roles import MANAGER
from cluster.kernel.sections import ModelSettings
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.placement.actor.assembly import open_host
from cluster.placement.actor.host_spec import HostSpec
from cluster.settings.values import DEFAULT_AGENTS, PartsSettings, Settings

MODEL = ModelSettings(uri="simulated:?ttft_s=0.2")
"""Of the steps: the first one ends when those that need it are written."""
LAG, DURABLE = Goal("<=", 1.0), Goal("<=", 1.0)


async def _tasks(cluster: PlainCluster, folder: Path, count: int) -> None:
    settings = Settings(
        model=ModelSettings(uri="simulated:"),
        parts=PartsSettings(FACTORY),
        agents={MANAGER: DEFAULT_AGENTS[MANAGER]},
    )
    spec = HostSpec(AgentId("manager-0"), settings.public_json(), str(folder / "secrets"))
    host = await open_host(spec)
    try:
        await host.start()
        async with cluster.driver() as driver:
            for _ in range(count):
                task = await driver.submit(GOAL, collection="", timeout_s=60)
                *_, end = [event async for event in task]
                assert isinstance(end.detail, Answered), end
    finally:
        await host.stop()


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `dispatch`."""
    with (
        folder_on_disk() as folder,
        EmbeddedRedis(data_root=folder) as redis,
        PlainCluster(folder, MODEL, ("researcher-0",), redis_url=redis.url) as cluster,
        watch(),
    ):
        uvloop.run(_tasks(cluster, folder, 12 if is_quick else 110))
    decided = moments.lags_ms(moments.decided)
    return [
        p99_figure("schedule.dispatch_lag_p99_ms", decided, LAG, note="last byte to decision"),
        sample_figure(
            "schedule.durable_dispatch_ms",
            "ms",
            moments.lags_ms(moments.durable),
            DURABLE,
            note="last byte to durable start, fan-outs of five included",
        ),
        sample_figure(
            "schedule.durable_dispatch_streamed_ms",
            "ms",
            moments.lags_ms(moments.durable, fan_out=False),
            note="of these: steps that need nothing, as they are written",
        ),
        sample_figure(
            "schedule.durable_dispatch_fan_out_ms",
            "ms",
            moments.lags_ms(moments.durable, fan_out=True),
            note="of these: five steps when the one that they need is durable",
        ),
    ]
