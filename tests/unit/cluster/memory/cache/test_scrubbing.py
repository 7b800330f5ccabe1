"""What was forgotten leaves a segment's files, and nobody who reads them notices."""

from __future__ import annotations

from pathlib import Path

from cluster.memory.cache.scrubbing import scrub
from cluster.memory.cache.segment import Segment, SegmentPart
from cluster.memory.cache.segments import remove_segments
from tests.support.puts import segment_of, text_put


def texts(segment: Segment) -> list[str]:
    """Returns the texts of all that is alive."""
    part = SegmentPart(segment).without(frozenset(segment.meta.blanked))
    rows = [row for row in range(len(segment)) if part.origin(row).version not in part.dead]
    return [part.passage(row, "", "", 0.0).text for row in rows]


def holds(root: Path, text: bytes) -> bool:
    return any(text in path.read_bytes() for path in root.rglob("*") if path.is_file())


def scrubbed(before: Segment, *dead: int) -> Segment:
    after = scrub(before.folder, before.meta, before.text_spans(dead))
    remove_segments(before.folder.parent, after)
    return Segment.open(after)


def test_its_texts_leave_the_files_and_the_others_stay(tmp_path: Path) -> None:
    before = segment_of(tmp_path, [text_put(at, f"text {at}") for at in (2, 5, 9)])

    after = scrubbed(before, 5)

    assert not holds(tmp_path, b"text 5")
    assert texts(after) == ["text 2", "text 9"]
    assert (after.meta.version, after.meta.blanked) == (before.meta.version, (5,))


def test_who_has_the_segment_reads_on(tmp_path: Path) -> None:
    before = segment_of(tmp_path, [text_put(at, f"text {at}") for at in (2, 5)])

    scrubbed(before, 5)

    assert texts(before) == ["text 2", "text 5"]


def test_more_can_be_taken_out_later(tmp_path: Path) -> None:
    before = segment_of(tmp_path, [text_put(at, f"text {at}") for at in (2, 5, 9)])

    after = scrubbed(scrubbed(before, 5), 9)

    assert (texts(after), after.meta.blanked) == (["text 2"], (5, 9))
    assert after.folder.name > before.folder.name


def test_it_is_known_of_what_no_text_is_left(tmp_path: Path) -> None:
    before = segment_of(tmp_path, [text_put(at, f"text {at}") for at in (2, 5)])

    assert before.text_spans([5, 7]).keys() == {5}
    assert scrubbed(before, 5).text_spans([5, 7]) == {}
