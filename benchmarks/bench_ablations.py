"""The workload 'report' with one technique switched off at a time: what each of them is worth.

Each switch is a setting; one that this version does not have is shown as 'not run'. The clusters of
a group, one with all techniques on and one without each, run beside each other on hosts without
Ray, and do their jobs in turns; the groups come one after another. What no call of this workload
needs, such as a second request for a slow one, shows here what it costs: what hedging gains is in
the group `tail`.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import uvloop

from benchmarks.harness import Figure
from benchmarks.model_server_process import ModelServerProcess
from benchmarks.plain_cluster import PlainCluster
from benchmarks.report_outcomes import TIMING
from benchmarks.report_parts import FACTORY, LOG_VARIABLE
from benchmarks.switches import ALL_ON, SWITCHED_TOGETHER, figures_of
from cluster.kernel.events import Answered
from cluster.kernel.sections import ModelEntry
from cluster.runtime.driver.driver import Driver
from cluster.settings.values import PartsSettings, Settings

WORKLOAD = "report"
GOAL = "Write a report on the market with a program that adds up its table."
COLLECTION = "report"
"""The bench's own knowledge has something on everything."""


async def _wall_s(driver: Driver) -> float:
    started = time.perf_counter()
    task = await driver.submit(GOAL, collection=COLLECTION, timeout_s=120)
    *_, end = [event async for event in task]
    assert isinstance(end.detail, Answered), end
    return time.perf_counter() - started


async def _walls(clusters: Mapping[str, PlainCluster], count: int) -> dict[str, list[float]]:
    """Return the seconds of each cluster's jobs, done in turns; a first one isn't counted."""
    walls: dict[str, list[float]] = {name: [] for name in clusters}
    async with contextlib.AsyncExitStack() as stack:
        drivers = {
            name: await stack.enter_async_context(cluster.driver())
            for name, cluster in clusters.items()
        }
        for number in range(count + 1):
            for name, driver in drivers.items():
                taken = await _wall_s(driver)
                if number:
                    walls[name].append(taken)
    return walls


def _measure(folder: Path, variants: Mapping[str, Settings], count: int) -> dict[str, list[float]]:
    os.environ[LOG_VARIABLE] = str(folder / "tools.jsonl")
    with (
        ModelServerProcess(folder, TIMING.ttft_s, TIMING.tokens_per_s) as server,
        contextlib.ExitStack() as stack,
    ):
        stack.callback(os.environ.pop, LOG_VARIABLE)
        uri, base_url = f"openai:{WORKLOAD}", server.base_url
        smaller = {"smaller": ModelEntry(uri=uri, base_url=base_url)}
        clusters = {}
        for name, settings in variants.items():
            (folder / name).mkdir()
            model = replace(settings.model, uri=uri, base_url=base_url)
            with_both = replace(settings, models=smaller)
            cluster = PlainCluster(folder / name, model, settings=with_both)
            clusters[name] = stack.enter_context(cluster)
        return uvloop.run(_walls(clusters, count))


def run(*, is_quick: bool) -> list[Figure]:
    """Measure the group `ablations`."""
    full = replace(Settings(), parts=PartsSettings(FACTORY))
    measured = []
    for group in SWITCHED_TOGETHER:
        known = [switch for switch in group if switch.is_known]
        variants = {ALL_ON: full} | {each.technique: each.switched_off(full) for each in known}
        with tempfile.TemporaryDirectory() as folder:
            measured.append(_measure(Path(folder), variants, 1 if is_quick else 7))
    return figures_of(measured)
