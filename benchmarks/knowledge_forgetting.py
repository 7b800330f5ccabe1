"""How long what was forgotten is still found on another host, and its bytes lie on the disk.

A part of `benchmarks.bench_knowledge`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from benchmarks.harness import Figure, Goal, percentile, sample_figure
from benchmarks.knowledge_host import HostProcess
from cluster.memory.cache.segments import namespace_folder
from cluster.memory.knowledge.wire import document_from_bytes
from cluster.memory.namespaces.port import SourceChange, SourceEntry
from cluster.memory.namespaces.redis import RedisNamespaces

FORGET_GOAL = Goal("<=", 1_000.0)
BYTES_GOAL = Goal("<=", 60.0)
FORGOTTEN = 100
_GIVES_UP_S = 180.0
_LOOK_S = 0.1


async def forgetting(
    namespaces: RedisNamespaces, url: str, folder: Path, embedder: str, size: int
) -> list[Figure]:
    """Forget sources of the segment one by one, then wait until the bytes of the last are gone.

    Args:
        namespaces: with a namespace `bench`.
        url: of their store.
        folder: the node's cache, whose segment has them.
        embedder: name of that which made the vectors.
        size: passages, for the names of the figures.
    """
    log = await namespaces.entries("bench")
    sources = [each for each in log.entries if each.document][:FORGOTTEN]
    text = _text_of(await _document(namespaces, sources[-1]))
    async with HostProcess.started(url, folder, f"bench@{log.version}") as host:
        delays = await _forget(namespaces, sources, log.version, host)
        forgotten_at = time.monotonic()
        root = namespace_folder(folder, "bench", embedder)
        segment_s, store_s = await asyncio.gather(
            _gone_s(forgotten_at, lambda: asyncio.to_thread(_holds, root, text)),
            _gone_s(forgotten_at, lambda: _is_stored(namespaces, sources[-1])),
        )
    worst = percentile(delays, 0.99)
    return [
        sample_figure(f"cache.forget_ms_{size}", "ms", delays, note="not found on another host"),
        Figure(
            f"cache.forget_p99_ms_{size}", worst, "ms", goal=str(FORGET_GOAL), n=len(delays),
            note=FORGET_GOAL.verdict(worst, worst),
        ),
        _seconds(f"cache.forget_segment_s_{size}", segment_s),
        _seconds(f"cache.forget_store_s_{size}", store_s),
    ]  # fmt: skip


async def _forget(
    namespaces: RedisNamespaces, sources: Sequence[SourceEntry], base: int, host: HostProcess
) -> list[float]:
    """Forget each of some sources; return after how many ms the host has it no more."""
    began: dict[int, float] = {}
    for each in sources:
        at = time.monotonic()
        version = (await namespaces.apply("bench", [SourceChange(each.key, base)])).version
        began[version] = at
        await asyncio.sleep(0.02)
    seen = await host.seen(max(began))
    return [(seen[version] - at) * 1_000 for version, at in began.items()]


async def _document(namespaces: RedisNamespaces, source: SourceEntry) -> bytes:
    (data,) = await namespaces.documents([source.document])
    assert data is not None
    return data


def _text_of(document: bytes) -> bytes:
    """Return some bytes of a document's first passage: documents and segments have them as is."""
    return max(document_from_bytes(document).chunks[0].text.splitlines(), key=len).encode()


def _holds(root: Path, text: bytes) -> bool:
    """Say whether a file of a node's segments has a text."""
    return any(text in path.read_bytes() for path in root.glob("segment-*/records.bin"))


async def _is_stored(namespaces: RedisNamespaces, source: SourceEntry) -> bool:
    return await namespaces.documents([source.document]) != [None]


async def _gone_s(since: float, is_there: Callable[[], Awaitable[bool]]) -> float:
    """Return how long something was there yet."""
    while await is_there() and time.monotonic() - since < _GIVES_UP_S:  # noqa: ASYNC110 - no event
        await asyncio.sleep(_LOOK_S)
    return time.monotonic() - since


def _seconds(name: str, value: float) -> Figure:
    return Figure(
        name, value, "s", goal=str(BYTES_GOAL), n=1, note=BYTES_GOAL.verdict(value, value)
    )
