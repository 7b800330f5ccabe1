"""One cell of the message campaign: an asker, a teller and a sink that are hurt again and again.

The messages flow all the time. After each injection the cell waits for the next effect before the
next one comes; in the end everything is drained and judged.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.faults import (
    LINK_FAULTS,
    REDIS_FAULTS,
    Inject,
    Injection,
    crash,
    freeze,
    is_grpcs_own,
    kill,
    needs_proxies,
    together,
    zombie,
)
from tests.chaos.figures import Figures
from tests.chaos.message_format import SENDERS, SINK, effects_path
from tests.chaos.message_judge import MessageVerdict, judge_messages
from tests.chaos.supervisor import ChaosCluster
from tests.chaos.zygote import Zygote

ASKS_PER_S = 300
TELLS_PER_S = 700
PAUSE_S = (0.05, 0.4)
PROGRESS_S = 30.0
"""How long nothing may take effect after a fault is over, before the cell counts as stuck."""

MESSAGE_FAULTS: dict[str, Inject] = {
    **{f"crash sink {point}": crash(SINK, point) for point in ("before", "between", "after")},
    "kill sink": kill(SINK),
    "kill asker": kill("asker-0"),
    "kill teller": kill("teller-0"),
    "freeze sink": freeze(SINK),
    "freeze asker": freeze("asker-0"),
    "zombie sink": zombie(SINK),
    "zombie asker": zombie("asker-0"),
    "zombie teller": zombie("teller-0"),
    **LINK_FAULTS,
    **REDIS_FAULTS,
    "nemesis": together([SINK, *SENDERS]),
}


@dataclass(frozen=True, slots=True)
class MessageCell:
    """What one cell of the campaign is to do."""

    fault: str
    runs: int
    seed: int
    lease_s: float = 1.0
    asks_per_s: int = ASKS_PER_S
    tells_per_s: int = TELLS_PER_S


async def run_message_cell(zygote: Zygote, cell: MessageCell, folder: Path) -> Figures:
    """Run a cell to its end and return what it counted; the folder is made for it."""
    rng = random.Random(cell.seed)
    figures = Figures(f"messages: {cell.fault}", cell.seed)
    injections: list[Injection] = []
    cluster = ChaosCluster(
        zygote, folder, rng, lease_s=cell.lease_s, has_proxies=needs_proxies(cell.fault)
    )
    async with cluster:
        if cell.fault == "redis loading":
            await cluster.redis.pad()
        await cluster.add(SINK, "sink")
        await cluster.add("asker-0", "asker", rate=cell.asks_per_s)
        await cluster.add("teller-0", "teller", rate=cell.tells_per_s)
        await _until_more_effects(cluster)
        for _ in range(cell.runs):
            await asyncio.sleep(rng.uniform(*PAUSE_S))
            injection = await MESSAGE_FAULTS[cell.fault](cluster)
            if injection is None:
                figures.note(f"{cell.fault}: the point was not reached")
                continue
            injections.append(injection.over())
            if not await _until_more_effects(cluster):
                figures.stuck += 1
                figures.note(f"nothing took effect for {PROGRESS_S:g} s after {injection}")
                break
        await drain(cluster, figures)
        verdict = judge_messages(folder, cluster.events.read())
        for end in cluster.unexpected:
            figures.ended_by_itself += not is_grpcs_own(cell.fault, end)
            figures.note(end)
    figures.runs = len(injections)
    take_over(figures, verdict)
    _measure(figures, injections, verdict)
    return figures


async def _until_more_effects(cluster: ChaosCluster) -> bool:
    """Wait until something more takes effect; say whether it did."""
    path = effects_path(cluster.folder)
    size = path.stat().st_size if path.exists() else 0
    gives_up_at = time.monotonic() + PROGRESS_S
    while not path.exists() or path.stat().st_size <= size:
        if time.monotonic() > gives_up_at:
            return False
        await asyncio.sleep(0.01)
    return True


async def drain(cluster: ChaosCluster, figures: Figures) -> None:
    """Let all that was sent be answered, then end the processes."""
    try:
        await cluster.finish(*SENDERS)
        await cluster.finish(SINK)
    except TimeoutError:
        figures.stuck += 1
        figures.note("the cell's processes did not come to an end")


def take_over(figures: Figures, verdict: MessageVerdict) -> None:
    """Count a verdict in."""
    figures.acked = verdict.acked
    figures.lost = verdict.lost
    figures.applied_twice = verdict.twice
    figures.out_of_order = verdict.disordered
    figures.corrupt = verdict.corrupt
    figures.given_up = verdict.given_up + verdict.undrained
    figures.redeliveries = verdict.redelivered + verdict.duplicates
    figures.refused_again = verdict.refused_again
    figures.fenced = verdict.fenced + verdict.stale
    for note in verdict.notes:
        figures.note(note)


def _measure(figures: Figures, injections: list[Injection], verdict: MessageVerdict) -> None:
    """Note how long recovery took: until the replacement's first effect, or just the next one."""
    for injection in injections:
        if injection.fenced is not None:
            figures.detect_s.append(injection.fenced - injection.ended)
        elif injection.restarted is not None:
            figures.detect_s.append(injection.restarted - injection.ended)
        # A zombie's work goes on with its replacement, long before the zombie wakes up.
        origin = injection.started if injection.fenced is not None else injection.ended
        since = injection.restarted if injection.restarted is not None else injection.ended
        after_s = verdict.next_effect_after(since, injection.agent)
        if after_s is not None:
            figures.recover_s.append(since + after_s - origin)
