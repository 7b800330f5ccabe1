"""The journal of one task in the hands of its owner: append, then know.

Events are numbered here and appended one batch after another; an append whose outcome is unknown
is repeated, which changes nothing where it had worked.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

from cluster.kernel.clock import Clock
from cluster.kernel.errors import StaleEpoch, StoreUnavailable, WireError
from cluster.kernel.events import Event, Failed
from cluster.kernel.ids import NO_STEP, AgentId, TaskId
from cluster.kernel.registration import FRESH_SHARE
from cluster.kernel.tasks.history import TaskHistory
from cluster.kernel.vocabulary import Failure
from cluster.memory.journal.port import Journal
from cluster.wire.messages import PACKAGE, MessageCodec

EVENT = PACKAGE + Event.__name__
RETRY_S_MIN = 0.05
RETRY_S_MAX = 0.5


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
        self.events: list[Event] = []
        """The journal, in order."""
        self.is_lost = False
        """Another owner has taken over, or the store was out of reach for longer than a lease."""
        self._journal = journal
        self._codec = codec
        self._clock = clock
        self._patience_s = patience_s
        self._term = 0
        self._confirmed_at = -math.inf
        """When the store was asked that last said that this term stands."""
        self._entries = 0
        """How many the journal had when this term began."""
        self._order = asyncio.Lock()
        self._under_way: dict[asyncio.Task[Event], None] = {}
        self.on_recorded: Callable[[Event], None] = _ignore
        """Called with each event that has become part of the history here."""

    def open(self, term: int, entries: Sequence[bytes]) -> None:
        """Begin a term with the journal as it is.

        Raises:
            WireError: the journal can't be read or could never have come about.
        """
        self._term = term
        self._entries = len(entries)
        for event in events_of(entries, self._codec):
            self.history.apply(event)
            self.events.append(event)

    @property
    def is_adopted(self) -> bool:
        """Whether somebody may have worked on the task before this term."""
        return self._term > 1

    async def record(self, event: Event) -> Event:
        """Append an event; when this returns it is durable and part of the history.

        An append that has begun is carried to its outcome even where nobody waits for it any
        longer: what comes next is numbered after it.

        Raises:
            StaleEpoch: another owner has claimed the task, or it has ended.
            StoreUnavailable: the store was out of reach for longer than a lease, in which another
                owner may have claimed it: what is not recorded must not be done.
        """
        return await asyncio.shield(self.begin(event))

    def begin(self, event: Event) -> asyncio.Task[Event]:
        """Begin to append an event; what is recorded later is numbered after it.

        For a fact that nothing waits for: where it can't be written the next one can't either, and
        who records that one is told.
        """
        work = asyncio.ensure_future(self._record(event))
        self._under_way[work] = None
        work.add_done_callback(self._settled)
        return work

    def _settled(self, work: asyncio.Task[Event]) -> None:
        del self._under_way[work]
        if not work.cancelled():
            work.exception()  # whoever waits for it has it, if anybody still does

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
                await self._patiently(lambda: self._journal.confirm(self.task, self._term))
        except (StaleEpoch, StoreUnavailable):
            self.is_lost = True
            raise

    async def close(self) -> None:
        """Give up what is under way; its outcome stays unknown until the task is claimed again."""
        self.is_lost = True
        for work in list(self._under_way):
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _record(self, event: Event) -> Event:
        async with self._order:
            if self.is_lost or self.history.terminal is not None:
                raise StaleEpoch(f"task {self.task} has ended, or another owner")
            numbered = replace(event, index=self.history.length + 1)
            self.history.check(numbered)  # what can't be folded again must not be written
            try:
                await self._append(numbered)
            except (StaleEpoch, StoreUnavailable, WireError):
                self.is_lost = True
                raise
            self.history.apply(numbered)
            self.events.append(numbered)
            self.on_recorded(numbered)
            return numbered

    async def end_unread(self, failure: Failure, agent: AgentId) -> None:
        """End a task whose journal can't be read, so that nobody tries to go on with it for ever.

        Raises:
            StaleEpoch, StoreUnavailable: as `record`.
        """
        index = self._entries + 1
        await self._append(Event(0.0, self.task, agent, NO_STEP, Failed(failure), index))

    async def _append(self, event: Event) -> None:
        _, entry = self._codec.encode(event)
        await self._patiently(
            lambda: self._journal.append(
                self.task, self._term, event.index, [entry], is_final=event.is_terminal
            )
        )

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


def _ignore(event: Event) -> None:
    """Nobody looks on."""
