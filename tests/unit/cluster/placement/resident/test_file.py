"""The file by which the resident cluster is found."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.placement.local.process_table import ProcessId
from cluster.placement.resident.file import (
    ResidentRecord,
    read_file,
    read_resident,
    remove_file,
    state_dir,
    write_file,
)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "fleetmind"


@pytest.fixture
def resident() -> ResidentRecord:
    own = ProcessId.of(os.getpid())
    assert own is not None
    return ResidentRecord(own, own, 1.5, "{}", "secrets.json", "10.0.0.1:6379", "", ("manager-0",))


def test_it_is_read_as_it_was_written(resident: ResidentRecord) -> None:
    write_file(resident)

    assert read_resident() == resident


def test_only_its_user_can_read_it(resident: ResidentRecord, state: Path) -> None:
    write_file(resident)

    assert stat.S_IMODE((state / "cluster.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert [path.name for path in state.iterdir()] == ["cluster.json"]


def test_a_cluster_that_has_died_is_none(resident: ResidentRecord) -> None:
    dead = replace(resident, process=ProcessId(os.getpid(), 1))
    write_file(dead)

    assert read_resident() is None
    assert read_file() == dead


def test_no_file_is_no_cluster() -> None:
    assert read_resident() is None
    remove_file()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"process": 1}', '{"process": {"pid": 1}}'])
def test_a_broken_file_is_no_cluster(text: str, state: Path) -> None:
    state_dir()
    (state / "cluster.json").write_text(text)

    assert read_resident() is None


def test_the_specifications_default_is_used_where_the_variable_is_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert state_dir() == tmp_path / ".local" / "state" / "fleetmind"


def test_a_folder_that_cannot_be_made_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))

    with pytest.raises(UsageError, match="set HOME, or XDG_STATE_HOME"):
        state_dir()
