"""What every process of the state campaign has: all documents, looked at all the time.

In the end it waits until it has what the store has, and says what that is.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import ClusterError
from cluster.memory.state.host import upkeep
from cluster.memory.state.host.document import Document
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.redis import RedisStateLog
from cluster.memory.store.redis import RedisStore
from tests.chaos.host_process import Surroundings
from tests.chaos.state_board import PLACES, Sight, digest, fault_of, heads_path, seen_path

QUIESCE_S = 60.0
"""How long a process may take to have what the store has, when nothing is hurt any more."""
SEAL_ENTRIES, OPEN_ENTRIES = 60, 20
"""Logs are shortened six times as often as they are in a cluster, for a cell to see it happen."""
_LOOK_S = 0.25
_RETRY_S = 0.1
_TOLD_MAX = 5


def sight(document: Document) -> Sight:
    """Return what a process sees of a document."""
    fold = document.fold
    return [document.incarnation, fold.version, digest(fold)]


class Replica:
    """All documents of a process."""

    def __init__(self, around: Surroundings, store: RedisStore) -> None:
        upkeep.SEAL_ENTRIES, upkeep.OPEN_ENTRIES = SEAL_ENTRIES, OPEN_ENTRIES
        self._around = around
        self.documents = Documents(RedisStateLog(store), SystemClock())
        self.open: dict[str, Document] = {}
        self._known: dict[str, tuple[int, int]] = {}
        """Incarnation and version at the latest look."""
        self._told: Counter[str] = Counter()

    async def hold(self) -> None:
        """Open every document, and keep it open."""
        for place in PLACES:
            while place.name not in self.open:
                try:
                    document = await self.documents.open(place.name)
                except ClusterError:
                    await asyncio.sleep(_RETRY_S)
                else:
                    document.readers.count += 1
                    self.open[place.name] = document

    async def watch(self) -> None:
        """Look until the process is to stop, then come to rest and tell."""
        while not self._around.stopping.is_set():
            for document in self.open.values():
                self._look(document)
            await asyncio.sleep(_LOOK_S)
        await self._settle()
        told = {name: sight(document) for name, document in self.open.items()}
        path = seen_path(self._around.folder, self._around.spec["agent"])
        path.write_text(json.dumps(told), encoding="utf-8")

    def _look(self, document: Document) -> None:
        fault = fault_of(document.fields)
        if fault:
            self._tell("torn", name=document.name, fault=fault, version=document.version)
        known = self._known.get(document.name)
        now = document.incarnation, document.fold.version
        if known is not None and known[0] == now[0] and known[1] > now[1] and now[1]:
            self._tell("went back", name=document.name, since=known, to=now)
        self._known[document.name] = now

    def _tell(self, what: str, **more: object) -> None:
        self._told[what] += 1
        if self._told[what] <= _TOLD_MAX:
            self._around.log.write(what, **more)

    async def _settle(self) -> None:
        """Wait until all documents are where the store is."""
        started = time.monotonic()
        heads = json.loads(heads_path(self._around.folder).read_text(encoding="utf-8"))
        while time.monotonic() - started < QUIESCE_S:
            seen = {name: [each.incarnation, each.fold.version] for name, each in self.open.items()}
            if seen == heads and not any(each.pending for each in self.open.values()):
                self._around.log.write("settled", took_s=time.monotonic() - started)
                return
            await asyncio.sleep(_LOOK_S / 5)


async def watch(around: Surroundings) -> None:
    """Be a process that only reads, until it is to stop."""
    store = await around.store(RedisStore)
    replica = Replica(around, store)
    await replica.hold()
    around.log.write("ready")
    await replica.watch()
    await replica.documents.close()
    await store.close()
