"""Proxies, certificates and tokens, gathered where a test can make them so."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.doctor import looking_out
from cluster.kernel.sections import ModelEntry, ModelSettings
from cluster.settings import Configuration, Secrets, Settings

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


def test_a_proxy_is_found_with_the_models_that_are_asked_by_way_of_it(
    monkeypatch: pytest.MonkeyPatch, port: int
) -> None:
    monkeypatch.setenv("https_proxy", f"http://me:secret@127.0.0.1:{port}")
    monkeypatch.setenv("http_proxy", "127.0.0.1:1")

    plain, secure = looking_out.proxy_facts(a_configuration())

    assert (secure.variable, secure.shown) == ("https_proxy", f"http://127.0.0.1:{port}")
    assert (secure.problem, secure.hosts) == ("", ["models.example"])
    assert (plain.problem, plain.hosts) == ("can't be reached (connection refused)", [])


def test_a_host_that_is_excepted_is_not_asked_by_way_of_a_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    [before] = looking_out.proxy_facts(a_configuration())
    monkeypatch.setenv("NO_PROXY", "example")

    [after] = looking_out.proxy_facts(a_configuration())

    assert (before.variable, before.hosts, after.hosts) == ("ALL_PROXY", ["models.example"], [])


@pytest.mark.parametrize("proxy", ["http://", "http://[", "http://h:port"])
def test_a_proxy_that_is_no_url_is_said_to_be_none(
    proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", proxy)

    [found] = looking_out.proxy_facts(a_configuration())

    assert found.shown == "(no URL)"
    assert found.problem.startswith("can't be reached (")


def test_certificates_that_are_not_there_are_complained_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert looking_out.certificate_complaint() == ""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert "ca.pem, which can't be read" in looking_out.certificate_complaint()

    (tmp_path / "ca.pem").write_text("")
    assert looking_out.certificate_complaint() == ""


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
    facts = looking_out.token_facts(a_configuration(key=key))

    assert (facts.keyed, facts.keyless, facts.unsendable) == (keyed, keyless, unsendable)


def test_a_model_of_this_machine_has_no_key() -> None:
    configuration = a_configuration()
    settings = replace(configuration.settings, model=ModelSettings(uri="simulated:"), models={})

    facts = looking_out.token_facts(replace(configuration, settings=settings))

    assert (facts.keyed, facts.keyless) == ([], [])


def test_rays_token_is_looked_for_where_ray_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert looking_out.token_facts(a_configuration()).ray == ""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert "there is no token" in looking_out.token_facts(a_configuration()).complaint

    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("t")
    found = looking_out.token_facts(a_configuration())
    assert (found.ray, found.complaint) == ("~/.ray/auth_token", "")
