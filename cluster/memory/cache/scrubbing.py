"""Takes the texts of what was forgotten out of a segment, in a fraction of a second.

Used by `cluster.memory.cache.node_segments` before a segment is built anew, which takes as long as
its passages are many. Readers may be in the middle of a text, so no byte is changed under them: the
files with other things become files of another segment by a second name, the texts are copied.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from cluster.memory.cache.segment import RECORDS, Segment, checked
from cluster.memory.cache.segment_meta import META
from cluster.memory.cache.segments import UNFINISHED, newest_segment, remove_segments, sync

_NAME_PARTS: Final = 3
"""Of a segment that was built: what it is, version, digest. Another one counts the scrubbings."""


def scrub(segment: Segment, dead: Iterable[int]) -> bool:
    """Replace a segment by one without the texts of some puts, given by their versions.

    The caller holds the lock of its folder. False where there is nothing to take out, or another
    segment has taken its place.

    Raises:
        OSError: the disk is full, or the folder can't be written to.
    """
    root = segment.folder.parent
    spans = {put: span for put, span in segment.text_spans(dead).items() if segment.has_text(*span)}
    if not spans or newest_segment(root) != segment.folder:
        return False
    folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=root))
    try:
        for name in segment.meta.checks:
            if name != RECORDS:
                os.link(segment.folder / name, folder / name)
        shutil.copyfile(segment.folder / RECORDS, folder / RECORDS)
        _blank(folder / RECORDS, spans.values())
        checks = {**segment.meta.checks, RECORDS: checked(folder / RECORDS)}
        blanked = tuple(sorted({*segment.meta.blanked, *spans}))
        meta = replace(segment.meta, checks=checks, blanked=blanked)
        (folder / META).write_text(meta.to_json(), encoding="utf-8")
        sync([folder / RECORDS, folder / META, folder])
        final = root / _next_name(segment.folder.name)
        folder.rename(final)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    remove_segments(root, final)
    return True


def _blank(path: Path, spans: Iterable[tuple[int, int]]) -> None:
    with path.open("r+b") as file:
        for start, end in spans:
            file.seek(start)
            file.write(bytes(end - start))


def _next_name(name: str) -> str:
    """Return a name that comes after that of the segment, and before those of later versions."""
    built, count = _split(name)
    return f"{built}-{count + 1:06d}"


def _split(name: str) -> tuple[str, int]:
    parts: Iterator[str] = iter(name.split("-"))
    built = "-".join(next(parts) for _ in range(_NAME_PARTS))
    return built, int(next(parts, "0"))
