"""`python -m tests.simulation`: runs seeds, or tells the story of one."""

from __future__ import annotations

import argparse
import os
import sys


def main() -> int:
    """Return 1 where an oracle was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds to run")
    parser.add_argument("--seed", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=1, help="processes to run them in")
    parser.add_argument("--job", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--story", action="store_true", help="tell what happened at --seed")
    parser.add_argument("--first", action="store_true", help="stop at the first failing seed")
    parser.add_argument("--only", type=int, nargs="+", help="run these seeds, and no others")
    parser.add_argument("--digest", action="store_true", help="print the digest of each run")
    arguments = parser.parse_args()

    from tests.simulation import campaign
    from tests.simulation.run import simulate

    if arguments.story:
        outcome = simulate(arguments.seed, has_story=True)
        campaign.tell(outcome)
        return int(bool(outcome.violations))
    if arguments.digest:
        for seed in range(arguments.seed, arguments.seed + arguments.seeds):
            print(seed, simulate(seed).digest)
        return 0
    if arguments.only:
        tally = campaign.run_some(arguments.only)
        campaign.sum_up(tally)
    elif arguments.first:
        tally = campaign.run_job(arguments.seed, arguments.seeds, failures_max=1)
    elif arguments.job is not None:
        tally = campaign.run_job(arguments.seed, arguments.seeds, arguments.job, arguments.jobs)
    else:
        tally = campaign.run_campaign(arguments.seed, arguments.seeds, arguments.jobs)
        campaign.sum_up(tally)
    return int(bool(tally.failing))


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of texts is part of what a seed stands for.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])  # noqa: S606
    sys.exit(main())
