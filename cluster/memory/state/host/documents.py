"""The documents of shared state that a host has open, and the attempts that edit them from here.

One a process that hosts agents, and one for the driver and the command line. Turns read and edit
what is here in memory; the store is written and followed in the background.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from uuid import uuid4

from cluster.kernel.clock import Clock
from cluster.kernel.errors import Overloaded, StateDeleted, Stopped, StoreUnavailable
from cluster.kernel.ids import NO_TASK, StepId, TaskId
from cluster.kernel.state.edits import Entry, Withdrawal
from cluster.kernel.state.folding import Fold
from cluster.kernel.state.own_policies import MergeFunction, Policies
from cluster.kernel.state.stamps import PERSON
from cluster.memory.state.entries import PendingEdit, StepKey
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.codec import packed
from cluster.memory.state.host.document import Document, overtaken_by
from cluster.memory.state.host.follower import LogFollower
from cluster.memory.state.host.keeper import Keeper, Observer
from cluster.memory.state.limits import overtaken
from cluster.memory.state.marks import StepMarks
from cluster.memory.state.port import StateLog, task_prefix

_log = logging.getLogger(__name__)

OPEN_MAX = 1_000
"""Documents of a host; all are asked for every second."""
IDLE_S = 60.0
"""One that nobody holds is closed, when others are opened, if it wasn't opened for so long."""
CLOSE_S = 2.0
"""So long closing waits for a store that takes edits."""


def _ignore(document: Document, entries: Sequence[Entry]) -> None:
    """Watch nothing."""


class LogWatchers:
    """Who is called when the log of a document has brought something."""

    def __init__(self) -> None:
        self._by_name: defaultdict[str, list[Callable[[], None]]] = defaultdict(list)

    def add(self, name: str, on_news: Callable[[], None]) -> Callable[[], None]:
        """Call back when the log of a document has brought something; return what ends that."""
        self._by_name[name].append(on_news)

        def end() -> None:
            self._by_name[name].remove(on_news)
            if not self._by_name[name]:
                del self._by_name[name]

        return end

    def tell(self, name: str) -> None:
        """Call those who watch a document."""
        for on_news in tuple(self._by_name.get(name, ())):
            on_news()


