"""Takes the texts of what was forgotten out of a segment, in a fraction of a second.

Used by `cluster.memory.cache.node_segments` before a segment is built anew, which takes as long as
its passages are many. Readers may be in the middle of a text, so no byte is changed under them: the
files with other things become files of another segment by a second name, the texts are copied.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from cluster.memory.cache.segment_meta import META, RECORDS, UNFINISHED, SegmentMeta, checked, sync

_NAME_PARTS: Final = 3
"""Of a segment that was built: what it is, version, digest. Another one counts the scrubbings."""


def scrub(before: Path, meta: SegmentMeta, spans: Mapping[int, tuple[int, int]]) -> Path:
    """Write a segment that comes after another one and has not the texts of some puts.

    The caller holds the lock of the folder, and removes what was before.

    Args:
        before: the segment.
        meta: what it is of.
        spans: where the puts have their texts in the file of texts, by their versions.

    Raises:
        OSError: the disk is full, or the folder can't be written to.
    """
    root = before.parent
    folder = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=root))
    try:
        for name in meta.checks:
            if name != RECORDS:
                os.link(before / name, folder / name)
        shutil.copyfile(before / RECORDS, folder / RECORDS)
        _blank(folder / RECORDS, spans.values())
        checks = {**meta.checks, RECORDS: checked(folder / RECORDS)}
        blanked = tuple(sorted({*meta.blanked, *spans}))
        finished = replace(meta, checks=checks, blanked=blanked)
        (folder / META).write_text(finished.to_json(), encoding="utf-8")
        sync([folder / RECORDS, folder / META, folder])
        final = root / _next_name(before.name)
        folder.rename(final)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return final


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
