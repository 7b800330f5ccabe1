"""Finds out what has become of what a step saw: shared state and the documents behind passages.

Asked by `cluster.runtime.tasks.step_run` when a result arrives. Waits for the store for a moment
only: a result that can't be checked is accepted, and that is said.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable
from typing import Protocol, TypeVar

from cluster.kernel.errors import ClusterError, WireError
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.reads import DocumentChange, Saw, SeenNamespace, SeenState
from cluster.kernel.tasks.staleness import News, StateNews
from cluster.kernel.tasks.state_news import state_news
from cluster.memory.knowledge.names import cited_name
from cluster.memory.knowledge.wire import record_from_bytes
from cluster.memory.namespaces.port import Namespaces, SourceEntry
from cluster.memory.state.host.documents import Documents

_log = logging.getLogger(__name__)

Found = TypeVar("Found")

CHECK_S = 1.0
"""So long the store may take to say what has changed."""


class Freshness(Protocol):
    """Whoever knows what has changed."""

    async def news(self, saw: Saw, task: TaskId, step: StepId) -> News:
        """Return what has become of what a step saw, but for what it has done itself."""
        ...


class StoreFreshness:
    """As the central store has it.

    Args:
        documents: the host's shared state, None where it has none.
        namespaces: the knowledge.
    """

    def __init__(self, documents: Documents | None, namespaces: Namespaces | None) -> None:
        self._documents = documents
        self._namespaces = namespaces

    async def news(self, saw: Saw, task: TaskId, step: StepId) -> News:
        """Return what has become of what a step saw, but for what it has done itself."""
        cited = [each for each in saw.namespaces if each.sources]
        names = [*(each.document for each in saw.states), *(each.namespace for each in cited)]
        found = await asyncio.gather(
            *(_in_time(self._state(each, task, step)) for each in saw.states),
            *(_in_time(self._sources(each)) for each in cited),
        )
        states = [each for each in found if isinstance(each, StateNews)]
        sources = [change for each in found if isinstance(each, list) for change in each]
        unknown = [name for name, each in zip(names, found, strict=True) if each is None]
        return News(tuple(states), tuple(sources), tuple(unknown))

    async def _state(self, seen: SeenState, task: TaskId, step: StepId) -> StateNews | None:
        if self._documents is None:
            return None
        document = await self._documents.open(seen.document, is_fresh=True)
        return state_news(seen, document.fold, (task, step), is_gone=document.is_deleted)

    async def _sources(self, seen: SeenNamespace) -> list[DocumentChange] | None:
        if self._namespaces is None:
            return None
        newer = await self._namespaces.entries(seen.namespace, seen.version)
        cited = frozenset(each.source for each in seen.sources)
        is_same_log = newer.version >= seen.version
        if is_same_log and not any(_may_concern(entry, cited) for entry in newer.entries):
            return []
        # A source is cited by a name that others may have too: its document tells which it is.
        log = await self._namespaces.entries(seen.namespace)
        live = {entry.document for entry in log.entries}
        lost = [each.source for each in seen.sources if each.document not in live]
        if not lost:
            return []
        present = {name for entry in log.entries if entry.document for name in _names(entry)}
        places: dict[bool, list[str]] = defaultdict(list)
        for source in lost:
            places[source not in present].append(source)
        return [
            DocumentChange(
                seen.namespace, tuple(sources), seen.version, log.version, is_gone=is_gone
            )
            for is_gone, sources in sorted(places.items())
        ]


def _may_concern(entry: SourceEntry, cited: frozenset[str]) -> bool:
    """Say whether an entry may be of a cited source; a removal does not say of which it is."""
    names = _names(entry)
    return not entry.document or not any(names) or not cited.isdisjoint(names)


def _names(entry: SourceEntry) -> tuple[str, str]:
    """Return what citations may call a source: its name, or its path where others have the name."""
    try:
        record = record_from_bytes(entry.record)
    except WireError:
        return "", ""
    path = record.path
    return cited_name(record.source, path), cited_name(path, path)


async def _in_time(work: Awaitable[Found]) -> Found | None:
    """Return what work comes to; None where it fails, or takes too long."""
    try:
        async with asyncio.timeout(CHECK_S):
            return await work
    except (ClusterError, TimeoutError) as error:
        _log.info("what a step saw can't be checked for changes: %s", error)
        return None
