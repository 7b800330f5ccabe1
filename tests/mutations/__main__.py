"""`python -m tests.mutations`: runs mutated input through what reads it, and sums up."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from tests.mutations import campaign
from tests.mutations.memory import IS_MALLOC_COUNTED


def main() -> int:
    """Return 1 where a case crashed, hung, or read another text, or memory was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("work", choices=sorted(campaign.WORKS), help="what to run")
    parser.add_argument("--count", type=int, default=10_000, help="how many cases to run")
    parser.add_argument("--seed", type=int, default=0, help="the first of them")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the cases")
    arguments = parser.parse_args()
    if not 1 <= arguments.workers <= arguments.count:
        parser.error("there must be at least one worker, and one case for each")
    began = time.monotonic()
    try:
        tallies = _tallies(arguments.work, arguments.seed, arguments.count, arguments.workers)
    except BrokenProcessPool:
        print("a process has ended in the middle of a case: its stack stands above, if it has one")
        return 1
    print(_summary(tallies, time.monotonic() - began))
    return int(not all(tally.is_good for tally in tallies))


def _tallies(work: str, first: int, count: int, workers: int) -> list[campaign.Tally]:
    if workers == 1:
        return [campaign.run_to_end(work, first, count)]
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=fresh) as pool:
        shares = campaign.shares(first, count, workers)
        runs = [pool.submit(campaign.run_to_end, work, *share) for share in shares]
        return [run.result() for run in runs]


def _summary(tallies: Sequence[campaign.Tally], took_s: float) -> str:
    """Return what a campaign came to, for people."""
    failing = [found for tally in tallies for found in tally.failing.items()]
    kinds = sum((tally.kinds for tally in tallies), Counter[str]())
    count, size = (sum(tally.count for tally in tallies), sum(t.bytes_read for t in tallies))
    total = (
        f"{tallies[0].work}: {count:,} cases, {size:,} bytes in {took_s:,.0f} s,"
        f" {len(failing)} crashed, hung or read as something else"
    )
    return "\n".join(
        [
            *(f"--- seed {seed}\n{story}" for seed, story in failing),
            *(f"{count:>10,}  {kind}" for kind, count in kinds.most_common()),
            total,
            *(_memory_line(tally) for tally in tallies),
        ]
    )


def _memory_line(tally: campaign.Tally) -> str:
    """Return what memory a process held."""
    if not tally.growths:
        return "memory: not measured, since too many cases failed"
    half, again = tally.growths
    resident = ", ".join(f"{memory.resident_kib / 1024:.0f}" for memory in tally.memory)
    verdict = "LEAK" if tally.has_leak else "flat"
    if not IS_MALLOC_COUNTED:
        verdict += " as far as Python's blocks tell (this C library doesn't count its memory)"
    return (
        f"memory: {verdict}; grown by {_said(half)} in the second half (may be"
        f" {_said(campaign.HALF_MAX)}), by {_said(again)} as cases ran again (may be"
        f" {_said(campaign.AGAIN_GROWTH_MAX)}); resident {resident} MiB after half, all and again,"
        f" {tally.peak_kib / 1024:.0f} at most"
    )


def _said(growth: campaign.Growth) -> str:
    return f"{growth.in_use_kib:,} KiB and {growth.blocks:,} blocks"


if __name__ == "__main__":
    sys.exit(main())
