"""What starting costs: attaching to a resident cluster may import only what it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import agents
import cluster
from cluster import state

ROOT = Path(__file__).resolve().parents[3]
PROBE = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(json.dumps(sorted(sys.modules)))
"""
ATTACH = (
    "cluster.cli.entry",
    "cluster.cli.run",
    "cluster.cli.tasks",
    "cluster.client",
    "cluster.joining",
)


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


def test_what_programs_catch_and_exchange_has_short_addresses() -> None:
    errors = {"BrokenPolicy", "Overloaded", "StateDeleted", "StateInvalid", "StoreUnavailable"}
    plans = {"ComposeRequest", "Failure", "Plan", "PlanProposal", "PlanRequest", "Step", "StepId"}

    assert errors <= set(cluster.__all__)
    assert plans | {"TopicView"} <= set(agents.__all__)
    assert all(issubclass(getattr(cluster, name), cluster.ClusterError) for name in errors)


def test_a_policy_of_ones_own_finds_what_to_raise_beside_the_base_class() -> None:
    assert state.CannotMerge is state.merge.CannotMerge


def test_agents_of_ones_own_need_no_pydantic() -> None:
    assert imported_by("agents") & {"pydantic", "grpc", "google", "redis", "ray"} == set()
