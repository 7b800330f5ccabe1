"""All that ever stood in the logs of the state campaign, read while its cell runs.

The store keeps only some history beside a snapshot; with this the whole log of a document can be
folded in the end, and a log that has lost or changed what it had is noticed.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict

from cluster.kernel.errors import ClusterError
from cluster.kernel.state.folding import Fold
from cluster.memory.state.entries import LogEntry, LogPage
from cluster.memory.state.host.codec import unpacked
from cluster.memory.state.port import StateLog
from tests.chaos.state_board import PLACES

_LOOK_S = 0.1

LogName = tuple[str, int]
"""A document and its incarnation."""


class Archive:
    """The entries of every log of every incarnation."""

    def __init__(self, log: StateLog) -> None:
        self._log = log
        self.entries: defaultdict[LogName, dict[int, bytes]] = defaultdict(dict)
        self.faults: list[str] = []
        """What a log has lost or changed."""

    async def read_on(self) -> None:
        """Read until cancelled."""
        while True:
            for place in PLACES:
                try:
                    await self.read(place.name)
                except ClusterError:
                    await asyncio.sleep(_LOOK_S)
            await asyncio.sleep(_LOOK_S)

    async def read(self, name: str) -> None:
        """Read what is new of a document."""
        while True:
            incarnation = (await self._log.heads([name]))[name].incarnation
            known = max(self.entries[name, incarnation], default=0)
            page = await self._log.history(name, max(0, known - 1))
            if page.head.incarnation == incarnation and not page.head.is_deleted:
                self._take(name, page, known)
            if not page.entries or page.entries[-1].version >= page.head.version:
                return

    def _take(self, name: str, page: LogPage, known: int) -> None:
        had = self.entries[name, page.head.incarnation]
        if page.head.version < known:
            self.faults.append(f"{name} had {known} entries and has {page.head.version}")
        for each in page.entries:
            if had.setdefault(each.version, each.data) != each.data:
                self.faults.append(f"version {each.version} of {name} has become another entry")

    def fold(self, name: str, incarnation: int) -> Fold:
        """Fold the whole log of a document."""
        fold = Fold()
        log = self.entries[name, incarnation]
        fold.extend(unpacked(name, each) for each in _ordered(log))
        return fold


def _ordered(log: dict[int, bytes]) -> list[LogEntry]:
    return [LogEntry(version, log[version]) for version in sorted(log)]
