"""Many seeds in a row: counts what happened, keeps what failed, and can be interrupted.

The books of a campaign lie under build/simulation, one file a job; a campaign that is started
again with the same seeds and code goes on where it was.
"""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.simulation import run as cluster
from tests.simulation.calls import run as calls
from tests.simulation.coverage import table
from tests.simulation.knowledge import run as knowledge
from tests.simulation.run import Outcome
from tests.simulation.state import run as state

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "simulation"
SAVE_EVERY_S = 5.0
FAILURES_MAX = 20
"""So many failing seeds end a campaign: there is enough to do."""
WORKS = {
    "cluster": cluster.simulate,
    "knowledge": knowledge.simulate,
    "state": state.simulate,
    "calls": calls.simulate,
}
"""What a seed can be run of: whole clusters with tasks, hosts that cache knowledge, hosts that
share documents, or calls of models."""


@dataclass
class Tally:
    """What a campaign, or a job's part of one, came to so far."""

    work: str
    first: int
    count: int
    commit: str = ""
    next_at: int = 0
    """How many of its seeds have been run."""
    cpu_s: float = 0.0
    virtual_s: float = 0.0
    steps: int = 0
    frames: int = 0
    recovered_s_max: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    tallies: dict[str, int] = field(default_factory=dict)
    coverage: dict[str, int] = field(default_factory=dict)
    """How often each fault came in each state of a plan."""
    failing: dict[str, list[str]] = field(default_factory=dict)
    """Seed -> what was violated."""

    def add(self, outcome: Outcome) -> None:
        """Count a run."""
        self.next_at += 1
        self.virtual_s += outcome.virtual_s
        self.steps += outcome.steps
        self.frames += outcome.frames
        self.recovered_s_max = max(self.recovered_s_max, outcome.recovered_s or 0.0)
        self._count(outcome.faults, outcome.tallies, outcome.coverage)
        if outcome.violations:
            self.failing[str(outcome.seed)] = outcome.violations

    def merge(self, other: Tally) -> None:
        """Count another job's part."""
        self.next_at += other.next_at
        self.cpu_s += other.cpu_s
        self.virtual_s += other.virtual_s
        self.steps += other.steps
        self.frames += other.frames
        self.recovered_s_max = max(self.recovered_s_max, other.recovered_s_max)
        self._count(Counter(other.faults), Counter(other.tallies), Counter(other.coverage))
        self.failing |= other.failing

    def _count(self, faults: Counter[str], tallies: Counter[str], coverage: Counter[str]) -> None:
        self.faults = dict(Counter(self.faults) + faults)
        self.tallies = dict(Counter(self.tallies) + tallies)
        self.coverage = dict(Counter(self.coverage) + coverage)

    def last_line(self) -> str:
        """Return the line that a campaign ends with."""
        return (
            f"runs={self.next_at} faults={sum(self.faults.values())} violations={len(self.failing)}"
        )


def commit() -> str:
    """Return the commit of the checkout, marked where files were changed since."""
    try:
        made = subprocess.run(
            [shutil.which("git") or "git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return made.stdout.strip()


def run_job(
    tally: Tally, job: int = 0, jobs: int = 1, *, failures_max: int = FAILURES_MAX
) -> Tally:
    """Run a job's share of a fresh tally's seeds, going on where an interrupted one was."""
    path = _path(tally, job, jobs)
    mine = range(tally.first + job, tally.first + tally.count, jobs)
    tally = _resumed(path, tally, len(mine))
    FOLDER.mkdir(parents=True, exist_ok=True)
    saved_at = time.monotonic()
    began_s = time.process_time() - tally.cpu_s
    gc.collect()
    gc.freeze()  # so that the collection after each run looks at that run only
    for seed in mine[tally.next_at :]:
        _run_one(seed, tally)
        if len(tally.failing) >= failures_max:
            print(f"stopped after {failures_max} failing seeds", flush=True)
            break
        if time.monotonic() - saved_at > SAVE_EVERY_S:
            tally.cpu_s = time.process_time() - began_s
            _save(path, tally)
            saved_at = time.monotonic()
            print(f"job {job}: {tally.last_line()}", file=sys.stderr, flush=True)
    tally.cpu_s = time.process_time() - began_s
    _save(path, tally)
    return tally


def _path(tally: Tally, job: int, jobs: int) -> Path:
    return FOLDER / f"{tally.work}-{tally.first}-{tally.count}-{job}of{jobs}.json"


def _run_one(seed: int, tally: Tally) -> None:
    simulate = WORKS[tally.work]
    outcome = simulate(seed)
    tally.add(outcome)
    if outcome.violations:
        tell(simulate(seed, has_story=True), tally.work)


def run_some(work: str, seeds: list[int]) -> Tally:
    """Run some seeds, kept nowhere."""
    tally = Tally(work, seeds[0], len(seeds), commit())
    for seed in seeds:
        _run_one(seed, tally)
    return tally


def _resumed(path: Path, fresh: Tally, count: int) -> Tally:
    fresh = Tally(fresh.work, fresh.first, count, commit())
    try:
        kept = Tally(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return fresh
    is_same = kept.commit == fresh.commit and not kept.commit.endswith("dirty")
    return kept if is_same and 0 < kept.next_at < count else fresh


def _save(path: Path, tally: Tally) -> None:
    path.write_text(json.dumps(asdict(tally), indent=1), encoding="utf-8")


def run_campaign(work: str, first: int, count: int, jobs: int) -> Tally:
    """Run seeds in several processes, and sum up."""
    whole = Tally(work, first, count, commit())
    if jobs == 1:
        whole.merge(run_job(Tally(work, first, count)))
    else:
        command = [sys.executable, "-m", "tests.simulation", f"--work={work}"]
        command += [f"--seeds={count}", f"--seed={first}"]
        workers = [
            subprocess.Popen([*command, f"--jobs={jobs}", f"--job={job}"], cwd=ROOT)
            for job in range(jobs)
        ]
        try:
            for worker in workers:
                worker.wait()
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
        for job in range(jobs):
            path = _path(whole, job, jobs)
            whole.merge(Tally(**json.loads(path.read_text(encoding="utf-8"))))
    FOLDER.mkdir(parents=True, exist_ok=True)
    _save(FOLDER / f"{work}-{first}-{count}.json", whole)
    return whole


def tell(outcome: Outcome, work: str) -> None:
    """Print a run's story, and what it violated."""
    again = f"python -m tests.simulation --work {work} --seed {outcome.seed} --story"
    print(f"\nseed {outcome.seed} ({outcome.mode}), digest {outcome.digest}")
    for line in outcome.story:
        print("  " + line)
    for violation in outcome.violations:
        print(f"  VIOLATED {violation}")
    print(f"  again: {again}", flush=True)


def sum_up(tally: Tally) -> None:
    """Print what a campaign came to; the last line is for programs."""
    for kind, number in sorted(tally.faults.items()):
        print(f"  {number:9d} {kind}")
    for kind, number in sorted(tally.tallies.items()):
        print(f"  {number:9d} ({kind})")
    if tally.coverage:
        for line in table(tally.coverage, tally.faults):
            print(line)
    runs = max(1, tally.next_at)
    print(
        f"{tally.work} at {tally.commit}: {tally.virtual_s / 3600:.2f} simulated hours,"
        f" {tally.steps} callbacks, {tally.frames} frames,"
        f" {1000 * tally.cpu_s / runs:.1f} ms of CPU a run,"
        f" recovered within {tally.recovered_s_max:.2f} s"
    )
    for seed, violations in tally.failing.items():
        print(f"seed {seed}: {violations[0]}")
    print(tally.last_line(), flush=True)
