"""Keeps one document of a host in step with its log: writes what is pending, reads what is new.

Owned by `cluster.memory.state.host.documents`. Two tasks of its own, in turn with each other: one
appends, one reads and shortens the log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from cluster.kernel.errors import (
    ClusterError,
    Overloaded,
    StaleEpoch,
    StateDeleted,
    StoreUnavailable,
    UsageError,
)
from cluster.kernel.state.edits import Entry, Seal
from cluster.kernel.state.folded import EMPTY
from cluster.kernel.state.folding import Fold
from cluster.kernel.state.own_policies import Policies
from cluster.memory.state.entries import LogHead, LogPage, PendingEdit
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.codec import packed, packed_snapshot, unpacked, unpacked_snapshot
from cluster.memory.state.host.document import Document, made_by
from cluster.memory.state.host.pending import Pending
from cluster.memory.state.host.upkeep import LogState, is_snapshot_due, seal_at
from cluster.memory.state.limits import deleted
from cluster.memory.state.port import StateLog

RETRY_S: Final = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Between two tries to append; the last one from then on."""
READ_PAUSE_S = 0.002
"""Between two readings: of a document that many write, one reading has what several tell of."""

Observer: TypeAlias = Callable[[Document, Sequence[Entry]], None]
"""Told what a document's log has brought, own edits that came back by reading included."""

_log = logging.getLogger(__name__)


