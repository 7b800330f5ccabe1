"""Has a segment built by a process of its own: it takes long, and much memory for that time.

Used by `cluster.memory.cache.node_segments`. The process gets what it needs through its standard
input and knows nothing of the store; it ends with its starter.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO

from cluster.memory.cache.segment_meta import SegmentMeta
from cluster.memory.child_process import start_child
from cluster.memory.knowledge.side_thread import in_side_thread
from cluster.memory.namespaces.port import Namespaces, SourceEntry

DOCUMENTS_PER_READ = 64
BUILD_S_MAX = 3_600.0
"""Some million passages take less; what takes longer hangs."""


class BuildFailed(Exception):
    """A segment couldn't be built; the namespace is searched without it."""


async def build_segment(
    root: Path, meta: SegmentMeta, entries: Sequence[SourceEntry], namespaces: Namespaces
) -> None:
    """Build a segment of some entries of a namespace; takes half a second per 1,000 passages.

    Args:
        root: the namespace's folder, whose lock the caller holds.
        meta: what it is of.
        entries: live ones, ascending by version.
        namespaces: where their documents are.

    Raises:
        BuildFailed: the disk is full, a document is gone or broken, or the process was killed.
        StoreUnavailable: the store does not answer.
    """
    try:
        child = await _started(root)
    except OSError as error:
        raise BuildFailed(f"no process can be started to build an index: {error}") from error
    try:
        async with asyncio.timeout(BUILD_S_MAX):
            await in_side_thread(_send, child, json.dumps(asdict(meta)).encode() + b"\n")
            for at in range(0, len(entries), DOCUMENTS_PER_READ):
                some = entries[at : at + DOCUMENTS_PER_READ]
                stored = await namespaces.documents([each.document for each in some])
                await in_side_thread(_send, child, _framed(some, stored))
            reply = await in_side_thread(_ended, child)
    except TimeoutError as error:
        raise BuildFailed(f"an index of {meta.namespace} took over {BUILD_S_MAX:g} s") from error
    finally:
        await in_side_thread(_end, child)
    if "folder" not in reply:
        raise BuildFailed(f"an index of {meta.namespace} can't be built: {reply.get('trouble')}")


async def _started(root: Path) -> subprocess.Popen[bytes]:
    module = "cluster.memory.cache.build_child"
    starting = asyncio.ensure_future(in_side_thread(start_child, module, str(root)))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # It starts all the same, and nobody else would end it.
        await in_side_thread(_end, await starting)
        raise


def _framed(entries: Sequence[SourceEntry], stored: Sequence[bytes | None]) -> bytes:
    parts = []
    for entry, document in zip(entries, stored, strict=True):
        if document is None:
            raise BuildFailed("a document was replaced or forgotten while an index was built of it")
        head = {
            "key": entry.key,
            "version": entry.version,
            "document": entry.document,
            "sizes": [len(entry.record), len(document)],
        }
        parts += [json.dumps(head).encode(), b"\n", entry.record, document]
    return b"".join(parts)


def _send(child: subprocess.Popen[bytes], data: bytes) -> None:
    assert child.stdin is not None
    with suppress(OSError):  # it has ended, and its reply says why
        child.stdin.write(data)


def _ended(child: subprocess.Popen[bytes]) -> Mapping[str, str]:
    assert child.stdin is not None
    assert child.stdout is not None
    with suppress(OSError):
        child.stdin.write(b"null\n")
        child.stdin.close()
    try:
        reply: Mapping[str, str] = json.loads(child.stdout.readline())
    except ValueError:
        return {"trouble": "the process that builds it was killed: has the machine memory left?"}
    return reply


def _end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    pipes: tuple[IO[bytes] | None, ...] = (child.stdin, child.stdout)
    for pipe in pipes:
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
