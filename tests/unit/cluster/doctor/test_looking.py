"""The facts of a machine, gathered where a test can make them so."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.doctor import looking
from cluster.kernel.errors import UsageError
from cluster.kernel.sections import ModelEntry, ModelSettings
from cluster.settings import Configuration, Secrets, Settings
from cluster.settings.values import NetworkSettings, ServeSettings

AWAY = "https://models.example/v1"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ws_proxy")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def port() -> Iterator[int]:
    """The port of something that listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def a_configuration(base_url: str = AWAY, key: str = "", small_key: str = "") -> Configuration:
    small = ModelEntry(uri="openai:small", base_url="http://127.0.0.1:9/v1")
    settings = Settings(
        model=ModelSettings(uri="openai:large", base_url=base_url), models={"small": small}
    )
    return Configuration(settings, Secrets(api_key=key, model_keys={"small": small_key}))


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
    assert looking.run_dir_complaint() == ""
    monkeypatch.setattr("cluster.placement.local.run_dir._check_private", _refuse)

    assert "no private folder can be made" in looking.run_dir_complaint()


def _refuse(folder: Path, _uid: int) -> None:
    raise PermissionError(13, "Permission denied", str(folder))


def test_of_root_the_number_of_processes_is_not_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "threads_left", lambda: None)
    monkeypatch.setattr(looking.resource, "getrlimit", lambda number: _limits(number, 7))
    monkeypatch.setattr(looking.os, "geteuid", lambda: 0)
    assert looking.limit_facts().threads is None

    monkeypatch.setattr(looking.os, "geteuid", lambda: 1000)
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


def test_a_proxy_is_found_with_the_models_that_are_asked_by_way_of_it(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    monkeypatch.setenv("https_proxy", f"http://me:secret@127.0.0.1:{port}")
    monkeypatch.setenv("http_proxy", "127.0.0.1:1")

    plain, secure = looking.proxy_facts(a_configuration())

    assert (secure.variable, secure.shown) == ("https_proxy", f"http://127.0.0.1:{port}")
    assert (secure.problem, secure.hosts) == ("", ["models.example"])
    assert (plain.problem, plain.hosts) == ("can't be reached (connection refused)", [])


def test_a_host_that_is_excepted_is_not_asked_by_way_of_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    [before] = looking.proxy_facts(a_configuration())
    monkeypatch.setenv("NO_PROXY", "example")

    [after] = looking.proxy_facts(a_configuration())

    assert (before.variable, before.hosts, after.hosts) == ("ALL_PROXY", ["models.example"], [])


@pytest.mark.parametrize("proxy", ["http://", "http://[", "http://h:port"])
def test_a_proxy_that_is_no_url_is_said_to_be_none(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy)

    [found] = looking.proxy_facts(a_configuration())

    assert found.shown == "(no URL)"
    assert found.problem.startswith("can't be reached (")


def test_certificates_that_are_not_there_are_complained_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert looking.certificate_complaint() == ""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert "ca.pem, which can't be read" in looking.certificate_complaint()

    (tmp_path / "ca.pem").write_text("")
    assert looking.certificate_complaint() == ""


@pytest.mark.parametrize(
    ("key", "keyed", "keyless", "unsendable"),
    [
        ("sk-1", ["model"], [], []),
        ("sk-1\n", ["model"], [], []),
        ("", [], ["model"], []),
        ("sk-\N{EURO SIGN}", [], [], ["model"]),
        ("sk-1\nsk-2", [], [], ["model"]),
    ],
)
def test_keys_are_told_apart_and_this_machine_needs_none(
    key: str, keyed: list[str], keyless: list[str], unsendable: list[str]
) -> None:
    facts = looking.token_facts(a_configuration(key=key))

    assert (facts.keyed, facts.keyless, facts.unsendable) == (keyed, keyless, unsendable)


def test_a_model_of_this_machine_has_no_key() -> None:
    configuration = a_configuration()
    settings = replace(configuration.settings, model=ModelSettings(uri="simulated:"), models={})

    facts = looking.token_facts(replace(configuration, settings=settings))

    assert (facts.keyed, facts.keyless) == ([], [])


def test_rays_token_is_looked_for_where_ray_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert looking.token_facts(a_configuration()).ray == ""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert "there is no token" in looking.token_facts(a_configuration()).complaint

    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("t")
    found = looking.token_facts(a_configuration())
    assert (found.ray, found.complaint) == ("~/.ray/auth_token", "")
