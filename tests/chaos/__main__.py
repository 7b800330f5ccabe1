"""The chaos campaign: ``make chaos``, or ``python -m tests.chaos --help``.

Runs real hosts without Ray, hurts them, judges what they did, prints a table and writes
``build/chaos.json``. Exits 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

import uvloop

from tests.chaos.figures import Figures, append_cell, merged, read_cells, summary, table
from tests.chaos.scenarios import SCENARIOS, Job, plan_jobs
from tests.chaos.zygote import Zygote

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
CELLS = BUILD / "chaos-cells.jsonl"
REPORT = BUILD / "chaos.json"
KEPT = BUILD / "chaos"


def main() -> None:
    """Parse the command line, run the campaign, and say how it went."""
    arguments = _parser().parse_args()
    if arguments.list:
        _say("\n".join(SCENARIOS))
        return
    BUILD.mkdir(exist_ok=True)
    if not arguments.resume:
        CELLS.unlink(missing_ok=True)
        shutil.rmtree(KEPT, ignore_errors=True)
    done = Counter[str]()
    for cell in read_cells(CELLS):
        done[cell.scenario] += cell.runs
    jobs = plan_jobs(arguments.only, arguments.runs, done, seed=arguments.seed)
    uvloop.run(_campaign(jobs, arguments))
    sums = merged(read_cells(CELLS))
    total = Figures("all", arguments.seed)
    for each in sums:
        total.add(each)
    total.notes.clear()
    _say(table([*sums, total]))
    report = {"commit": _commit(), "scenarios": [summary(each) for each in [*sums, total]]}
    REPORT.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if total.violations else 0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    parser.add_argument("--only", default="", help="part of the names of the scenarios to run")
    parser.add_argument("--runs", type=int, default=0, help="injections a scenario")
    parser.add_argument("--parallel", type=int, default=6, help="clusters side by side")
    parser.add_argument("--seconds", type=float, default=0.0, help="start no cell after that time")
    parser.add_argument("--seed", type=int, default=1, help="of what is random in the faults")
    parser.add_argument("--resume", action="store_true", help="add to the figures there are")
    return parser


async def _campaign(jobs: list[Job], arguments: argparse.Namespace) -> None:
    """Run the jobs, some side by side."""
    started = time.monotonic()
    commit = _commit()
    waiting = iter(jobs)
    root = Path(tempfile.mkdtemp(prefix="fm-chaos-"))
    try:
        async with await Zygote.start() as zygote:

            async def work() -> None:
                for job in waiting:
                    if arguments.seconds and time.monotonic() - started > arguments.seconds:
                        return
                    figures = await _run(job, zygote, root / job.folder)
                    figures.commit = commit
                    append_cell(CELLS, figures)
                    _say(_line(figures, time.monotonic() - started))
                    if figures.violations:
                        skipped = shutil.ignore_patterns("*.sock", "data")
                        shutil.copytree(root / job.folder, KEPT / job.folder, ignore=skipped)
                    shutil.rmtree(root / job.folder, ignore_errors=True)

            async with asyncio.TaskGroup() as group:
                for _ in range(arguments.parallel):
                    group.create_task(work())
    finally:
        shutil.rmtree(root, ignore_errors=True)


async def _run(job: Job, zygote: Zygote, folder: Path) -> Figures:
    """Run a cell; one that ends in an error counts as stuck, and the others go on."""
    try:
        return await job.run(zygote, folder)
    except Exception as error:  # noqa: BLE001 - the containment point of a cell
        figures = Figures(job.scenario.name, job.seed, runs=job.runs, stuck=1)
        figures.note(f"the cell ended in {error!r}")
        traceback.print_exception(error)
        return figures


def _line(figures: Figures, at_s: float) -> str:
    broken = f"  BROKEN {figures.violations}: {figures.notes[:2]}" if figures.violations else ""
    return (
        f"[{at_s:6.0f} s] {figures.scenario:<34} {figures.runs:>4} runs {figures.acked:>7} acked"
        f" {figures.tasks:>5} tasks{broken}"
    )


def _commit() -> str:
    git = shutil.which("git")
    if git is None:
        return ""
    done = subprocess.run(
        [git, "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
