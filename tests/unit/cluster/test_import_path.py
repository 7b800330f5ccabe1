"""The working directory is on no path of ours, however it came there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.import_path import ROOT, without_working_directory


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_is_left_out_under_each_of_its_names(here: Path) -> None:
    (here / "link").symlink_to(here)
    names = ["", ".", str(here), f"{here}/", "link", str(here / "link")]

    assert without_working_directory(["/first", *names, "/last"]) == ["/first", "/last"]


def test_what_is_below_it_and_what_is_no_folder_stays(here: Path) -> None:
    entries = ["libraries", str(here / "src"), "__editable__.finder.__path_hook__"]

    assert without_working_directory(entries) == entries


def test_our_own_checkout_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    assert without_working_directory(["", "/installed"]) == ["/installed", ROOT]


def test_a_working_directory_that_is_gone_is_left_out_too(here: Path) -> None:
    here.rmdir()

    assert without_working_directory(["", "/installed"]) == ["/installed"]


@pytest.mark.parametrize("name", ["re", "signal", "typing", "argparse"])
def test_python_m_cluster_imports_nothing_from_it(here: Path, name: str) -> None:
    (here / f"{name}.py").write_text("raise SystemExit('imported')\n", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "cluster", "--help"],
        env={**os.environ, "PYTHONPATH": ROOT},
        check=False,
        capture_output=True,
    )

    assert (done.returncode, done.stderr) == (0, b"")
