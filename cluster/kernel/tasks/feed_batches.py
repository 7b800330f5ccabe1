"""What is appended to a task's feed, and when: in batches worth a write.

Pure: `cluster.runtime.tasks.feed_writer` tells what happens and when it is, and appends what is
handed out here. A model says a token at a time, of which each would be a write of its own: thoughts
of one step that follow each other are one entry, and all entries are kept back for `HELD_S` at
most, but for the end. A fact that is written at once holds up the journal of what follows from it:
the store is the same, and syncs its disk for each.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from cluster.kernel.events import Event, Thought
from cluster.kernel.feed import Cursor
from cluster.kernel.ids import StepId

HELD_S: Final = 0.1
"""How long entries are kept back at most, from the first of a batch."""
BATCH_MAX: Final = 64
"""Entries of one batch."""
THOUGHT_CHARS_MAX: Final = 8_192
"""Of one entry; what is longer is several."""
WAITING_CHARS_MAX: Final = 1_000_000
"""Of thoughts that wait while the store is slow or away; later ones are dropped, facts never."""


@dataclass(frozen=True, slots=True)
class FeedBatch:
    """Events that are appended as one."""

    first: Cursor
    """Of the first of them; the others follow it."""
    events: tuple[Event, ...]
    index: int
    """The highest number of the journal among these and all before; 0 for none."""

    @property
    def is_final(self) -> bool:
        """Say whether it has the task's terminal event."""
        return self.events[-1].is_terminal


@dataclass(slots=True, eq=False)
class _Growing:
    """A thought that may still grow."""

    first: Event
    """The event that began it; its instant is that of the whole."""
    detail: Thought
    texts: list[str]
    chars: int
    is_taken: bool = False

    def may_grow_by(self, event: Event, thought: Thought, chars: int) -> bool:
        return (
            not self.is_taken
            and self.first.agent == event.agent
            and self.detail.is_reasoning == thought.is_reasoning
            and self.detail.is_final == thought.is_final
            and self.chars + chars <= THOUGHT_CHARS_MAX
        )

    def taken(self) -> Event:
        self.is_taken = True
        if len(self.texts) == 1 and self.texts[0] is self.detail.text:
            return self.first
        return replace(self.first, detail=replace(self.detail, text="".join(self.texts)))


class FeedBatches:
    """The events of a task on their way to its feed, under one owner.

    Args:
        term: the owner's.
        index: the highest number of the journal that the feed has already.
    """

    def __init__(self, term: int, index: int = 0) -> None:
        self._next = Cursor(term, 1)
        self.index = index
        """The highest number of the journal that the feed has, or is to get."""
        self._given = index
        """The highest of what was handed out."""
        self._waiting: deque[Event | _Growing] = deque()
        self._open: dict[StepId, _Growing] = {}
        """The last entry of each step, where it is a thought and no fact has come since."""
        self._since = 0.0
        """When the oldest that waits was added, or the batch before was taken."""
        self._chars = 0
        self._is_ended = False
        self._cut: set[StepId] = set()
        """Steps whose judged text has lost a piece: what came after it would be read as one."""

    def add(self, event: Event, now: float) -> None:
        """Let an event wait for its batch; nothing follows the terminal one."""
        if self._is_ended:
            return
        if not self._waiting:
            self._since = now
        if isinstance(event.detail, Thought):
            self._think(event, event.detail)
        else:
            self.index = max(self.index, event.index)
            self._is_ended = event.is_terminal
            self._open.clear()
            self._waiting.append(event)

    def _think(self, event: Event, thought: Thought) -> None:
        if event.step in self._cut and thought.is_final:
            return
        if self._chars + len(thought.text) > WAITING_CHARS_MAX:
            self._drop(event.step, thought)
            return
        self._chars += len(thought.text)
        for text in _split(thought.text):
            piece = self._open.get(event.step)
            if piece is not None and piece.may_grow_by(event, thought, len(text)):
                piece.texts.append(text)
                piece.chars += len(text)
            else:
                piece = _Growing(event, thought, [text], len(text))
                self._open[event.step] = piece
                self._waiting.append(piece)

    def _drop(self, step: StepId, thought: Thought) -> None:
        if thought.is_final:
            self._cut.add(step)

    def drop_thoughts(self) -> None:
        """Forget the thoughts that wait: the store has been away for long."""
        for each in self._waiting:
            if isinstance(each, _Growing):
                self._drop(each.first.step, each.detail)
        self._waiting = deque(each for each in self._waiting if isinstance(each, Event))
        self._open.clear()
        self._chars = 0

    def due_at(self) -> float | None:
        """Return from when on there is a batch; None while nothing waits."""
        if not self._waiting:
            return None
        is_due = self._is_ended or len(self._waiting) >= BATCH_MAX
        if is_due:
            return self._since
        # The batches of all tasks of a process are due together: each write that comes alone has
        # the store sync its file once, and what other tasks journal waits for that.
        return (math.floor(self._since / HELD_S) + 1) * HELD_S

    def take(self, now: float) -> FeedBatch | None:
        """Hand out the next batch; None where it is not due yet.

        It is numbered by this, and is to be appended before the next one is, as it is.
        """
        due_at = self.due_at()
        if due_at is None or now < due_at:
            return None
        first, events = self._next, tuple(self._taken())
        self._next = Cursor(first.term, first.number + len(events))
        self._since = now
        self._given = max(self._given, *(event.index for event in events))
        return FeedBatch(first, events, self._given)

    def _taken(self) -> Iterator[Event]:
        for _ in range(min(len(self._waiting), BATCH_MAX)):
            each = self._waiting.popleft()
            if isinstance(each, _Growing):
                self._chars -= each.chars
                yield each.taken()
            else:
                yield each


def _split(text: str) -> Iterator[str]:
    """Yield a text in entries' lengths; characters stay whole, for it is cut between them."""
    for begin in range(0, len(text) or 1, THOUGHT_CHARS_MAX):
        yield text[begin : begin + THOUGHT_CHARS_MAX]
