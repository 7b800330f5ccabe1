"""The journal of one task in the hands of its owner: append, then know.

Events are numbered here and appended one batch after another, each with all that has come about
since the one before; an append whose outcome is unknown is repeated, which changes nothing where it
had worked.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from cluster.kernel.clock import Clock
from cluster.kernel.errors import ClusterError, StaleEpoch, StoreUnavailable, WireError
from cluster.kernel.events import Event, Failed
from cluster.kernel.ids import NO_STEP, AgentId, TaskId
from cluster.kernel.registration import FRESH_SHARE
from cluster.kernel.tasks.history import TaskHistory
from cluster.kernel.tasks.ownership import Owner
from cluster.kernel.vocabulary import Failure
from cluster.memory.journal.port import Journal
from cluster.wire.messages import PACKAGE, MessageCodec

EVENT = PACKAGE + Event.__name__
RETRY_S_MIN = 0.05
RETRY_S_MAX = 0.5
BATCH_MAX = 32
"""So many events are appended at once."""
PASSES = 4
"""Of the event loop, before an append: what follows from a fact is begun by tasks of its own."""


def events_of(entries: Iterable[bytes], codec: MessageCodec) -> list[Event]:
    """Return the events of a journal's entries.

    Raises:
        WireError: an entry is something else.
    """
    events = []
    for entry in entries:
        event = codec.decode(EVENT, entry)
        if not isinstance(event, Event):
            raise WireError("a journal holds an entry that is not an event")
        events.append(event)
    return events


@dataclass(frozen=True, slots=True)
class _Fact:
    """A numbered event that is to be appended."""

    event: Event
    entry: bytes
    written: asyncio.Future[Event]
    """Has it, once it is durable."""


@dataclass(slots=True)
class _Claim:
    """By what right this owner appends."""

    term: int = 0
    entries: int = 0
    """How many the journal had when the term began."""
    accepting: Owner | None = None
    """Who claims the task by the first append; None where it is claimed."""


class TaskJournal:
    """What one term of ownership may append, and the history that follows from it."""

    def __init__(
        self,
        journal: Journal,
        codec: MessageCodec,
        clock: Clock,
        task: TaskId,
        *,
        patience_s: float,
    ) -> None:
        self.task = task
        self.history = TaskHistory()
        """What is durable."""
        self.ahead = TaskHistory()
        """What is durable or being appended: what is prepared on its word is recorded after it."""
        self.events: list[Event] = []
        """The journal, in order."""
        self.is_lost = False
        """Another owner has taken over, or the store was out of reach for longer than a lease."""
        self._journal = journal
        self._codec = codec
        self._clock = clock
        self._patience_s = patience_s
        self._claim = _Claim()
        self._confirmed_at = -math.inf
        """When the store was asked that last said that this term stands."""
        self._waiting: list[_Fact] = []
        """What has not been taken up for an append yet: what a task does at once is bounded."""
        self._writing: asyncio.Task[None] | None = None
        self.on_recorded: Callable[[Event], None] = _ignore
        """Called with each event that has become part of the history here."""

    def open(self, term: int, entries: Sequence[bytes]) -> None:
        """Begin a term with the journal as it is.

        Raises:
            WireError: the journal can't be read or could never have come about.
        """
        self._claim.term = term
        self._claim.entries = len(entries)
        for event in events_of(entries, self._codec):
            self.history.apply(event)
            self.events.append(event)
        self.ahead = self.history.copy()

    def open_new(self, owner: Owner) -> None:
        """Begin the first term of a task by its first append, if nobody has claimed it by then."""
        self._claim.accepting = owner

    @property
    def term(self) -> int:
        """The owner's; of one that claims the task by its first append, what that makes it."""
        return 1 if self._claim.accepting is not None else self._claim.term

    @property
    def is_adopted(self) -> bool:
        """Whether somebody may have worked on the task before this term."""
        return self._claim.term > 1

    async def record(self, event: Event) -> Event:
        """Append an event; when this returns it is durable and part of the history.

        An append that has begun is carried to its outcome even where nobody waits for it any
        longer: what comes next is numbered after it.

        Raises:
            StaleEpoch: another owner has claimed the task, or it has ended.
            StoreUnavailable: the store was out of reach for longer than a lease, in which another
                owner may have claimed it: what is not recorded must not be done.
            WireError: it can't follow what went before.
        """
        return await self.begin(event)

    def begin(self, event: Event) -> asyncio.Future[Event]:
        """Begin to append an event; what is recorded later is numbered after it.

        Those of one moment, and all that come while an append is under way, are appended together.
        For a fact that nothing waits for: where it can't be written the next one can't either, and
        who records that one is told. One that can't follow what goes before has failed at once.
        """
        written: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        written.add_done_callback(_look_at)
        numbered = replace(event, index=self.ahead.length + 1)
        try:
            if self.is_lost or self.ahead.terminal is not None:
                raise StaleEpoch(f"task {self.task} has ended, or another owner")
            _, entry = self._codec.encode(numbered)
            self.ahead.apply(numbered)  # what can't be folded again must not be written
        except ClusterError as error:
            written.set_exception(error)
            return written
        self._waiting.append(_Fact(numbered, entry, written))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_on(), name=f"journal {self.task}")
        return written

    async def confirm(self) -> None:
        """Return when the store has just said that this term stands: before something is thought.

        Between two facts of a task nobody tells its owner that it has lost it, and this process
        may have been frozen. An append that has just worked is such a word too.

        Raises: as `record`.
        """
        gives_up_at = self._clock.now() + self._patience_s
        try:
            while self._clock.now() - self._confirmed_at > self._patience_s * FRESH_SHARE:
                if self._clock.now() > gives_up_at:
                    raise StoreUnavailable("the central store is too slow to say who owns a task")
                await self._patiently(lambda: self._journal.confirm(self.task, self._claim.term))
        except (StaleEpoch, StoreUnavailable):
            self.is_lost = True
            raise

    async def close(self) -> None:
        """Give up what is under way; its outcome stays unknown until the task is claimed again."""
        self.is_lost = True
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write_on(self) -> None:
        """Append what waits, as long as there is something."""
        taken: list[_Fact] = []
        try:
            for _ in range(PASSES):  # what follows at once from what has come about comes along
                await asyncio.sleep(0)
            while self._waiting:
                taken, self._waiting = self._waiting[:BATCH_MAX], self._waiting[BATCH_MAX:]
                await self._write(taken)
        except Exception as error:  # whoever waits must not do so for ever
            self.is_lost = True
            for fact in (*taken, *self._waiting):
                _fail(fact.written, error)
            raise
        finally:
            self._writing = None
            for fact in (*taken, *self._waiting):
                fact.written.cancel()
            self._waiting.clear()

    async def _write(self, facts: Sequence[_Fact]) -> None:
        """Append facts as one; they follow each other and what goes before."""
        try:
            if self.is_lost:
                raise StaleEpoch(f"task {self.task} has another owner")
            await self._append([fact.event for fact in facts], [fact.entry for fact in facts])
        except (StaleEpoch, StoreUnavailable, WireError) as error:
            self.is_lost = True
            for fact in facts:
                _fail(fact.written, error)
            return
        for fact in facts:
            self.history.apply(fact.event)
            self.events.append(fact.event)
            self.on_recorded(fact.event)
            if not fact.written.done():
                fact.written.set_result(fact.event)

    async def end_unread(self, failure: Failure, agent: AgentId) -> None:
        """End a task whose journal can't be read, so that nobody tries to go on with it for ever.

        Raises:
            StaleEpoch, StoreUnavailable: as `record`.
        """
        index = self._claim.entries + 1
        event = Event(0.0, self.task, agent, NO_STEP, Failed(failure), index)
        _, entry = self._codec.encode(event)
        await self._append([event], [entry])

    async def _append(self, events: Sequence[Event], entries: Sequence[bytes]) -> None:
        if self._claim.accepting is not None:
            first = sum(not event.is_terminal for event in events)
            await self._accept(self._claim.accepting, entries[:first])
            events, entries = events[first:], entries[first:]
        if not events:
            return
        await self._patiently(
            lambda: self._journal.append(
                self.task,
                self._claim.term,
                events[0].index,
                entries,
                is_final=events[-1].is_terminal,
            )
        )

    async def _accept(self, owner: Owner, entries: Sequence[bytes]) -> None:
        async def accept() -> None:
            if not await self._journal.accept(self.task, owner, entries):
                raise StaleEpoch(f"task {self.task} was claimed before")

        await self._patiently(accept)
        self._claim = _Claim(term=1)

    async def _patiently(self, call: Callable[[], Awaitable[None]]) -> None:
        """Call the store again where it was out of reach, for as long as a lease."""
        gives_up_at = self._clock.now() + self._patience_s
        wait_s = RETRY_S_MIN
        while True:
            asked_at = self._clock.now()
            try:
                await call()
            except StoreUnavailable:
                if self._clock.now() + wait_s > gives_up_at:
                    raise
            else:
                self._confirmed_at = asked_at
                return
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, RETRY_S_MAX)


def _fail(written: asyncio.Future[Event], error: Exception) -> None:
    if not written.done():
        written.set_exception(error)


def _look_at(written: asyncio.Future[Event]) -> None:
    """Retrieve an error that nobody may wait for."""
    if not written.cancelled():
        written.exception()


def _ignore(event: Event) -> None:
    """Nobody looks on."""
