"""Which segments lie on a node, which is the newest, and who may remove one."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.memory.cache.segment_meta import BrokenSegment, SegmentMeta
from cluster.memory.cache.segments import (
    build_lock,
    left_segments,
    newest_segment,
    remove_unused,
    segments_folder,
)
from tests.support.puts import segment_of, text_put

META = SegmentMeta("docs", 7, 1, "e", 2, passages=1, sources=1, checks={"a": (3, 4)})


def test_the_newest_has_the_highest_version(tmp_path: Path) -> None:
    assert newest_segment(tmp_path) is None
    for version in (9, 10):
        (tmp_path / f"segment-{version:016d}-0").mkdir()

    newest = newest_segment(tmp_path)

    assert newest is not None
    assert newest.name == "segment-0000000000000010-0"


def test_one_process_at_a_time_has_the_lock(tmp_path: Path) -> None:
    with build_lock(tmp_path / "n") as is_ours, build_lock(tmp_path / "n") as is_theirs:
        assert (is_ours, is_theirs) == (True, False)
    with build_lock(tmp_path / "n") as is_free:
        assert is_free


def test_what_lies_on_the_disk_is_told_with_its_version(tmp_path: Path) -> None:
    folder = tmp_path / "n" / "segment-1-0"
    folder.mkdir(parents=True)
    (folder / "segment.json").write_text(META.to_json())
    (tmp_path / "other").mkdir()

    assert left_segments(tmp_path) == [(folder, "docs", 7)]


def test_a_segment_that_a_process_has_open_is_not_removed_as_unused(tmp_path: Path) -> None:
    segment = segment_of(tmp_path, [text_put(1, "text")])
    folder = segment.folder

    remove_unused(folder)
    assert folder.exists()
    del segment
    remove_unused(folder)
    assert not folder.exists()


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", META.to_json().replace('"format": 1', '"format": 2')]
)
def test_what_says_something_else_is_no_segment(text: str) -> None:
    assert SegmentMeta.from_json(META.to_json()) == META
    with pytest.raises(BrokenSegment):
        SegmentMeta.from_json(text)


def test_stores_have_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    one, two = segments_folder("", "a"), segments_folder("", "b")

    assert one.parent == two.parent == tmp_path / "fleetmind"
    assert one != two
    assert segments_folder("/elsewhere", "a").parent == Path("/elsewhere")
