"""The text of a model's reply as it comes: what of it is no reasoning, and when there is enough.

Used by `agents.models.call`; `TextEnd` and `Author` are what agents give to `Agent.think`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol, runtime_checkable

RUN_ON_MAX = 200
"""Characters read after there is enough, so that a well-behaved stream ends by itself."""
_BLOCK = re.compile(r"[{\[]|```|~~~")
_FENCE_LENGTH = 3


@runtime_checkable
class TextEnd(Protocol):
    """What says when there is enough, and can forget what it was given."""

    def __call__(self, piece: str) -> bool:
        """Take the next piece of text; True once what was asked for is whole."""
        ...

    def reset(self) -> None:
        """Forget the text so far: it was reasoning."""
        ...


@runtime_checkable
class ActingEnd(TextEnd, Protocol):
    """A text end that acts on what it was given before the text has ended."""

    def settle(self) -> None:
        """Act: what was given so far is no reasoning. Called after each piece of which that holds.

        What begins as it was asked for is trusted at once (`_Reply`); only a stray closing tag can
        still show it to have been a thought.
        """
        ...


@runtime_checkable
class BoundedEnd(TextEnd, Protocol):
    """A text end that sees to it itself where the model has to stop before there is enough."""

    def run_out(self, reason: str) -> None:
        """Take that nothing follows, and why; called once, after the last piece."""
        ...


IsEnough = Callable[[str], bool] | TextEnd
"""Takes each piece of text as it comes; True once what was asked for is whole."""


class Author:
    """Which kind of model a reply is from; kept by the call, read by who judges its text.

    Until it has said something, the model of the settings is who will probably write.
    """

    __slots__ = ("is_embedded",)

    def __init__(self, *, is_embedded: bool) -> None:
        self.is_embedded = is_embedded
        """Whether it is a model of the catalogue; changes where another attempt begins."""


class Reply:
    """The text of a reply, without reasoning, and whether it is enough.

    A reply that begins in the middle of a thought looks like text until its closing tag comes. So
    where it begins with more prose than what was asked for needs, all of it is read: what is enough
    within a thought, or refused there, is void.
    """

    def __init__(self, is_enough: IsEnough | None, preface_length_max: int) -> None:
        self._is_enough = is_enough
        self._acting: ActingEnd | None = None
        # Of None too, a protocol's methods are looked for one by one: 40 us.
        if is_enough is not None and isinstance(is_enough, ActingEnd):
            self._acting = is_enough
        self._preface_length_max = preface_length_max
        self._pieces: list[str] = []
        self._enough_at: int | None = None
        self._refusal: Exception | None = None
        """What ``is_enough`` raised where the text may still turn out to be reasoning."""
        self._may_be_thought = True
        self._start = ""
        """The first text, as far as it says how the reply begins."""
        self.length = 0

    def take(self, text: str) -> None:
        """Add a piece; raises what ``is_enough`` does, unless this may be a thought."""
        self._pieces.append(text)
        self.length += len(text)
        self._start = (self._start + text).lstrip()[: self._preface_length_max + _FENCE_LENGTH]
        if self._is_enough is None or self._enough_at is not None or self._refusal is not None:
            return
        try:
            if self._is_enough(text):
                self._enough_at = self.length
        except Exception as error:
            if not self._is_doubtful():
                raise
            self._refusal = error
        else:
            self._settle()

    def void(self) -> None:
        """Forget all text: it was reasoning."""
        self.forget()
        self.trust()

    def forget(self) -> None:
        """Forget all text: what follows begins anew."""
        self._pieces.clear()
        self.length, self._enough_at, self._refusal = 0, None, None
        self._start = ""
        if isinstance(self._is_enough, TextEnd):
            self._is_enough.reset()

    def trust(self) -> None:
        """Take the text for what it seems: the reasoning is known to be elsewhere."""
        if self._may_be_thought:
            self._may_be_thought = False
            self._settle()

    def _settle(self) -> None:
        may_act = self._pieces and self._refusal is None and not self._is_doubtful()
        if self._acting is not None and may_act:
            self._acting.settle()

    @property
    def may_be_whole_early(self) -> bool:
        """Whether there may be enough before the stream has ended."""
        return self._is_enough is not None

    @property
    def is_whole(self) -> bool:
        """Whether what was asked for has come."""
        return self._enough_at is not None

    @property
    def is_whole_for_good(self) -> bool:
        """Whether it has come, and can't turn out to have been reasoning."""
        return self.is_whole and not self._is_doubtful()

    def has_run_on(self) -> bool:
        """Say whether more was said after there was enough than a reply needs to end."""
        is_longer = self._enough_at is not None and self.length - self._enough_at > RUN_ON_MAX
        return is_longer and not self._is_doubtful()

    def run_out(self, reason: str) -> bool:
        """Take that the model had to stop; say whether whoever asked sees to the end itself."""
        if not isinstance(self._is_enough, BoundedEnd):
            return False
        self._is_enough.run_out(reason)
        return True

    def text(self) -> str:
        """Return the whole text; raises what ``is_enough`` raised for good."""
        if self._refusal is not None:
            raise self._refusal
        return "".join(self._pieces)

    def _is_doubtful(self) -> bool:
        """Say whether this may be a thought: it does not begin as what was asked for does."""
        block = _BLOCK.search(self._start)
        is_prose = block is None or block.start() > self._preface_length_max
        return self._may_be_thought and is_prose
