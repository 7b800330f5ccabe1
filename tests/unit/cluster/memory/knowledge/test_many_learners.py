"""Many who learn and forget at once, over a store that loses replies and applies late."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from cluster.kernel.errors import StoreUnavailable
from cluster.memory.knowledge.catalog import read_catalog
from cluster.memory.knowledge.forgetting import forget
from cluster.memory.knowledge.learning import learn
from cluster.memory.knowledge.names import LEARNED
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.namespaces.port import (
    NO_DOCUMENTS,
    UNNAMED_KEPT_S,
    Applied,
    SourceChange,
    document_key,
)
from cluster.memory.store.local import LocalStore
from tests.support.clock import ManualClock
from tests.support.hashing_embedder import HashingEmbedder

WORDS = ("heap", "tree", "sort", "list")
FORGETTING_SHARE = 0.3


class UnreliableNamespaces(LocalNamespaces):
    """Refuses, loses replies, and applies again later what was applied already."""

    def __init__(self, rng: random.Random) -> None:
        self.clock = ManualClock()
        self.store = LocalStore(self.clock)
        super().__init__(self.store, self.clock)
        self.random = rng
        self.is_reliable = False
        self._sent: list[tuple[str, Sequence[SourceChange], Mapping[str, bytes]]] = []

    async def apply(
        self,
        name: str,
        changes: Sequence[SourceChange],
        *,
        documents: Mapping[str, bytes] = NO_DOCUMENTS,
        kept_s: float = UNNAMED_KEPT_S,
    ) -> Applied:
        await asyncio.sleep(0)
        self._sent.append((name, changes, documents))
        if self.is_reliable:
            return await super().apply(name, changes, documents=documents, kept_s=kept_s)
        outcome = self.random.random()
        if outcome < 0.1:
            raise StoreUnavailable("nothing came of it")
        if outcome < 0.3:
            late, again, with_documents = self.random.choice(self._sent)
            await super().apply(late, again, documents=with_documents, kept_s=kept_s)
        applied = await super().apply(name, changes, documents=documents, kept_s=kept_s)
        if outcome > 0.9:
            raise StoreUnavailable("its reply was lost")
        return applied


class Learners:
    """Who change files, learn folders and forget files, until all comes to rest."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.namespaces = UnreliableNamespaces(self.random)
        self.folder = folder
        self.written_at = 1_000_000_000

    def change(self) -> None:
        """Write or remove a file."""
        path = self.folder / self.random.choice("xy") / f"{self.random.choice('abc')}.md"
        path.parent.mkdir(exist_ok=True)
        if self.random.random() < 0.3:
            path.unlink(missing_ok=True)
            return
        path.write_text(" ".join(self.random.choices(WORDS, k=3)))
        self.written_at += 1
        os.utime(path, (self.written_at, self.written_at))

    async def learn(self) -> None:
        """Read one folder or all, as often as it takes for the store to answer."""
        paths = [self.folder / self.random.choice(("x", "y", ""))]
        with suppress(StoreUnavailable):
            await learn(self.namespaces, paths, embedder=HashingEmbedder(), name=LEARNED)

    async def forget(self) -> None:
        """Forget everything, which the files that are still there undo with the next learning."""
        with suppress(StoreUnavailable):
            await forget(self.namespaces, None)

    @property
    def files(self) -> list[str]:
        """The files there are."""
        return sorted(str(path) for path in self.folder.rglob("*.md"))


async def sources(namespaces: LocalNamespaces) -> dict[str, str]:
    """The document of each file that the namespace has."""
    catalog = await read_catalog(namespaces, LEARNED)
    return {each.record.path: each.document for each in catalog.sources.values()}


@pytest.mark.parametrize("seed", range(20))
async def test_when_all_rest_a_namespace_is_what_the_files_say(tmp_path: Path, seed: int) -> None:
    for folder in "xy":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "always.md").write_text("always here")
    learners = Learners(tmp_path, seed)
    for _ in range(6):
        learners.change()
        forgetting = [learners.forget()] if learners.random.random() < FORGETTING_SHARE else []
        await asyncio.gather(*(learners.learn() for _ in range(3)), *forgetting)
    namespaces, fresh = learners.namespaces, UnreliableNamespaces(random.Random(seed))
    namespaces.is_reliable = fresh.is_reliable = True

    for each in (namespaces, fresh):
        await learn(each, [tmp_path], embedder=HashingEmbedder(), name=LEARNED)

    learned = await sources(namespaces)
    assert sorted(learned) == learners.files
    assert learned == await sources(fresh)
    namespaces.clock.advance(UNNAMED_KEPT_S)
    stored = await namespaces.store.items(document_key(""))
    assert stored.keys() == {document_key(document) for document in learned.values()}
