"""Which version's data a server starts with, and what is said of those it hasn't got."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.store import versions
from cluster.memory.store.versions import data_folder


def data_of(slot: Path, major: int, text: str, at_s: float) -> Path:
    """Leave data as the server of a version does."""
    folder = slot / f"redis-{major}" / "appendonlydir"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "file").write_text(text, encoding="utf-8")
    os.utime(folder / "file", (at_s, at_s))
    return folder / "file"


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_first_server_starts_with_nothing(tmp_path: Path) -> None:
    folder, note = data_folder(tmp_path, 7)

    assert (folder, names_in(folder), note) == (tmp_path / "redis-7", ["taken-over"], "")


def test_a_newer_server_takes_over_a_copy_of_what_the_older_one_left(tmp_path: Path) -> None:
    left = data_of(tmp_path, 6, "learned", 1_000.0)

    folder, note = data_folder(tmp_path, 7)

    assert (folder / "appendonlydir" / "file").read_text(encoding="utf-8") == "learned"
    assert left.read_text(encoding="utf-8") == "learned"
    assert note == ""


def test_of_several_older_ones_it_is_the_one_that_was_run_last(tmp_path: Path) -> None:
    data_of(tmp_path, 6, "later", 2_000.0)
    data_of(tmp_path, 7, "sooner", 1_000.0)

    folder, note = data_folder(tmp_path, 8)

    assert (folder / "appendonlydir" / "file").read_text(encoding="utf-8") == "later"
    assert note == ""


def test_a_server_that_has_data_keeps_them(tmp_path: Path) -> None:
    data_of(tmp_path, 6, "before", 1_000.0)
    own = data_of(tmp_path, 7, "own", 2_000.0)

    assert data_folder(tmp_path, 7) == (tmp_path / "redis-7", "")
    assert own.read_text(encoding="utf-8") == "own"


def test_what_a_newer_one_has_learned_is_said_to_be_there(tmp_path: Path) -> None:
    data_of(tmp_path, 6, "before", 1_000.0)
    data_of(tmp_path, 7, "later", 2_000.0)

    _, note = data_folder(tmp_path, 6)

    assert note == (
        "the store was run by Redis 7 too, and what it learned then is not known to Redis 6: put a "
        f"redis-server of version 7 on PATH, or move {tmp_path / 'redis-7'} away to go on without"
    )


def test_what_an_older_one_has_learned_beside_our_own_is_said_to_be_there(tmp_path: Path) -> None:
    data_of(tmp_path, 7, "own", 1_000.0)
    data_of(tmp_path, 6, "beside", 2_000.0)

    folder, note = data_folder(tmp_path, 7)

    assert (folder / "appendonlydir" / "file").read_text(encoding="utf-8") == "own"
    assert note.startswith("the store was run by Redis 6 too, ")
    assert f": move {folder} away to go on with them, or move {tmp_path / 'redis-6'} " in note


def test_it_is_said_as_long_as_they_are_there(tmp_path: Path) -> None:
    data_of(tmp_path, 6, "before", 1_000.0)
    data_folder(tmp_path, 7)
    data_of(tmp_path, 6, "beside", 2_000.0)
    data_of(tmp_path, 7, "own", 3_000.0)

    notes = {data_folder(tmp_path, 7)[1] for _ in range(2)}

    assert len(notes) == 1
    assert "what it learned then is not known to Redis 7" in notes.pop()


def test_what_was_taken_over_is_known_however_old_it_gets(tmp_path: Path) -> None:
    data_of(tmp_path, 6, "before", 1_000.0)
    data_folder(tmp_path, 7)
    data_of(tmp_path, 7, "own", 3_000.0)

    assert data_folder(tmp_path, 7)[1] == ""


@pytest.mark.parametrize("is_there", [True, False])
def test_the_folder_may_be_a_link(tmp_path: Path, *, is_there: bool) -> None:
    data_of(slot := tmp_path / "slot", 6, "learned", 1_000.0)
    disk = tmp_path / "disk"
    disk.mkdir()
    if is_there:
        (disk / "data").mkdir()
    (slot / "redis-7").symlink_to(disk / "data")

    folder, _ = data_folder(slot, 7)

    assert folder.is_symlink()
    assert (disk / "data" / "appendonlydir" / "file").read_text(encoding="utf-8") == "learned"


def test_a_link_that_leads_to_itself_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "redis-7").symlink_to(tmp_path / "redis-7")

    with pytest.raises(OSError, match=r"File exists|symbolic links"):
        data_folder(tmp_path, 7)


@pytest.mark.parametrize("name", ["redis-old", "redis-", "redis-7a"])
def test_other_folders_and_those_without_data_are_nobodys(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "file").write_text("x", encoding="utf-8")
    data_of(tmp_path, 6, "", 1_000.0)

    assert names_in(data_folder(tmp_path, 7)[0]) == ["taken-over"]


def test_data_that_cannot_be_copied_are_said_to_be_there_and_nothing_is_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_of(tmp_path, 6, "learned", 1_000.0)

    def fails(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(versions, "_sync", fails)
    with pytest.raises(StoreUnavailable, match=r"redis-6\) can't be copied .*No space left"):
        data_folder(tmp_path, 7)

    assert [path.name for path in tmp_path.iterdir()] == ["redis-6"]


def test_what_a_killed_copy_has_left_is_removed(tmp_path: Path) -> None:
    data_of(tmp_path, 6, "learned", 1_000.0)
    (tmp_path / ".redis-draft").mkdir()

    data_folder(tmp_path, 7)

    assert not (tmp_path / ".redis-draft").exists()
