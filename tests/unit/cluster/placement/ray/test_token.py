"""Where Ray's token is looked for; whether Ray then sends it is for the integration tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.kernel.errors import PlacementError
from cluster.placement.ray.token import has_token, send_token


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_there_is_none_on_a_machine_that_has_not_used_ray() -> None:
    assert not has_token()
    assert send_token() is False


def test_it_is_found_in_rays_own_file(home: Path) -> None:
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text("abc\n")

    assert has_token()


def test_it_is_found_in_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", "abc")

    assert has_token()


def test_a_named_file_goes_before_rays_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text("abc")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(home / "missing"))

    assert not has_token()


def test_a_mode_that_wants_a_token_where_there_is_none_is_refused_before_ray_aborts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")

    with pytest.raises(PlacementError, match="there is no token"):
        send_token()


def test_a_mode_that_is_off_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "abc")

    assert send_token() is False


def test_a_mode_that_is_on_needs_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "abc")

    assert send_token() is True
