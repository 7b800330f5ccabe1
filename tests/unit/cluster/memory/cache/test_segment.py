"""What is written to a segment is read from it; what is damaged is no segment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cluster.memory.cache.building import write_segment
from cluster.memory.cache.filters import EVERYTHING
from cluster.memory.cache.puts import Put
from cluster.memory.cache.segment import EXACT_ROWS_MAX, Segment, SegmentPart
from cluster.memory.cache.segment_meta import META, BrokenSegment, SegmentMeta
from cluster.memory.knowledge.records import Chunk
from cluster.memory.knowledge.vectors import unit
from tests.support.puts import put, segment_of, text_put


def test_its_sources_are_found_by_key_and_by_version(tmp_path: Path) -> None:
    puts = [text_put(at, f"text {at}") for at in (2, 5, 9)]
    sources = segment_of(tmp_path, puts).sources

    assert [sources.find(each.key) for each in puts] == [
        (each.version, each.document) for each in puts
    ]
    assert sources.find("0" * 32) is None
    assert [sources.put_of_version(each) for each in (1, 2, 5, 9, 10)] == [None, 0, 1, 2, None]


def test_its_passages_are_what_was_written(tmp_path: Path) -> None:
    chunk = Chunk(3, 4, "x < y\nz", "code", "Title", "context", (2, 5), 7)
    segment = segment_of(tmp_path, [text_put(1, "first"), put(2, chunk, source="b.py")])
    part = SegmentPart(segment)

    origin = part.origin(1)
    found = part.passage(1, origin.source, origin.document, 0.5)

    assert (origin.version, origin.source, origin.path) == (2, "b.py", "/srv/2/b.py")
    assert (found.text, found.kind, found.title) == ("x < y\nz", "code", "Title")
    assert (found.start_line, found.end_line, found.breaks, found.page) == (3, 4, (2, 5), 7)


def test_a_graph_finds_what_comparing_all_finds(tmp_path: Path) -> None:
    count = EXACT_ROWS_MAX + 500
    vectors = unit(np.random.default_rng(1).standard_normal((count, 8)).astype(np.float32))
    puts = [
        put(at, Chunk(1, 1, f"t{at}"), vectors=vectors[at - 1 : at]) for at in range(1, count + 1)
    ]
    part = SegmentPart(segment_of(tmp_path, puts))

    allowed = part.allowed(EVERYTHING)
    hits = 0
    for vector in vectors[:50]:
        near = part.near(vector, 8, allowed)
        best = near[np.argsort(-part.cosines(near, vector))[:8]]
        hits += len(np.intersect1d(best, np.argsort(-(vectors @ vector))[:8]))

    assert allowed.rows is None
    assert hits / 400 >= 0.99


def test_what_is_dead_is_no_neighbour_in_the_graph_either(tmp_path: Path) -> None:
    count = EXACT_ROWS_MAX + 500
    vectors = unit(np.random.default_rng(1).standard_normal((count, 8)).astype(np.float32))
    puts = [
        put(at, Chunk(1, 1, f"t{at}"), vectors=vectors[at - 1 : at]) for at in range(1, count + 1)
    ]
    dead = frozenset(range(1, 101))
    part = SegmentPart(segment_of(tmp_path, puts)).without(dead)

    near = part.near(vectors[0], 8, part.allowed(EVERYTHING))

    assert len(near) >= 8
    assert near.min() >= 100


@pytest.mark.parametrize("damage", ["shorter", "other", "missing"])
def test_a_damaged_file_is_noticed_when_it_is_opened(tmp_path: Path, damage: str) -> None:
    folder = segment_of(tmp_path, [text_put(1, "text")]).folder
    victim = folder / "records.bin"
    data = victim.read_bytes()
    if damage == "missing":
        victim.unlink()
    else:
        victim.write_bytes(data[:-1] if damage == "shorter" else data[:-1] + b"!")

    with pytest.raises((BrokenSegment, FileNotFoundError)):
        Segment.open(folder)


def test_a_newer_segment_takes_the_place_of_the_older(tmp_path: Path) -> None:
    older = segment_of(tmp_path, [text_put(1, "old")])
    newer = segment_of(tmp_path, [text_put(2, "new")])

    assert not older.folder.exists()
    assert newer.folder.exists()
    assert SegmentPart(older).passage(0, "s", "d", 1.0).text == "old"  # it is mapped still


def test_a_segment_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def puts() -> Iterator[Put]:
        yield text_put(1, "text")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_segment(tmp_path, SegmentMeta("n", 1, 0, "e", 2, 0, 0, {}), puts())

    assert list(tmp_path.iterdir()) == []


def test_a_segment_of_nothing_can_be_opened(tmp_path: Path) -> None:
    segment = segment_of(tmp_path, [])

    assert len(segment) == 0
    assert segment.sources.find("0" * 32) is None
    assert (segment.folder / META).exists()
