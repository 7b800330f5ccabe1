"""Answers of before, kept for the time when no model can be reached.

Asked by the task engine before a task fails. Only the very same question counts: the goal, what was
said before it, the versions of the documents, the model and whose question it was.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple, dataclass
from typing import Protocol

from cluster.kernel.conversation import ChatMessage
from cluster.kernel.events import Answered, Event
from cluster.kernel.ids import NO_TASK, AgentId, StepId
from cluster.kernel.vocabulary import Answer
from cluster.memory.store.port import Store
from cluster.wire.messages import PACKAGE, MessageCodec

KEPT_S = 24 * 3600.0
BYTES_MAX = 256 * 1024
"""Of one answer; a longer one isn't kept."""
_PREFIX = "answer/"
_EVENT = PACKAGE + Event.__name__


@dataclass(frozen=True, slots=True)
class Question:
    """All that an answer depends on."""

    goal: str
    collection: str = ""
    """A namespace with its version."""
    model: str = ""
    owner: str = ""
    conversation: tuple[ChatMessage, ...] = ()

    @property
    def key(self) -> str:
        """Tell it from all other questions."""
        return hashlib.sha256(json.dumps(astuple(self)).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer, and when it was given, in seconds of the wall clock."""

    answer: Answer
    at_wall_s: float


async def purge_answers(store: Store) -> None:
    """Remove all that is kept: answers quote documents, and some of these are to be gone.

    Raises:
        StoreUnavailable: the store can't be reached.
    """
    if kept := await store.items(_PREFIX):
        await store.delete(list(kept))


class KeptAnswers(Protocol):
    """Where answers are kept; another one may know near questions too."""

    async def keep(self, question: Question, kept: KeptAnswer) -> None:
        """Keep an answer in place of an older one; raises StoreUnavailable."""
        ...

    async def find(self, question: Question) -> KeptAnswer | None:
        """Return the answer that was kept; raises StoreUnavailable."""
        ...


class StoredAnswers:
    """Keeps them in the central store, for a day, for all clusters that share its documents."""

    def __init__(self, store: Store, codec: MessageCodec) -> None:
        self._store = store
        self._codec = codec

    async def keep(self, question: Question, kept: KeptAnswer) -> None:
        """Keep an answer in place of an older one.

        Raises:
            StoreUnavailable: the store can't be reached.
        """
        event = Event(kept.at_wall_s, NO_TASK, AgentId(""), StepId(""), Answered(kept.answer))
        _, body = self._codec.encode(event)
        if len(body) <= BYTES_MAX:
            await self._store.put_many({_PREFIX + question.key: body}, KEPT_S)

    async def find(self, question: Question) -> KeptAnswer | None:
        """Return the answer that was kept, if there is one.

        Raises:
            StoreUnavailable: the store can't be reached.
            WireError: what is there is none of ours.
        """
        [body] = await self._store.get_many([_PREFIX + question.key])
        event = self._codec.decode(_EVENT, body) if body else None
        if not (isinstance(event, Event) and isinstance(event.detail, Answered)):
            return None
        return KeptAnswer(event.detail.answer, event.at_s)
