"""`python -m tests.simulation`: runs seeds, or tells the story of one."""

from __future__ import annotations

import argparse
import os
import sys


def main() -> int:
    """Return 1 where an oracle was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument(
        "--work",
        choices=("cluster", "knowledge", "state", "calls"),
        help="what to run of each seed",
    )
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

    works = [arguments.work] if arguments.work else list(campaign.WORKS)
    failing = [_run(work, arguments) for work in works]
    return int(any(failing))


def _run(work: str, arguments: argparse.Namespace) -> bool:
    """Do what is asked for with one workload; say whether an oracle was violated."""
    from tests.simulation import campaign

    first, count = arguments.seed, arguments.seeds
    if arguments.story:
        outcome = campaign.WORKS[work](first, has_story=True)
        campaign.tell(outcome, work)
        return bool(outcome.violations)
    if arguments.digest:
        for seed in range(first, first + count):
            print(seed, campaign.WORKS[work](seed).digest)
        return False
    if arguments.only:
        tally = campaign.run_some(work, arguments.only)
        campaign.sum_up(tally)
    elif arguments.first:
        tally = campaign.run_job(campaign.Tally(work, first, count), failures_max=1)
    elif arguments.job is not None:
        whole = campaign.Tally(work, first, count)
        tally = campaign.run_job(whole, arguments.job, arguments.jobs)
    else:
        tally = campaign.run_campaign(work, first, count, arguments.jobs)
        campaign.sum_up(tally)
    return bool(tally.failing)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of texts is part of what a seed stands for.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])  # noqa: S606
    sys.exit(main())
