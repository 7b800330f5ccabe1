"""The facts of a machine, gathered where a test can make them so."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.doctor import looking
from cluster.kernel.errors import UsageError
from cluster.settings import Settings
from cluster.settings.values import NetworkSettings, ServeSettings


@pytest.fixture
def port() -> Iterator[int]:
    """The port of something that listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_packages_of_this_release_are_found_in_versions_that_fit() -> None:
    facts = looking.installed_facts()

    assert facts.complaint == ""
    assert facts.versions.keys() >= {"ray", "redis"}


def test_of_what_is_not_installed_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "_DISTRIBUTION", "no-such-distribution")

    assert looking.installed_facts().requirements == ()


def test_a_folder_that_is_not_there_is_tried_above_it_and_not_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "far" / "away"))

    learned = looking.folder_facts()[0]

    assert learned.path == str(tmp_path / "far" / "away" / "fleetmind")
    assert learned.problem == ""
    assert learned.free_bytes > 0
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_not_be_written_has_the_systems_word_for_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    assert looking.folder_facts()[1].problem == "Not a directory"


def test_a_temporary_folder_of_somebody_elses_is_complained_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("cluster.doctor.looking.new_run_dir", lambda: tmp_path / "made")
    assert looking.run_dir_complaint() == ""
    assert list(tmp_path.iterdir()) == []

    monkeypatch.undo()
    monkeypatch.setattr("cluster.placement.local.run_dir._check_private", _refuse)

    assert "no private folder can be made" in looking.run_dir_complaint()


def _refuse(folder: Path, _uid: int) -> None:
    raise PermissionError(13, "Permission denied", str(folder))


def test_of_root_the_number_of_processes_is_not_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "threads_left", lambda: None)
    monkeypatch.setattr("resource.getrlimit", lambda number: _limits(number, 7))
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert looking.limit_facts().threads is None

    monkeypatch.setattr("os.geteuid", lambda: 1000)
    facts = looking.limit_facts()
    assert (facts.files, facts.threads, facts.threads_by) == (99, 0, "`ulimit -u` (7)")


def _limits(number: int, processes: int) -> tuple[int, int]:
    return (10, 99) if number == resource.RLIMIT_NOFILE else (processes, processes)


def test_the_least_memory_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "memory_left", lambda: 1000)

    facts = looking.limit_facts()

    assert (facts.memory_bytes, facts.memory_by) == (1000, "the container's limit")


def test_what_the_machine_has_left_counts_where_no_container_limits_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(looking, "memory_left", lambda: None)

    facts = looking.limit_facts()

    assert facts.memory_bytes is not None
    assert facts.memory_by == "what else runs here"


def test_ports_that_can_not_be_had_are_complained_of(port: int) -> None:
    settings = Settings(network=NetworkSettings(host="192.0.2.1"), serve=ServeSettings(port=port))

    def refuse(host: str) -> None:
        raise UsageError(f"{host} is no address of this machine")

    facts = looking.port_facts(settings, refuse, is_up=False)

    assert facts.agents == "192.0.2.1 is no address of this machine"
    assert str(port) in facts.ingress
    assert facts.loopback == ""
    assert facts.shown == f"192.0.2.1, 127.0.0.1:{port}"
