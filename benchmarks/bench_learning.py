"""Learning 10,000 small files: for the first time, unchanged, and with one of them changed.

The files are pieces of the standard library's own sources, on an embedded Redis that syncs every
write, in this process: a command takes another third of a second to start.
"""

from __future__ import annotations

import asyncio
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from benchmarks.harness import Figure, Goal, sample_figure
from cluster.memory.knowledge.embedder import WordLlamaEmbedder
from cluster.memory.knowledge.learning import Learned, learn
from cluster.memory.knowledge.names import LEARNED
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore

FILES = 10_000
QUICK_FILES = 1_000
PIECE_CHARS = 1_000
ROUNDS = 7
RELEARN_GOAL = Goal("<=", 2.0)
SETTLING_S = 2.5
"""Until then a file counts as just modified, and is read again."""


def run(*, is_quick: bool = False) -> list[Figure]:
    """Measure; with ``is_quick`` a tenth of the files, and no goal."""
    count = QUICK_FILES if is_quick else FILES
    with tempfile.TemporaryDirectory() as folder:
        docs = Path(folder) / "docs"
        for number, piece in enumerate(islice(pieces(), count)):
            path = docs / f"d{number // 100}" / f"p{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(piece, encoding="utf-8")
        time.sleep(SETTLING_S)
        with EmbeddedRedis(data_root=Path(folder) / "data") as server:
            return asyncio.run(_measure(server.url, docs, count))


def pieces() -> Iterator[str]:
    """Yield runs of whole lines of the standard library, of about `PIECE_CHARS` characters."""
    for path in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        piece = ""
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
            piece += line
            if len(piece) >= PIECE_CHARS:
                yield piece
                piece = ""


async def _measure(url: str, docs: Path, count: int) -> list[Figure]:
    store = await RedisStore.connect(url)
    namespaces = RedisNamespaces(store)
    changed = docs / "d0" / "p0.txt"
    try:
        first_s, learned = await _timed(namespaces, docs)
        unchanged_s = [(await _timed(namespaces, docs))[0] for _ in range(ROUNDS)]
        relearned_s = []
        for number in range(ROUNDS):
            changed.write_text(f"It has changed {number} times.\n", encoding="utf-8")
            relearned_s.append((await _timed(namespaces, docs))[0])
    finally:
        await store.close()
    note = f"{learned.files:,} files with {learned.passages:,} passages"
    goal = RELEARN_GOAL if count == FILES else None
    return [
        Figure("learning.first_s", first_s, "s", n=1, note=note),
        sample_figure("learning.unchanged_s", "s", unchanged_s, note=note),
        sample_figure("cache.relearn_one_of_10k_s", "s", relearned_s, goal, note=note),
    ]


async def _timed(namespaces: RedisNamespaces, docs: Path) -> tuple[float, Learned]:
    """Learn as a command does, which has its own embedder to load."""
    started = time.perf_counter()
    learned = await learn(namespaces, [docs], embedder=WordLlamaEmbedder(), name=LEARNED)
    return time.perf_counter() - started, learned