class Documents:
    """What a host shares.

    Args:
        log: the central store; it stays its owner's, to be closed by them.
        clock: stamps edits, and tells when it is time to look.
        policies: what the program merges by.
        observer: told what a document's log has brought; it must be quick.
    """

    def __init__(
        self,
        log: StateLog,
        clock: Clock,
        policies: Policies | None = None,
        observer: Observer = _ignore,
    ) -> None:
        self.log = log
        self._clock = clock
        self._policies = policies or Policies()
        self.watchers = LogWatchers()
        """Of single documents, beside the observer of all."""
        self.blamed: set[str] = set()
        """The program's own policies of which the log of this process says that they are broken."""

        def observe(document: Document, entries: Sequence[Entry]) -> None:
            self.watchers.tell(document.name)
            observer(document, entries)

        self._observer = observe
        self._keepers: dict[str, Keeper] = {}
        self._openings: dict[str, asyncio.Task[Document]] = {}
        self._upkeep = EditAttempt(StepKey(NO_TASK, StepId(f"upkeep/{uuid4().hex}")), "")
        self._follower = LogFollower(log, self._keepers, clock)
        self._is_closed = False

    @property
    def stale_s(self) -> float:
        """Since when the store hasn't said where the documents are; 0 while it does."""
        return self._follower.stale_s

    def peek(self, name: str) -> Document | None:
        """Return a document that is open here."""
        keeper = self._keepers.get(name)
        return keeper.document if keeper is not None else None

    async def open(
        self, name: str, *, ttl_s: float | None = None, is_fresh: bool = False
    ) -> Document:
        """Return a document, read where it wasn't; from then on it stays current.

        As long as somebody holds it (`Document.readers`), or opens it again and again: then it is
        closed when there is need, and is no longer current.

        Args:
            name: what its log is called.
            ttl_s: how long it lives after an edit that is made here; None: as it is.
            is_fresh: whether it is read in any case: what others have written is known then.

        Raises:
            StoreUnavailable: it isn't open here or is to be read anew, and can't be.
            WireError: what the store has of it is damaged.
            Overloaded: `OPEN_MAX` documents are open.
            Stopped: all have been closed.
        """
        document = self.peek(name)
        if document is None:
            # One may give up waiting, and the others go on.
            opening = self._opening(name)
            await asyncio.wait([opening])
            if opening.cancelled():
                raise _closed()
            document = opening.result()
        elif is_fresh:
            await self._keepers[name].read()
        if ttl_s is not None:
            document.ttl_s = ttl_s
        document.readers.opened_at = self._clock.now()
        return document

    async def open_current(self, name: str, *, ttl_s: float | None = None) -> Document:
        """Return a document that has all that was in its log when this was called.

        Where a document is open already and the store can't be asked, it is returned as it is
        known here; `stale_s` says so.

        Raises:
            ClusterError: as `open`.
        """
        is_known = name in self._keepers
        document = await self.open(name, ttl_s=ttl_s)
        keeper = self._keepers.get(name)
        if is_known and keeper is not None and not self.stale_s:
            try:
                await keeper.catch_up()
            except StoreUnavailable as error:
                _log.warning("%s is shown as it was: %s", name, error)
        return document

    def _opening(self, name: str) -> asyncio.Task[Document]:
        if self._is_closed:
            raise _closed()
        if name not in self._openings:
            idle = self._take_idle()
            if len(self._keepers) + len(self._openings) >= OPEN_MAX:
                raise Overloaded(f"{OPEN_MAX} documents of shared state are open here")
            self._follower.start()
            opening = asyncio.create_task(self._opened(name, idle), name=f"open {name}")
            opening.add_done_callback(_look_at)
            self._openings[name] = opening
        return self._openings[name]

    def _take_idle(self) -> Sequence[Keeper]:
        """Take out what nobody needs, and one more if there is no room."""
        now = self._clock.now()
        unheld = [
            each
            for each in self._keepers.values()
            if not each.document.readers.count and not each.document.pending
        ]
        idle = [each for each in unheld if each.document.readers.opened_at <= now - IDLE_S]
        if not idle and unheld and len(self._keepers) + len(self._openings) >= OPEN_MAX:
            idle = [min(unheld, key=lambda each: each.document.readers.opened_at)]
        return [self._keepers.pop(each.document.name) for each in idle]

    async def _opened(self, name: str, idle: Sequence[Keeper]) -> Document:
        await asyncio.gather(*(each.stop(_released()) for each in idle))
        document = Document(name, Fold(policies=self._policies), self._clock)
        keeper = Keeper(document, self.log, self._policies, self._upkeep, self._observer)
        try:
            await keeper.open()
            self._keepers[name] = keeper
            keeper.hear()  # of what came while it was being read
        finally:
            self._openings.pop(name, None)
        return document

    async def begin(
        self, task: TaskId, step: StepId, author: str, marks: StepMarks | None = None
    ) -> EditAttempt:
        """Begin an attempt at a step; what earlier ones have written is as if they hadn't.

        Args:
            task: the one that the step is of.
            step: what is begun.
            author: who makes the edits, as people are shown it.
            marks: where the step's result is recorded, if it is.

        Raises:
            StaleEpoch: the task has ended, the step has its result, or somebody else has begun a
                later attempt.
            StoreUnavailable: to be begun anew, as another attempt.
        """
        begun = await self.log.begin(task, step, marks)
        attempt = EditAttempt(StepKey(task, step, begun.generation), author)
        self._overtake(attempt)
        await asyncio.gather(*(self._withdraw(attempt, name) for name in begun.documents))
        return attempt

    def person(self, author: str) -> EditAttempt:
        """Return a person as an author: what they write is no step's, and is never run again."""
        return EditAttempt(StepKey(NO_TASK, StepId(f"{PERSON}{uuid4().hex}")), author)

    async def end_task(self, task: TaskId, kept_s: float) -> None:
        """Note that a task has ended: nothing is written for it, and its documents stay a while.

        Raises:
            StoreUnavailable: it may not be noted yet; it may be repeated.
        """
        await self.release_task(task)
        await self.log.expire(task, kept_s)

    async def know(self, own: Mapping[str, MergeFunction]) -> None:
        """Merge by these policies from now on, in what is open too.

        Raises:
            UsageError: one of them has another function's name.
            StoreUnavailable: a document that had an edit by one of them can't be read again.
        """
        if not own or not self._policies.learn(own):
            return
        await asyncio.gather(*self._openings.values(), return_exceptions=True)
        strange = [each for each in self._keepers.values() if each.document.fold.unknown]
        await asyncio.gather(*(each.read_again() for each in strange))

    def _overtake(self, attempt: EditAttempt) -> None:
        """Give up what earlier attempts at the step still have pending here."""
        key = attempt.key
        error = overtaken(StepKey(key.task, key.step, key.generation - 1))
        for keeper in self._keepers.values():
            keeper.document.drop(overtaken_by(attempt), error)

    async def _withdraw(self, attempt: EditAttempt, name: str) -> None:
        key = attempt.key
        withdrawal = packed(Withdrawal(key.task, key.step, key.generation))
        edit = PendingEdit(attempt.next_ordinal(name), withdrawal)
        try:
            await self.log.append(name, key, [edit], is_upkeep=True)
        except StateDeleted:
            return  # and with it all that there was to withdraw
        if name in self._openings:
            await self.open(name)
        if name in self._keepers:
            await self._keepers[name].read()

    async def flush(self, attempt: EditAttempt) -> None:
        """Wait until all edits of an attempt are durable: before its step's result is recorded.

        Raises:
            StaleEpoch: there is a later attempt, or the task has ended: the result is void.
            StateDeleted: a document was deleted while an edit of it was under way.
            Stopped: the documents were closed.
        """
        await attempt.flushed()

    async def release(self, prefix: str) -> None:
        """Follow documents no longer whose names begin so; pending edits are given up."""
        names = [name for name in self._keepers if name.startswith(prefix)]
        await asyncio.gather(*(self._keepers.pop(name).stop(_released()) for name in names))

    async def release_task(self, task: TaskId) -> None:
        """Follow the documents of a task no longer: it has ended."""
        await self.release(task_prefix(task))

    async def delete(self, name: str) -> None:
        """Delete a document, for everybody."""
        await self.log.delete(name)
        if name in self._keepers:
            await self._keepers[name].read()

    async def close(self) -> None:
        """Write what is pending, unless the store takes nothing, and end all tasks."""
        self._is_closed = True
        for opening in list(self._openings.values()):
            opening.cancel()
        kept = [each.document for each in self._keepers.values()]
        writing = [document for document in kept if not document.is_stuck]
        try:
            async with asyncio.timeout(CLOSE_S):
                flushes = (document.flushed() for document in writing)
                await asyncio.gather(*flushes, return_exceptions=True)
        except TimeoutError:
            pass
        await self._follower.stop()
        await self.release("")


def _released() -> Stopped:
    return Stopped("the document of shared state is no longer open here")


def _closed() -> Stopped:
    return Stopped("the documents of shared state have been closed")


def _look_at(opening: asyncio.Task[Document]) -> None:
    """Retrieve an error that nobody waits for any more."""
    if not opening.cancelled():
        opening.exception()
