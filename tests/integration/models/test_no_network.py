"""Without any network but loopback the local tier answers: a network namespace without routes."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agents.models.local import catalog
from agents.tools.sandbox.discovery import discover
from tests.support.commands import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

(SMOLLM2,) = catalog.catalog()
HAS_LLAMA = importlib.util.find_spec("xllamacpp") is not None
needs_model = pytest.mark.skipif(
    not (HAS_LLAMA and SMOLLM2.is_here),
    reason="needs xllamacpp and `fleetmind models pull smollm2-135m`",
)
SETTINGS = """
[model]
uri = "openai:large"
base_url = "http://192.0.2.1:8000/v1"

[models.here]
uri = "llama:smollm2-135m"
tier = "local"
"""
"""192.0.2.0/24 is nobody's (RFC 5737): without routes it can't even be dialled."""


def cut_off(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that sees all files, and of the network its own loopback."""
    return subprocess.run(
        [discover().bubblewrap, "--unshare-net", "--dev-bind", "/", "/", "--", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@needs_model
def test_where_the_endpoint_cannot_be_reached_the_local_model_answers_in_quotes_and_it_is_said(
    tmp_path: Path,
) -> None:
    (tmp_path / "fleet.toml").write_text(SETTINGS)
    knowledge = ROOT / "examples" / "knowledge"
    goal = "What does a Counter give for an element that never occurred?"

    ended = cut_off(
        [sys.executable, "-m", "cluster", "run", goal, "--knowledge", str(knowledge), "--json"],
        tmp_path,
    )

    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert report["status"] == "answered"
    assert report["answer"]
    assert any("here answers in place of [model]" in said for said in report["degraded"])
    assert {claim["support"] for claim in report["claims"]} == {"quoted"}, report["answer"]
