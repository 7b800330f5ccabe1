"""What starting costs: attaching to a resident cluster may import only what it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROBE = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(sys.modules)))
"""
ATTACH = ("cluster.cli.entry", "cluster.cli.run", "cluster.client", "cluster.joining")


def modules_after(*names: str) -> set[str]:
    """What a fresh interpreter has loaded after it imported these modules."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *names],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return set(json.loads(done.stdout))


def imported_by(*names: str) -> set[str]:
    """The top-level packages of that."""
    return {name.partition(".")[0] for name in modules_after(*names)}


def test_attaching_does_not_import_how_shared_state_is_folded() -> None:
    folding = {"cluster.kernel.state.folding", "cluster.memory.state.host.documents", "difflib"}

    assert modules_after(*ATTACH) & folding == set()


def test_attaching_imports_none_of_what_is_slow() -> None:
    slow = {"ray", "rich", "wordllama", "openai", "pydantic", "typer", "numpy", "faiss"}

    assert imported_by(*ATTACH) & slow == set()


@pytest.mark.parametrize("name", ["cluster", "cluster.cli", "cluster.cli.entry"])
def test_help_needs_neither_an_event_loop_nor_a_wire(name: str) -> None:
    assert imported_by(name) & {"asyncio", "grpc", "redis", "google", "pydantic"} == set()
