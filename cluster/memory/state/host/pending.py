"""The edits of a document that its log doesn't have yet, or that its fold hasn't reached.

Owned by `cluster.memory.state.host.document`. They are appended in the order in which they were
made: a later one may have been made from what an earlier one shows, whoever made that.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from cluster.kernel.errors import ClusterError, Overloaded, UsageError
from cluster.kernel.state.edits import Authored, Edit, EntryBody, Resolution, Reversal
from cluster.kernel.state.folded import Folded
from cluster.memory.state.entries import PendingEdit
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.codec import packed
from cluster.memory.state.limits import APPEND_BYTES_MAX, APPEND_EDITS_MAX, EDIT_BYTES_MAX

PENDING_MAX = 1_024
"""Edits of a document that aren't durable, or not yet in its fold; more are refused."""
PENDING_BYTES_MAX = 8 * 1024 * 1024
"""What they may have together, by what they have at most."""


@dataclass(slots=True, eq=False)
class Pending:
    """An edit on its way."""

    attempt: EditAttempt
    body: Authored
    size: int
    """In bytes, at most."""
    version: int = 0
    """Where in the log it is at the latest, once it is durable; 0 until then."""
    waiters: tuple[asyncio.Future[None], ...] = ()
    _data: bytes | None = None

    @property
    def data(self) -> bytes:
        """What is appended; made when it is first asked for, which is none of the turn's time."""
        if self._data is None:
            self._data = packed(self.body)
        return self._data

    @property
    def edit(self) -> PendingEdit:
        """What the log is given."""
        return PendingEdit(self.body.id.ordinal, self.data)

    def forget_seen(self) -> None:
        """Let its author have seen nothing: that was of another log."""
        if isinstance(self.body, Edit | Resolution):
            self.body, self._data = replace(self.body, base_version=0), None

    def end(self, error: ClusterError | None = None) -> None:
        """Tell all who wait that it is durable, or why it never will be."""
        self.attempt.end(error)
        for waiter in self.waiters:
            if waiter.done():
                continue
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error)


class PendingQueue:
    """Edits in the order in which they were made: first those that are durable."""

    def __init__(self) -> None:
        self._durable: deque[Pending] = deque()
        self._waiting: deque[Pending] = deque()
        self._size = 0
        self.is_waiting = asyncio.Event()
        """Set while there is something to append."""

    def __bool__(self) -> bool:
        return bool(self._waiting or self._durable)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._durable)

    def __iter__(self) -> Iterator[Pending]:
        """Return all that the fold hasn't reached."""
        return itertools.chain(self._durable, self._waiting)

    @property
    def last(self) -> Pending | None:
        """The latest that isn't durable."""
        return self._waiting[-1] if self._waiting else None

    def check_room(self, document: str, body: Authored, size: int) -> None:
        """Refuse what is too much.

        Raises:
            Overloaded: so many edits are under way; the store is slow, or gone.
            UsageError: the edit is too large for a log.
        """
        if size > EDIT_BYTES_MAX and len(packed(body)) > EDIT_BYTES_MAX:
            raise UsageError(
                f"an edit of {document} is over {EDIT_BYTES_MAX} bytes: "
                "keep what is large elsewhere and only name it in shared state"
            )
        count = len(self._waiting) + len(self._durable)
        if count >= PENDING_MAX or self._size + size > PENDING_BYTES_MAX:
            raise Overloaded(
                f"{count} edits of {document} are waiting for the store: no more are taken "
                "until it has some of them"
            )

    def add(self, item: Pending) -> None:
        """Let an edit be the last."""
        self._waiting.append(item)
        self._size += item.size
        item.attempt.expect()
        if not self.is_waiting.is_set():
            self.is_waiting.set()

    def run(self) -> Sequence[Pending]:
        """Return what is appended next: the first edits of one attempt, as many as may go."""
        run: list[Pending] = []
        size = 0
        for item in self._waiting:
            is_other = run and item.attempt is not run[0].attempt
            size += len(item.data)
            if is_other or len(run) >= APPEND_EDITS_MAX or size > APPEND_BYTES_MAX:
                break
            run.append(item)
        return run

    def begins_with(self, run: Sequence[Pending]) -> bool:
        """Say whether nothing is before some edits, durable or not, and none of them has gone."""
        if self._durable or len(run) > len(self._waiting):
            return False
        return all(one is other for one, other in zip(run, self._waiting, strict=False))

    def recognise(self, body: EntryBody, version: int) -> None:
        """Note that an entry of the log is one of these, though the answer to it isn't here."""
        identity = getattr(body, "id", None)
        if self._waiting and self._waiting[0].body.id == identity:
            self.acknowledge(self._waiting[0], version)
            return
        for item in self._durable:
            if item.version >= version:
                if item.body.id == identity:
                    item.version = version
                return

    def recognise_folded(self, folded: Folded) -> None:
        """Note which edits are in a fold though no entry was read: a snapshot stands for theirs."""
        while self._waiting and folded.attempts.has(self._waiting[0].body.id):
            self.acknowledge(self._waiting[0], folded.version)

    def acknowledge(self, item: Pending, version: int) -> None:
        """Note that an edit is durable, at a version or before it."""
        if not self._waiting or self._waiting[0] is not item:
            return  # it was recognised before, or nobody waits for it any more
        self._waiting.popleft()
        item.version = version
        self._durable.append(item)
        self._release(item)
        item.end()

    def acknowledge_elsewhere(self, run: Sequence[Pending], version: int) -> None:
        """Note that edits are durable in a log that has made way for another one meanwhile."""
        for item in run:
            self.acknowledge(item, version)
        self.forget_durable()

    def forget_folded(self, version: int) -> None:
        """Forget what the fold has reached."""
        while self._durable and self._durable[0].version <= version:
            self._durable.popleft()

    def forget_durable(self) -> None:
        """Forget all that is in the log: it is another log now."""
        self._durable.clear()

    def move(self, error: ClusterError) -> None:
        """Let what waits go to another log, of which its authors have seen nothing."""
        self.forget_durable()
        self.drop(lambda item: isinstance(item.body, Reversal), error)
        for item in self._waiting:
            item.forget_seen()

    def drop(self, is_lost: Callable[[Pending], bool], error: ClusterError) -> bool:
        """Give up edits that aren't durable and never will be; say whether there were any."""
        lost = [item for item in self._waiting if is_lost(item)]
        if not lost:
            return False
        gone = set(lost)
        self._waiting = deque(item for item in self._waiting if item not in gone)
        for item in lost:
            self._release(item)
            item.end(error)
        return True

    def _release(self, item: Pending) -> None:
        self._size -= item.size
        if not self._waiting:
            self.is_waiting.clear()
