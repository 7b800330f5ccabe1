"""What a process of ours may see of the environment, and what it imports from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import cluster
from cluster.child_environment import environment


def test_secrets_are_not_handed_on_in_the_environment() -> None:
    own = {"OPENAI_API_KEY": "k", "REDIS_URL": "r", "FLEETMIND_REDIS_URL": "f", "HOME": "h"}

    handed_on = environment(own)

    assert handed_on["HOME"] == "h"
    assert not {"k", "r", "f"} & set(handed_on.values())


def test_the_child_finds_this_very_package(tmp_path: Path) -> None:
    program = "import cluster; print(cluster.__file__)"
    command = [sys.executable, "-P", "-c", program]

    found = subprocess.run(
        command, cwd=tmp_path, env=environment(os.environ), check=True, capture_output=True
    )

    assert Path(found.stdout.decode().strip()) == Path(cluster.__file__)


@pytest.mark.parametrize("of_here", ["", ".", "{here}"])
def test_the_working_directory_is_not_on_the_childs_path(
    of_here: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    handed_on = environment({"PYTHONPATH": f"{of_here.format(here=tmp_path)}{os.pathsep}libraries"})

    assert handed_on["PYTHONPATH"].split(os.pathsep)[-1] == str(tmp_path / "libraries")
    assert str(tmp_path) not in handed_on["PYTHONPATH"].split(os.pathsep)


def test_files_that_the_environment_names_are_found_from_elsewhere() -> None:
    handed_on = environment({"SSL_CERT_FILE": "ca.pem"})

    assert handed_on["SSL_CERT_FILE"] == str(Path.cwd() / "ca.pem")


def test_how_our_own_interpreter_runs_is_not_handed_on() -> None:
    handed_on = environment({"PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2", "PYTHONUTF8": "1"})

    assert {"PYTHONWARNINGS", "PYTHONOPTIMIZE"}.isdisjoint(handed_on)
    assert handed_on["PYTHONUTF8"] == "1"
