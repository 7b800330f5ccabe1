"""Where Ray's token is looked for; whether Ray then sends it is for the integration tests."""

from __future__ import annotations

import errno
import grp
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.kernel.errors import PlacementError
from cluster.placement.ray.token import has_token, keep_token, open_to_others, send_token


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


def test_a_new_token_is_its_users_only_whatever_the_umask(home: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keep_token(tmp_path / "run")
    finally:
        os.umask(before)

    [path] = (home / ".ray").iterdir()
    assert path.name == "auth_token"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700  # else others could replace it
    assert has_token()
    assert not (tmp_path / "run").exists()


def test_a_token_that_is_there_stays(home: Path, tmp_path: Path) -> None:
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text("abc")

    keep_token(tmp_path / "run")

    assert (home / ".ray" / "auth_token").read_text() == "abc"


def test_of_two_who_make_one_at_once_both_have_the_first(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def comes_late(draft: str, path: Path) -> None:
        path.write_text("abc")
        link(draft, path)

    monkeypatch.setattr(os, "link", comes_late)
    keep_token(tmp_path / "run")

    [path] = (home / ".ray").iterdir()
    assert path.read_text() == "abc"


@pytest.fixture
def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system without hard links, as that of some network shares."""

    def refuse(_draft: str, path: Path) -> None:
        raise OSError(errno.EEXIST if path.exists() else errno.EPERM, "refused")

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("without_links")
def test_without_hard_links_it_is_in_the_home_folder_too(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "")  # put back afterwards

    keep_token(tmp_path / "run")

    [path] = (home / ".ray").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert has_token()
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("without_links")
def test_without_hard_links_a_token_in_the_given_folder_is_one_for_the_next_start_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "")  # put back afterwards

    keep_token(tmp_path / "run")
    first = (tmp_path / "run" / "auth_token").read_text()
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "")
    keep_token(tmp_path / "run")

    assert (tmp_path / "run" / "auth_token").read_text() == first


def test_an_empty_file_is_no_token_and_is_replaced(home: Path, tmp_path: Path) -> None:
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").touch(0o644)

    keep_token(tmp_path / "run")

    assert has_token()
    assert stat.S_IMODE((home / ".ray" / "auth_token").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("content", "mode"),
    [
        pytest.param(b"\xff\xfeabc", 0o600, id="no text"),
        pytest.param(
            b"abc",
            0o000,
            id="another user's",
            marks=pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file"),
        ),
    ],
)
def test_a_token_that_can_not_be_read_stays_and_ours_is_in_the_folder_that_is_given(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, mode: int
) -> None:
    (home / ".ray").mkdir()
    theirs = home / ".ray" / "auth_token"
    theirs.write_bytes(content)
    theirs.chmod(mode)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "")  # put back afterwards

    keep_token(tmp_path / "run")

    theirs.chmod(0o600)
    assert theirs.read_bytes() == content
    assert os.environ["RAY_AUTH_TOKEN_PATH"] == str(tmp_path / "run" / "auth_token")


def test_without_a_home_the_token_is_in_the_folder_that_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", "")  # put back afterwards

    keep_token(tmp_path / "run")

    assert os.environ["RAY_AUTH_TOKEN_PATH"] == str(tmp_path / "run" / "auth_token")
    assert has_token()


GROUP = f"the group {grp.getgrgid(os.getgid()).gr_name}"


@pytest.fixture
def passed_by_all() -> Iterator[Path]:
    """A folder, whose parents every user can pass."""
    with tempfile.TemporaryDirectory(dir=Path(os.sep, "tmp")) as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    ("folder_mode", "mode", "readers"),
    [
        (0o755, 0o600, ""),
        (0o755, 0o640, GROUP),
        (0o755, 0o644, "other users"),
        (0o750, 0o644, GROUP),
        (0o710, 0o604, ""),  # the group passes, and only others can read
        (0o701, 0o640, ""),  # and the other way round
    ],
)
def test_who_else_can_read_it_is_told(
    passed_by_all: Path,
    monkeypatch: pytest.MonkeyPatch,
    folder_mode: int,
    mode: int,
    readers: str,
) -> None:
    path = passed_by_all / "auth_token"
    path.write_text("abc")
    path.chmod(mode)
    passed_by_all.chmod(folder_mode)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(path))

    assert open_to_others() == ((str(path), readers) if readers else ("", ""))


def test_in_a_folder_that_others_cannot_enter_it_is_not_open(home: Path) -> None:
    (home / ".ray").mkdir(mode=0o700)
    (home / ".ray" / "auth_token").touch(0o644)

    assert open_to_others() == ("", "")
