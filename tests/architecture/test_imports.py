"""What importing the packages drags in: start-up time, and who may know whom, depend on it."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import agents
import cluster
import cluster.kernel

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 60.0
PROBE = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def imported_by(*names: str) -> set[str]:
    """Top-level packages that are loaded after a fresh interpreter imported the named modules."""
    command = [sys.executable, "-c", PROBE, *names]
    done = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    loaded: list[str] = json.loads(done.stdout)
    return set(loaded)


def modules_below(package_path: str, name: str) -> list[str]:
    """Names of all modules of a package, found without importing any."""
    found = [name]
    for module in pkgutil.iter_modules([package_path]):
        full = f"{name}.{module.name}"
        nested = modules_below(f"{package_path}/{module.name}", full) if module.ispkg else [full]
        found += nested
    return found


def test_agents_is_the_package_of_this_checkout() -> None:
    assert Path(agents.__file__ or "").parent == ROOT / "agents"
    assert Path(cluster.__file__ or "").parent == ROOT / "cluster"


def test_importing_the_agents_loads_none_of_the_machinery() -> None:
    loaded = imported_by(*modules_below(str(ROOT / "agents"), "agents"))

    assert loaded & {"ray", "grpc", "redis"} == set()


def test_importing_the_kernel_loads_the_standard_library_only() -> None:
    loaded = imported_by(*modules_below(str(ROOT / "cluster" / "kernel"), "cluster.kernel"))

    assert loaded & {"ray", "grpc", "redis", "google", "numpy", "pydantic"} == set()


def test_the_command_line_starts_without_ray() -> None:
    loaded = imported_by("cluster.cli")

    assert "ray" not in loaded
