"""Prints constraints.txt: the exact versions that the ranges of pyproject.toml resolve to today.

Run by `make constraints` with the oldest supported Python. Names and versions only: where a package
is downloaded from is the business of whoever sets up.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 900.0
# What builds the project is pinned too; an editable build needs `editables`.
BUILD_TOOLS = ("hatchling", "editables")
HEADER = "# Written by `make constraints`; the set-up installs exactly these. Do not edit."


def resolve() -> list[str]:
    """Returns ``name==version`` of every package a set-up installs, sorted."""
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--dry-run", "--ignore-installed"]
    command = [*pip, "--report", "-", ".[local,dev]", *BUILD_TOOLS]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, timeout=TIMEOUT_S)
    packages = [item["metadata"] for item in json.loads(done.stdout)["install"]]
    return sorted(
        f"{package['name'].lower().replace('_', '-')}=={package['version']}"
        for package in packages
        if package["name"] != "fleetmind"
    )


if __name__ == "__main__":
    print(HEADER, *resolve(), sep="\n")
