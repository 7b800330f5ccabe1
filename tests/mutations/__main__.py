"""`python -m tests.mutations`: runs mutated input through what reads it, and sums up."""

from __future__ import annotations

import argparse
import faulthandler
import sys

from tests.mutations import campaign

SILENT_S = 600.0
"""So long without a report, a case hangs in code that no signal ends: its stack is printed."""


def main() -> int:
    """Return 1 where a case crashed or hung."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("work", choices=sorted(campaign.WORKS), help="what to run")
    parser.add_argument("--count", type=int, default=10_000, help="how many cases to run")
    parser.add_argument("--seed", type=int, default=0, help="the first of them")
    arguments = parser.parse_args()
    tally = campaign.Tally(arguments.work, arguments.seed)
    faulthandler.dump_traceback_later(SILENT_S, exit=True)
    for tally in campaign.run(arguments.work, arguments.seed, arguments.count):
        faulthandler.dump_traceback_later(SILENT_S, exit=True)
        if sys.stderr.isatty():
            print(f"\r{tally.count:,} of {arguments.count:,}", end="", file=sys.stderr)
    faulthandler.cancel_dump_traceback_later()
    print(_summary(tally))
    return int(bool(tally.failing))


def _summary(tally: campaign.Tally) -> str:
    """Return what a campaign came to, for people."""
    lines = [f"--- seed {seed}\n{story}" for seed, story in tally.failing.items()]
    lines += [f"{count:>10,}  {kind}" for kind, count in tally.kinds.most_common()]
    memory = [kib / 1024 for kib in (tally.warm_kib, tally.resident_kib, tally.peak_kib)]
    lines.append(
        f"{tally.work}: {tally.count:,} cases, {tally.bytes_read:,} bytes,"
        f" {len(tally.failing)} crashed or hung; MiB of memory: {memory[0]:.0f} after a tenth of"
        f" the cases, {memory[1]:.0f} after all, {memory[2]:.0f} at most"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
