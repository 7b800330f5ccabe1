"""When a segment is built, and which is the newest."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from cluster.memory.cache.segments import (
    FORGOTTEN_S,
    REST_S,
    SEGMENT_PASSAGES_MIN,
    BrokenSegment,
    SegmentMeta,
    SegmentNeed,
    build_lock,
    left_segments,
    newest_segment,
    segments_folder,
)

META = SegmentMeta("docs", 7, 1, "e", 2, passages=1, sources=1, checks={"a": (3, 4)})


def need(delta: int, *, segment: int = 0, died_at: float = math.inf) -> SegmentNeed:
    return SegmentNeed(segment, delta, -math.inf, died_at)


def test_what_is_little_needs_none() -> None:
    assert not need(SEGMENT_PASSAGES_MIN - 1).is_due(0.0)
    assert need(SEGMENT_PASSAGES_MIN).is_due(0.0)


def test_a_large_one_is_built_anew_for_a_share_of_it() -> None:
    large = 1_000_000

    assert not need(SEGMENT_PASSAGES_MIN, segment=large).is_due(0.0)
    assert need(large // 20, segment=large).is_due(0.0)


def test_what_has_come_waits_for_a_rest_and_what_has_died_does_not() -> None:
    come = SegmentNeed(0, SEGMENT_PASSAGES_MIN, 100.0, math.inf)
    died = SegmentNeed(SEGMENT_PASSAGES_MIN, 0, 100.0, 101.0)

    assert [come.is_due(100.0 + after) for after in (1.0, REST_S)] == [False, True]
    assert [died.is_due(101.0 + after) for after in (1.0, FORGOTTEN_S)] == [False, True]


def test_a_build_that_fails_is_tried_again_after_a_rest() -> None:
    failing = SegmentNeed(SEGMENT_PASSAGES_MIN, 0, 100.0, 0.0, is_failing=True)

    assert [failing.is_due(100.0 + after) for after in (FORGOTTEN_S, REST_S)] == [False, True]


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

    assert left_segments(tmp_path) == {"docs": (tmp_path / "n", 7)}


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", META.to_json().replace('"format": 1', '"format": 2')]
)
def test_what_says_something_else_is_no_segment(text: str) -> None:
    assert SegmentMeta.from_json(META.to_json()) == META
    with pytest.raises(BrokenSegment):
        SegmentMeta.from_json(text)


def test_stores_have_folders_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    one, two = segments_folder("", "redis://a"), segments_folder("", "redis://b")

    assert one.parent == two.parent == tmp_path / "fleetmind"
    assert one != two
    assert segments_folder("/elsewhere", "redis://a").parent == Path("/elsewhere")