class Keeper:
    """The tasks of a document.

    Args:
        document: what is kept.
        log: the central store.
        policies: what the program merges by.
        upkeep: who seals.
        observer: told what is new.
    """

    def __init__(
        self,
        document: Document,
        log: StateLog,
        policies: Policies,
        upkeep: EditAttempt,
        observer: Observer,
    ) -> None:
        self.document = document
        self._log = log
        self._policies = policies
        self._upkeep = upkeep
        self._observer = observer
        self._is_heard = asyncio.Event()
        """Set while there may be something to read."""
        self._reading = asyncio.Lock()
        self._catching_up: asyncio.Task[None] | None = None
        """A reading that has not begun: all who come until then wait for the same one."""
        self._running: list[asyncio.Task[None]] = []
        self._settled = self._stored = self._own_seal = 0
        self._is_writer = self._is_full = self._is_gone = False

    async def open(self) -> Document:
        """Read the document, and follow it from then on."""
        await self.read()
        name = self.document.name
        self._running = [
            asyncio.create_task(self._write_on(), name=f"write {name}"),
            asyncio.create_task(self._read_on(), name=f"read {name}"),
        ]
        return self.document

    async def stop(self, error: ClusterError) -> None:
        """Give up what is pending, and end."""
        if self._catching_up is not None:
            self._running.append(self._catching_up)
        for each in self._running:
            each.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self.document.refuse(error)

    def hear(self) -> None:
        """Read what is new, in the background."""
        self._is_heard.set()

    def is_behind(self, head: LogHead) -> bool:
        """Say whether the log may have something to read, or is to be shortened."""
        document = self.document
        if head.incarnation != document.incarnation or head.is_deleted != self._is_gone:
            return True
        if self._is_gone:
            return False
        return (
            head.version != document.fold.version
            or self._seal_at(document.fold.version) is not None
        )

    async def read(self) -> None:
        """Read all that is new.

        Raises:
            StoreUnavailable: what is known stays.
            WireError: the log is damaged from there on.
        """
        async with self._reading:
            while await self._read_page():
                pass

    async def catch_up(self) -> None:
        """Return when all is known that was in the log when this was called; raises as `read`."""
        if self._catching_up is None:
            name = f"catch up with {self.document.name}"
            self._catching_up = asyncio.create_task(self._catch_up(), name=name)
            self._catching_up.add_done_callback(_look_at)
        await asyncio.shield(self._catching_up)

    async def _catch_up(self) -> None:
        try:
            await self._reading.acquire()
        finally:
            self._catching_up = None
        try:
            while await self._read_page():
                pass
        finally:
            self._reading.release()

    async def read_again(self) -> None:
        """Read the document from its start: it is folded otherwise now; raises as `read`."""
        async with self._reading:
            await self._read_whole(None, is_same_log=True)
        await self.read()

    async def _read_page(self) -> bool:
        """Read a page, and say whether there are more."""
        document = self.document
        known, before = document.fold.version, document.incarnation
        page = await self._log.read(document.name, known)
        self._settled = page.settled
        self._is_gone = page.head.is_deleted
        is_lost = page.head.version < known
        if self._is_gone:
            self._remove(page.head.incarnation)
        elif page.head.incarnation != before or is_lost:
            # A log that was begun here is the same one, and its incarnation is news.
            await self._read_whole(None if known else page, is_same_log=not (before or is_lost))
        elif page.snapshot is not None:
            await self._read_whole(page, is_same_log=True)
        else:
            self._tell(document.take(page.entries))
        return page.head.version > document.fold.version > known

    def _remove(self, incarnation: int) -> None:
        document = self.document
        document.replace(Fold(EMPTY, self._policies), incarnation, is_same_log=False)
        document.refuse(deleted(document.name))

    async def _read_whole(self, page: LogPage | None, *, is_same_log: bool) -> None:
        """Read the log from its start, or from the snapshot of a page on, and then show it."""
        document, log = self.document, self._log
        page = page or await log.read(document.name)
        head = page.head
        base = unpacked_snapshot(document.name, page.snapshot) if page.snapshot else EMPTY
        fold = Fold(base, self._policies)
        entries: list[Entry] = []
        while True:
            new = [unpacked(document.name, each) for each in page.entries]
            entries += new
            if not fold.extend(new) or fold.version >= head.version:
                break
            page = await log.read(document.name, fold.version)
            if page.head.incarnation != head.incarnation or page.snapshot is not None:
                break  # it is read once more
        self._stored, self._own_seal = base.version, 0
        for each in entries:
            document.pending.recognise(each.body, each.version)
        document.replace(fold, head.incarnation, is_same_log=is_same_log)
        self._tell(entries)

    def _tell(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        try:
            self._observer(self.document, entries)
        except Exception:  # noqa: BLE001 - the program's, and reading goes on
            _log.exception("what watches %s failed", self.document.name)

    async def _read_on(self) -> None:
        while True:
            await self._is_heard.wait()
            self._is_heard.clear()
            try:
                async with self._reading:
                    is_more = await self._read_page()
                await self._tend()
            except StoreUnavailable:
                pass  # the follower has it read again when the store is back
            except StateDeleted:
                self.hear()  # after it was read, and before it was shortened
            except Exception:  # noqa: BLE001 - a damaged log may be deleted, and then it is read
                _log.exception("%s can't be read for the moment", self.document.name)
            else:
                if is_more:
                    self._is_heard.set()
                    continue
            await asyncio.sleep(READ_PAUSE_S)

    async def _write_on(self) -> None:
        failures = 0
        while True:
            await self.document.pending.is_waiting.wait()
            try:
                # In turn with reading, which would bring back what is just being appended.
                async with self._reading:
                    # Meanwhile it may have been read, or given up.
                    if run := self.document.pending.run():
                        await self._append(run)
            except (StoreUnavailable, Overloaded) as error:
                self._is_full = isinstance(error, Overloaded)
                self.hear()  # a log that is full may be shortened
            except Exception:  # noqa: BLE001 - what is pending must not wait for nobody
                _log.exception("%s can't be written for the moment", self.document.name)
            else:
                self.document.is_stuck, self._is_full, failures = False, False, 0
                continue
            self.document.is_stuck, failures = True, failures + 1
            await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S)) - 1])

    async def _append(self, run: Sequence[Pending]) -> None:
        """Append edits of one attempt, or give up what can't be appended."""
        document, attempt = self.document, run[0].attempt
        edits = [item.edit for item in run]
        self._is_writer = True
        made = made_by(document, run)
        try:
            appended = await self._log.append(
                document.name,
                attempt.key,
                edits,
                ttl_s=document.ttl_s,
                incarnation=document.incarnation,
            )
        except StaleEpoch as error:
            document.drop(lambda other: other is attempt, error)
        except StateDeleted as error:
            document.refuse(error)
            self.hear()
        except UsageError as error:
            document.drop(lambda other: other is attempt, error)
        else:
            if not appended.version:
                while await self._read_page():
                    pass  # and append it to the document that there is now
            elif document.acknowledge(run, appended, made):
                self.hear()

    def _state(self, settled: int) -> LogState:
        fold = self.document.fold
        return LogState(
            fold.version,
            fold.snapshot.version,
            self._stored,
            settled,
            self.document.open_bytes,
            bool(fold.unknown),
            self._is_writer,
            self._is_full,
        )

    def _seal_at(self, settled: int) -> int | None:
        return seal_at(self._state(settled))

    async def _tend(self) -> None:
        """Shorten the log where it is time to."""
        document = self.document
        state = self._state(self._settled)
        up_to = seal_at(state)
        if up_to is not None and self._own_seal <= state.sealed:
            ordinal = self._upkeep.next_ordinal(document.name)
            seal = PendingEdit(ordinal, packed(Seal(up_to)))
            appended = await self._log.append(
                document.name,
                self._upkeep.key,
                [seal],
                incarnation=document.incarnation,
                is_upkeep=True,
            )
            self._own_seal = up_to if appended.version else 0
            self.hear()
        if is_snapshot_due(state, is_own_seal=self._own_seal == state.sealed):
            snapshot = packed_snapshot(document.fold.snapshot)
            try:
                await self._log.put_snapshot(document.name, document.incarnation, snapshot)
            except UsageError as error:
                _log.warning("the log of %s can't be shortened: %s", document.name, error)
            self._stored = snapshot.version


def _look_at(reading: asyncio.Task[None]) -> None:
    """Retrieve an error that nobody waits for any more."""
    if not reading.cancelled():
        reading.exception()
