"""The user's folders: where they are, and what is said where there can't be one."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.user_folders import make_user_folder, user_folder

DATA = "XDG_DATA_HOME", ".local/share"


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of a container: HOME isn't set, and no entry of the user says it."""

    def no_entry(_: object) -> pwd.struct_passwd:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    for name in ("HOME", DATA[0]):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("nobody")
def test_without_a_home_it_is_said_how_to_set_one() -> None:
    with pytest.raises(UsageError) as caught:
        user_folder(*DATA)

    assert str(caught.value) == (
        f"no home folder is known of user {os.getuid()}: set HOME, or XDG_DATA_HOME, to a folder "
        "that can be written to"
    )


@pytest.mark.usefixtures("nobody")
def test_without_a_home_a_folder_that_is_named_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))

    assert user_folder(*DATA) == tmp_path / "fleetmind"


def test_a_home_that_cannot_be_written_to_is_named_with_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)

    with pytest.raises(UsageError, match=r"file/.* can't be made .*: set HOME, or XDG_DATA_HOME"):
        make_user_folder(*DATA)


def test_a_folder_is_made_for_its_user_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    assert make_user_folder(*DATA).stat().st_mode & 0o777 == 0o700
