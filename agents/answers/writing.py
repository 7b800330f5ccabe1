"""Follows an answer while a model writes it: judged in a thread, shown as far as it is sure.

Used by `agents.manager`, which gives it to `Agent.think`. The event loop only looks whether another
sentence has ended; one look at a time is under way, always at all that has come by then.
"""

from __future__ import annotations

import asyncio
import re
from types import TracebackType
from typing import Protocol, Self

from agents.models.port import Commitment
from agents.models.reply import Author
from cluster.kernel.events import Thought
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Answer

_STOP = re.compile(r"[.!?:|。！？：\n]")  # noqa: RUF001
_BEGUN = 16
"""Characters after a full stop that make it worth a look: by then the next sentence has begun."""


class JudgedDraft(Protocol):
    """What judges; one thread at a time uses it. See `agents.answers.draft`."""

    @property
    def shown(self) -> str:
        """What has been shown."""
        ...

    def read(self, text: str, *, is_embedded: bool, is_shown: bool = True) -> str:
        """Take the text so far; return what more of the answer is sure now, if it is shown."""
        ...

    def answer(self, text: str, *, is_embedded: bool) -> Answer | None:
        """Return the answer in the whole text; None where nothing is left of it."""
        ...


class AnswerWriting:
    """Is told each piece of the text as it comes; never says that there is enough.

    Args:
        draft: judges.
        turn: is told what is sure.
        author: who writes; `Agent.think` says it in it before each piece.
        is_early: whether anything is judged before the end.
        is_shown: whether it is shown then, too.
    """

    def __init__(
        self,
        draft: JudgedDraft,
        turn: Turn,
        author: Author,
        *,
        is_early: bool = True,
        is_shown: bool,
    ) -> None:
        self._draft = draft
        self._turn = turn
        self.author = author
        self._is_early = is_early
        self._is_shown = is_shown
        self._pieces: list[str] = []
        self._is_stopped = False
        """Whether a sentence may have ended that was not looked at."""
        self._since_stop = 0
        self.commitment = Commitment()
        """Made with the first sentence that is shown: it stays in the answer."""
        self._looking: asyncio.Task[None] | None = None
        self._is_behind = False

    async def __aenter__(self) -> Self:
        """Lay out, while the model has not begun yet, what the text is held against."""
        self._look()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave no look under way."""
        if self._looking is not None and not self._looking.done():
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    def __call__(self, piece: str) -> bool:
        """Take the next piece of text."""
        self._pieces.append(piece)
        stops = [stop.end() for stop in _STOP.finditer(piece)]
        self._is_stopped |= bool(stops)
        self._since_stop = len(piece) - stops[-1] if stops else self._since_stop + len(piece)
        if self._is_stopped and self._since_stop >= _BEGUN:
            self._is_stopped = False
            self._look()
        return False

    def reset(self) -> None:
        """Forget the text so far: it was reasoning, or an attempt that was given up."""
        self._pieces.clear()
        self._is_stopped, self._since_stop = False, 0

    async def answer(self, text: str) -> Answer | None:
        """Return the answer in the whole text; None where nothing is left of it."""
        if self._looking is not None:
            self._is_behind = False
            await self._looking
        is_embedded = self.author.is_embedded
        return await asyncio.to_thread(self._draft.answer, text, is_embedded=is_embedded)

    @property
    def has_shown(self) -> bool:
        """Whether a part of the answer has been shown, and has to stand in it."""
        return bool(self._draft.shown)

    def _look(self) -> None:
        if not self._is_early:
            return
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._judge(), name="judging the answer")
        else:
            self._is_behind = True

    async def _judge(self) -> None:
        self._is_behind = True
        while self._is_behind:
            self._is_behind = False
            text, is_embedded = "".join(self._pieces), self.author.is_embedded
            new = await asyncio.to_thread(
                self._draft.read, text, is_embedded=is_embedded, is_shown=self._is_shown
            )
            if new:
                self.commitment.make()
                self._turn.emit(Thought(new, is_final=True))
