"""Judges the knowledge campaign: the store by what the writers noted, the caches by the store."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cluster.memory.cache.puts import Put
from cluster.memory.knowledge.vectors import Vectors, cosines
from cluster.memory.knowledge.wire import record_from_bytes
from cluster.memory.namespaces.digest import DIGEST_MODULUS, entry_digest
from cluster.memory.namespaces.port import SourceEntry, document_key
from cluster.memory.namespaces.redis import RedisNamespaces
from cluster.memory.store.redis import RedisStore
from tests.chaos.figures import Figures
from tests.chaos.knowledge_ledger import (
    DIMENSIONS,
    NAMESPACES,
    K,
    found_path,
    queries,
    read_ledgers,
)
from tests.chaos.source_judge import judge_sources

RECALL_MIN = 0.95
_SAME = 1e-6
_PER_READ = 500
_LOOKS_MAX = 5
"""So often the store is judged again, since it was written to meanwhile."""

# KEYS: beginning of the documents' keys. ARGV: documents. Returns how long each is kept in
# milliseconds, -1 for ever.
_KEPT = """
local kept = {}
for i, document in ipairs(ARGV) do kept[i] = redis.call('PTTL', KEYS[1] .. document) end
return kept
"""
_COUNTED = "return redis.call('HGETALL', KEYS[1])"


@dataclass(slots=True)
class Scan:
    """A namespace as the store has it."""

    version: int
    digest: int | None
    entries: list[SourceEntry]
    places: dict[tuple[int, int], int] = field(default_factory=dict)
    """Where each passage is, by the version of its put and its number there."""
    scores: Any = None
    """float32[queries, passages]: the cosines of all with all."""
    best: list[list[float]] = field(default_factory=list)
    """Of each query the best of them, best first."""

    @property
    def live(self) -> list[SourceEntry]:
        """What is put."""
        return [each for each in self.entries if each.document]


async def judge_knowledge(
    folder: Path, redis_url: str, hosts: Sequence[str], figures: Figures
) -> None:
    """Count what the store and the caches of a cluster have that they shouldn't, or haven't."""
    store = await RedisStore.connect(redis_url)
    try:
        scans = await judge_store(store, figures)
    finally:
        await store.close()
    there = {
        (name, each.key): record_from_bytes(each.record).path.removeprefix("/")
        for name, scan in scans.items()
        for each in scan.live
    }
    judge_sources(read_ledgers(folder), there, figures)
    for host in hosts:
        path = found_path(folder, host)
        told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        for name, scan in scans.items():
            _judge_cache(f"{host}, {name}", told.get(name, {}), scan, figures)


async def judge_store(store: RedisStore, figures: Figures) -> dict[str, Scan]:
    """Judge the store while nobody writes: what a killed writer had sent may come late."""
    namespaces = RedisNamespaces(store)
    for _ in range(_LOOKS_MAX):
        seen = Figures(figures.scenario, figures.seed)
        before = await namespaces.heads(NAMESPACES)
        scans = {name: await _scan(namespaces, name, seen) for name in NAMESPACES}
        await _judge_documents(store, scans, seen)
        after = await namespaces.heads(NAMESPACES)
        if after == before:
            break
        moved = [name for name in NAMESPACES if after[name] != before[name]]
        figures.note(f"somebody wrote to {', '.join(moved)} while the store was judged")
    figures.add(seen)
    return scans


async def _scan(namespaces: RedisNamespaces, name: str, figures: Figures) -> Scan:
    log = await namespaces.entries(name)
    scan = Scan(log.version, log.digest, log.entries)
    rows: list[Vectors] = [np.empty((0, DIMENSIONS), np.float32)]
    for at in range(0, len(scan.live), _PER_READ):
        some = scan.live[at : at + _PER_READ]
        for entry, data in zip(
            some, await namespaces.documents([each.document for each in some]), strict=True
        ):
            if data is None:
                figures.lost += 1
                figures.note(f"{name}: the document of {entry.key} is not in the store")
                continue
            rows.append(Put.of(entry, data).vectors)
            first = len(scan.places)
            numbers = range(len(rows[-1]))
            scan.places.update({(entry.version, each): first + each for each in numbers})
    if log.digest not in {None, _digest(scan.live)}:
        figures.diverged += 1
        figures.note(f"{name}: the store's digest is not that of its entries")
    scan.scores = np.stack([cosines(np.concatenate(rows), each) for each in queries()])
    scan.best = (-np.sort(-scan.scores, axis=1))[:, :K].tolist()
    return scan


def _digest(entries: Sequence[SourceEntry]) -> int:
    digests = (entry_digest(each.key, each.version, each.document) for each in entries)
    return sum(digests) % DIGEST_MODULUS


async def _judge_documents(store: RedisStore, scans: Mapping[str, Scan], figures: Figures) -> None:
    """What is named is kept for ever, what isn't has a time to go."""
    named = Counter(each.document for scan in scans.values() for each in scan.live)
    prefix = document_key("")
    there = [key.removeprefix(prefix) for key in await store.items(prefix)]
    told: list[tuple[str, int]] = []
    for at in range(0, len(there), _PER_READ):
        some = there[at : at + _PER_READ]
        told += zip(some, await store.run_script(_KEPT, [f"key:{prefix}"], some), strict=True)
    counted = await store.run_script(_COUNTED, ["knowledge:counts"], [])
    counts = dict(zip(map(bytes.decode, counted[::2]), map(int, counted[1::2]), strict=True))
    left = [document for document, kept in told if kept == -1 and document not in named]
    doomed = [document for document, kept in told if kept >= 0 and document in named]
    figures.leaked += len(left) + (counts != named)
    figures.lost += len(doomed)
    if left or doomed or counts != named:
        figures.note(
            f"{len(left)} documents stay for ever that nothing names, {len(doomed)} go that"
            f" something names, {len(counts)} are counted where {len(named)} are named"
        )


