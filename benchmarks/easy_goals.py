"""How soon easy goals are answered, of a driver on a cluster of plain processes without Ray.

A calculation and a function of the user's own. The team has nobody to plan with, so that a goal
that reaches it has no answer: that is how it is seen when the router is ready.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import uvloop

from agents import RouteCall, route
from benchmarks.harness import Figure, Goal, sample_figure
from benchmarks.plain_cluster import PlainCluster
from cluster.kernel.events import Answered
from cluster.kernel.sections import ModelSettings, RouterSettings
from cluster.runtime.driver.driver import Driver
from cluster.settings.values import Settings

MODEL = ModelSettings(uri="simulated:?ttft_s=0.5")
CALCULATION = "what is 17 % of 2,340?"
REFUND = "I want my money back for these shoes"
WITHIN = Goal("<=", 50)
_WARM_S = 60.0


@route(
    "refund",
    examples=[
        "I want my money back",
        "refund my order",
        "give me a refund for this",
        "I'd like to return these shoes and be paid back",
        "can I get my money back for the broken lamp",
        "undo my purchase and refund me",
    ],
)
async def refund(goal: str, call: RouteCall) -> str:
    """Say that it was done."""
    return f"Refunded ({call.idempotency_key}): {goal}"


async def _answer_ms(driver: Driver, goal: str) -> tuple[str, float]:
    """Return the answer, empty where there is none, and the milliseconds it took."""
    began = time.perf_counter()
    task = await driver.submit(goal, collection="", timeout_s=60)
    *_, end = [event async for event in task]
    taken_ms = (time.perf_counter() - began) * 1000
    text = end.detail.answer.text if isinstance(end.detail, Answered) else ""
    return text, taken_ms


async def _measure(cluster: PlainCluster, count: int) -> list[Figure]:
    async with cluster.driver() as driver:
        calculated = [await _answer_ms(driver, CALCULATION) for _ in range(count)]
        assert {text for text, _ in calculated} == {"397.8"}
        until = time.monotonic() + _WARM_S
        while not (await _answer_ms(driver, REFUND))[0].startswith("Refunded"):
            assert time.monotonic() < until, "the router is never trained"
        refunded = [await _answer_ms(driver, REFUND) for _ in range(count)]
        assert all(text.startswith("Refunded") for text, _ in refunded)
    note = "submission to answer at the driver, no model asked"
    return [
        sample_figure(
            "router.calculation_ms", "ms", [ms for _, ms in calculated], WITHIN, note=note
        ),
        sample_figure("router.function_ms", "ms", [ms for _, ms in refunded], WITHIN, note=note),
    ]


def figures(*, is_quick: bool) -> list[Figure]:
    """Measure."""
    settings = replace(
        Settings(), router=RouterSettings(functions=("benchmarks.easy_goals:refund",))
    )
    with (
        tempfile.TemporaryDirectory() as name,
        PlainCluster(Path(name), MODEL, ("manager-0",), settings=settings) as cluster,
    ):
        return uvloop.run(_measure(cluster, 10 if is_quick else 100))
