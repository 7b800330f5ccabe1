"""Slots: who gets which data folder, and what is left behind."""

from __future__ import annotations

import os
import stat
import tempfile
from functools import partial
from pathlib import Path

import pytest

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.store import slot as slot_module
from cluster.memory.store.slot import check_first_slot, first_data, take_slot


def test_clusters_at_the_same_time_have_different_slots_and_the_lowest_free_one_is_next(
    tmp_path: Path,
) -> None:
    first = take_slot(tmp_path, is_temporary=False, major=6)
    second = take_slot(tmp_path, is_temporary=False, major=6)
    assert first.data_dir == tmp_path / "store-0" / "redis-6"
    assert second.data_dir == tmp_path / "store-1" / "redis-6"
    first.give_back()
    third = take_slot(tmp_path, is_temporary=False, major=7)
    assert third.data_dir == tmp_path / "store-0" / "redis-7"
    second.give_back()
    third.give_back()


def test_a_slot_stays_taken_while_somebody_who_inherited_it_holds_it(tmp_path: Path) -> None:
    slot = take_slot(tmp_path, is_temporary=False, major=6)
    (held,) = slot.inherited_fds
    inherited = os.dup(held)
    slot.give_back()
    assert slot.inherited_fds == ()
    other = take_slot(tmp_path, is_temporary=False, major=6)
    assert other.data_dir.parent.name == "store-1"
    os.close(inherited)
    again = take_slot(tmp_path, is_temporary=False, major=6)
    assert again.data_dir == slot.data_dir
    for taken in (slot, other, again):
        taken.give_back()


def test_data_outlive_a_slot_and_its_run_folder_does_not(tmp_path: Path) -> None:
    slot = take_slot(tmp_path, is_temporary=False, major=6)
    (slot.data_dir / "kept").touch()
    slot.log.touch()
    slot.give_back()
    slot.give_back()
    assert not slot.run_dir.exists()
    assert (slot.data_dir / "kept").exists()


def test_temporary_data_go_with_the_run_folder(tmp_path: Path) -> None:
    slot = take_slot(tmp_path, is_temporary=True, major=6)
    assert slot.data_dir.is_relative_to(slot.run_dir)
    assert slot.inherited_fds == ()
    slot.give_back()
    assert not slot.data_dir.exists()
    assert list(tmp_path.iterdir()) == []


def test_folders_are_for_their_user_alone(tmp_path: Path) -> None:
    slot = take_slot(tmp_path / "new", is_temporary=False, major=6)
    folders = (slot.run_dir, slot.data_dir, slot.data_dir.parent)
    modes = [stat.S_IMODE(folder.stat().st_mode) for folder in folders]
    slot.give_back()
    assert modes == [0o700] * 3


def test_the_socket_path_is_short_even_where_the_temp_folder_is_deep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("deep" * 25)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    slot = take_slot(tmp_path, is_temporary=True, major=6)
    assert len(os.fsencode(slot.socket)) < 104
    assert list(deep.iterdir()) == []
    slot.give_back()


def test_data_lie_in_the_users_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for named, root in (
        (str(tmp_path / "xdg"), tmp_path / "xdg"),
        ("relative", tmp_path / "home" / ".local" / "share"),
        ("", tmp_path / "home" / ".local" / "share"),
    ):
        monkeypatch.setenv("XDG_DATA_HOME", named)
        slot = take_slot(None, is_temporary=False, major=6)
        assert slot.data_dir == root / "fleetmind" / "store-0" / "redis-6"
        slot.give_back()


def test_a_data_folder_that_cannot_be_made_is_named_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match=r"file.*set HOME, or XDG_DATA_HOME"):
        take_slot(tmp_path / "file", is_temporary=False, major=6)


def test_the_folder_of_slots_is_its_users_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        slot = take_slot(tmp_path / "fleetmind", is_temporary=False, major=6)
    finally:
        os.umask(before)
    slot.give_back()

    for folder in (tmp_path / "fleetmind", tmp_path / "fleetmind" / "store-0"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("below", ["", "fleetmind"])
def test_a_slot_that_cannot_be_made_is_found_out_with_the_sentence_of_who_makes_it(
    tmp_path: Path, below: str
) -> None:
    (tmp_path / "file").touch()
    root = tmp_path / "file" / below

    for check in (check_first_slot, partial(take_slot, is_temporary=False, major=7)):
        with pytest.raises(StoreUnavailable, match=r"data \(.*file(/fleetmind)?'\): set HOME"):
            check(root)


@pytest.mark.parametrize("unwritable", ["", "store-0", "store-0/lock"])
def test_a_slot_that_cannot_be_written_to_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unwritable: str
) -> None:
    named = tmp_path / unwritable
    if unwritable:
        (tmp_path / "store-0").mkdir()
        (tmp_path / "store-0" / "lock").touch()
    # As root may write everywhere, the answer is made up.
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != named)

    with pytest.raises(StoreUnavailable, match=rf"written to: '{named}'\): set HOME"):
        check_first_slot(tmp_path)


def test_to_look_whether_a_slot_can_be_made_makes_none(tmp_path: Path) -> None:
    check_first_slot(tmp_path / "share" / "fleetmind")

    assert list(tmp_path.iterdir()) == []


def test_data_that_cannot_be_looked_at_are_said_to_be_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(slot: Path) -> dict[int, float]:
        raise PermissionError(13, "Permission denied", str(slot))

    monkeypatch.setattr(slot_module, "data_times", fails)

    with pytest.raises(StoreUnavailable, match=r"Permission denied: .*store-0'\): set HOME"):
        first_data(tmp_path)