def _judge_cache(where: str, told: Mapping[str, Any], scan: Scan, figures: Figures) -> None:
    """A cache has the entries of the store, and the same is nearest in both."""
    if not scan.version:
        return
    has = [tuple(each) for each in told.get("sources", ())]
    wanted = sorted((each.key, each.version, each.document) for each in scan.live)
    is_there = (told.get("version"), told.get("digest")) == (scan.version, scan.digest)
    if has != wanted or not is_there:
        figures.diverged += 1
        figures.note(
            f"{where}: at {told.get('version')} with {len(has)} sources, the store at"
            f" {scan.version} with {len(wanted)}; {len(set(has) ^ set(wanted))} differ"
        )
        return
    differing = _differing(told["best"], scan)
    figures.diverged += differing
    if differing:
        figures.note(f"{where}: {differing} of {len(queries())} vectors have other neighbours")
    recall = _recall(told["near"], scan)
    if recall < RECALL_MIN:
        figures.diverged += 1
        figures.note(f"{where}: its index finds {recall:.3f} of what is nearest")


def _differing(told: Sequence[Sequence[Sequence[float]]], scan: Scan) -> int:
    """Count the vectors whose nearest passages are others; of equal cosines any may come first."""
    differing = 0
    for scores, least, best in zip(scan.scores, scan.best, told, strict=True):
        rows = [scan.places.get((int(version), int(number)), -1) for _, version, number in best]
        has = [float(scores[row]) if row >= 0 else -2.0 for row in rows]
        said = [each[0] for each in best]
        is_equal = len(has) == len(least) and np.allclose([has, said], least, rtol=0, atol=_SAME)
        differing += not is_equal
    return differing


def _recall(near: Sequence[Sequence[float]], scan: Scan) -> float:
    """Return the share of the passages that a cache finds by its index which are the nearest."""
    found = sum(
        sum(score >= least[-1] - _SAME for score in scores)
        for scores, least in zip(near, scan.best, strict=True)
    )
    return found / max(1, sum(map(len, scan.best)))
