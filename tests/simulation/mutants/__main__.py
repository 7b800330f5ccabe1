"""Plants each bug in a copy of the checkout and shows the seed that catches it.

A seed counts only where the unchanged code passes it. Arguments name some of the patches; without
any, all are tried. The exit code is 1 where one got away.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SEEDS_MAX = 2000
COPIED = ("agents", "cluster", "protos", "tests/__init__.py", "tests/simulation")
_CAUGHT = re.compile(r"^seed (\d+) \((\w+)\).*?^  VIOLATED (.*?)$", re.MULTILINE | re.DOTALL)


def patches(names: list[str]) -> list[Path]:
    """Return the patches whose names begin with one of these, or all."""
    found = sorted(HERE.glob("*.patch"))
    return [each for each in found if not names or each.name.startswith(tuple(names))]


def copy_to(folder: Path) -> None:
    """Copy what a simulation needs."""
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)


def work_of(patch: Path) -> str:
    """Return the workload that a bug is caught by, which its name begins with."""
    named = patch.name.partition("-")[0]
    return named if named in ("knowledge", "state", "calls") else "cluster"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the simulator of a copy."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )


def caught(patch: Path, seeds_max: int) -> str:
    """Return the seed that catches a bug and what it violated; empty where none does."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        folder = Path(name)
        copy_to(folder)
        git = shutil.which("git") or "git"
        if subprocess.run(
            [git, "apply", str(patch)], cwd=folder, check=False, timeout=60
        ).returncode:
            return "the patch does not apply"
        first, work = 0, f"--work={work_of(patch)}"
        while first < seeds_max:
            ran = run(folder, work, f"--seed={first}", f"--seeds={seeds_max - first}", "--first")
            found = _CAUGHT.search(ran.stdout)
            if found is None:
                return "" if ran.returncode == 0 else f"broken: {ran.stderr[-300:]}"
            first = int(found[1]) + 1
            if run(ROOT, work, f"--seed={found[1]}", "--seeds=1").returncode == 0:
                return f"seed {found[1]} ({found[2]}): {found[3]}"
    return ""


def main() -> int:
    """Try the bugs, and say which were caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", help="beginnings of names of patches")
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX, help="seeds to try at most")
    parser.add_argument("--jobs", type=int, default=1, help="how many to try at once")
    arguments = parser.parse_args()
    chosen = patches(arguments.names)
    escaped = 0
    with ThreadPoolExecutor(arguments.jobs) as pool:
        trials = [pool.submit(caught, patch, arguments.seeds) for patch in chosen]
        for patch, trial in zip(chosen, trials, strict=True):
            result = trial.result()
            is_caught = result.startswith("seed ")
            escaped += not is_caught
            print(f"{patch.stem}: {result or 'NOT CAUGHT'}"[:300], flush=True)
    print(f"mutants={len(chosen)} caught={len(chosen) - escaped} escaped={escaped}")
    return int(bool(escaped))


if __name__ == "__main__":
    sys.exit(main())
