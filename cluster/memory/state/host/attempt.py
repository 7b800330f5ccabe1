"""An attempt at a step, or a person, as an author of edits, and what of theirs isn't durable yet.

Made by `cluster.memory.state.host.documents`, told by `cluster.memory.state.host.pending` what
became of its edits, and waited for by whoever records the result of the step.
"""

from __future__ import annotations

import asyncio
from typing import Self

from cluster.kernel.errors import ClusterError, StaleEpoch
from cluster.kernel.ids import NO_TASK, EnvelopeId, StepId
from cluster.memory.state.entries import StepKey


class EditAttempt:
    """Counts an attempt's edits: those to each document, and those that are under way.

    Args:
        key: the step, and which attempt at it this is.
        author: who makes the edits, as people are shown it.
    """

    def __init__(self, key: StepKey, author: str) -> None:
        self.key = key
        self.author = author
        self.error: ClusterError | None = None
        """Why an edit of it is lost, the first one's: its result must not be recorded then."""
        self.name_bytes = 6 * (len(key.task) + len(key.step) + len(author))
        """What its names take at most in each of its edits."""
        self._ordinals: dict[str, int] = {}
        self._expected = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    @classmethod
    def of_message(cls, envelope: EnvelopeId, author: str) -> Self:
        """Return who handles a message that is no step of a plan as an author.

        One that is handled again, after a crash, has the same edits as far as it had made them: the
        first of each number stays.
        """
        return cls(StepKey(NO_TASK, StepId(f"message/{envelope.hex()}")), author)

    @property
    def is_over(self) -> bool:
        """Whether it may write nothing any more: there is a later one, or its task has ended."""
        return isinstance(self.error, StaleEpoch)

    def next_ordinal(self, document: str) -> int:
        """Return the number of its next edit to a document."""
        ordinal = self._ordinals[document] = self._ordinals.get(document, 0) + 1
        return ordinal

    def expect(self) -> None:
        """Note that an edit has been made which isn't durable yet."""
        if not self._expected:
            self._is_idle.clear()
        self._expected += 1

    def end(self, error: ClusterError | None = None) -> None:
        """Note that one of the expected edits is durable, or why it never will be."""
        self.error = self.error or error
        self._expected -= 1
        if not self._expected:
            self._is_idle.set()

    async def flushed(self) -> None:
        """Wait until all of its edits are durable; as long as that takes.

        Raises:
            StaleEpoch: there is a later attempt at the step, or its task has ended.
            StateDeleted: a document was deleted while an edit of it was under way.
            Stopped: the documents were closed before.
        """
        await self._is_idle.wait()
        if self.error is not None:
            raise self.error
