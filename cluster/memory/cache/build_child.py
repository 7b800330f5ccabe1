"""The process that builds a segment: what it is sent becomes files, and it says how it ended.

Started by `cluster.memory.cache.builder`. On standard input come a line of JSON with what the
segment is of, then for each source a line of JSON and the bytes of its record and its document; on
standard output goes one line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cluster.kernel.errors import WireError
from cluster.memory.cache.building import write_segment
from cluster.memory.cache.puts import Put
from cluster.memory.cache.segment_meta import SegmentMeta
from cluster.memory.child_process import end_with_starter
from cluster.memory.namespaces.port import SourceEntry

NICENESS = 10
"""The machine's agents come first."""


def main() -> None:
    """Build one segment in the folder that the second argument names."""
    end_with_starter()
    os.nice(NICENESS)
    source = sys.stdin.buffer
    meta = SegmentMeta(**json.loads(source.readline()))
    try:
        folder = write_segment(Path(sys.argv[2]), meta, _puts(source, meta))
        reply = {"folder": str(folder)}
    except OSError as error:
        reply = {"trouble": f"it can't be written: {error.strerror or error}"}
    except WireError as error:
        reply = {"trouble": str(error)}
    sys.stdout.write(json.dumps(reply) + "\n")


def _puts(source: BinaryIO, meta: SegmentMeta) -> Iterator[Put]:
    """Read puts until the line that says that there are no more.

    Raises:
        WireError: the sender has ended before that, or a document is of another embedder.
    """
    while line := source.readline():
        head = json.loads(line)
        if head is None:
            return
        record, document = (_read(source, size) for size in head["sizes"])
        put = Put.of(SourceEntry(head["key"], head["version"], head["document"], record), document)
        if not put.fits(meta.embedder, meta.dimensions):
            raise WireError(f"{put.path!r} was embedded by {put.embedder}, not {meta.embedder}")
        yield put
    raise WireError("the sender has ended")


def _read(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) < size:
        raise WireError("the sender has ended")
    return data


if __name__ == "__main__":
    main()
