"""What of a request goes to a model that can't take in all of it. Pure.

Called by `agents.models.policies.fitted`. Sizes are bytes of UTF-8, which vary less from language
to language than characters do, of what a token has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.models.port import Message, PromptPart

_CHARACTER_BYTES_MAX = 4
_WORD_LENGTH_MAX = 64
"""What is longer isn't one word: a script without spaces, or data, which may be cut anywhere."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """Messages that were fitted, and what of them was left out."""

    messages: tuple[Message, ...]
    left_out: str = ""
    """For people, as in ``2 of 14 passages, the ends of 1 of 3 results``."""


def size_of(messages: Sequence[Message]) -> int:
    """Return how many bytes the texts of messages have."""
    return sum(_size(message.text) for message in messages)


def least_size_of(messages: Sequence[Message]) -> int:
    """Return how many bytes of messages have to stay."""
    return size_of(messages) - sum(
        _size(part.text) for message in messages for part in message.parts if part.rank
    )


def shared_size(one: Sequence[Message], other: Sequence[Message]) -> int:
    """Return how many bytes two prompts begin with alike: what a server's cache may keep."""
    size = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine.role != theirs.role:
            return size
        alike = _alike(mine.text, theirs.text)
        size += _size(mine.text[:alike])
        if alike < max(len(mine.text), len(theirs.text)):
            return size
    return size


def answer_tokens(window: int, tokens_max: int | None) -> int:
    """Return how many tokens of a window are kept for the answer: half of them at the most."""
    half = window // 2
    return half if tokens_max is None else min(tokens_max, half)


def fitted(messages: tuple[Message, ...], bytes_max: int) -> Fitting:
    """Return the messages without the parts for which there is no room; themselves if all fit.

    The parts of the highest rank go first, of these the last one first. Those of one rank that may
    be cut are cut to the same size, as far as they are longer. What stays is in its order; it may
    be too long all the same, where what has to stay is.
    """
    over = size_of(messages) - bytes_max
    if over <= 0:
        return Fitting(messages)
    pieces = [[_KeptPart(part, part.text) for part in message.parts] for message in messages]
    spare = [piece for row in pieces for piece in row if piece.part.rank]
    for rank in sorted({piece.part.rank for piece in spare}, reverse=True):
        group = [piece for piece in spare if piece.part.rank == rank]
        for piece in reversed([each for each in group if not each.part.may_be_cut]):
            if over > 0:
                over -= piece.shorten(0)
        over -= _level([each for each in group if each.part.may_be_cut], over)
    rest = tuple(
        Message.of(message.role, (piece.rest for piece in row)) if row else message
        for message, row in zip(messages, pieces, strict=True)
    )
    return Fitting(rest, _told(spare))


@dataclass(slots=True)
class _KeptPart:
    """A part, and what is left of it."""

    part: PromptPart
    text: str

    @property
    def rest(self) -> PromptPart:
        part = self.part
        return PromptPart(self.text, part.rank, part.kind, may_be_cut=part.may_be_cut)

    def shorten(self, bytes_max: int) -> int:
        """Cut it, behind a word where there is one; returns how many bytes that saves."""
        before = _size(self.text)
        if before <= bytes_max:
            return 0
        head = self.text[:bytes_max]
        while (over := _size(head) - bytes_max) > 0:
            head = head[: -max(1, over // _CHARACTER_BYTES_MAX)]
        at = max(head.rfind(" "), head.rfind("\n"))
        self.text = head[:at] if at > 0 and len(head) - at <= _WORD_LENGTH_MAX else head
        return before - _size(self.text)


def _alike(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike, by halving."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _size(text: str) -> int:
    # A model may have written half a surrogate pair.
    return len(text.encode(errors="surrogatepass"))


def _level(pieces: Sequence[_KeptPart], over: int) -> int:
    """Cut the longest ones to one size, so that there are so many bytes less; returns how many."""
    if over <= 0 or not pieces:
        return 0
    sizes = sorted(_size(piece.text) for piece in pieces)
    room = max(0, sum(sizes) - over)
    level = 0
    for left, size in zip(range(len(sizes), 0, -1), sizes, strict=True):
        level = room // left
        if size > level:
            break
        room -= size
    return sum(piece.shorten(level) for piece in pieces)


def _told(pieces: Sequence[_KeptPart]) -> str:
    """Return what was left out, for people."""
    told = []
    for kind in dict.fromkeys(piece.part.kind for piece in pieces):
        own = [piece for piece in pieces if piece.part.kind == kind]
        gone = sum(not piece.text and bool(piece.part.text) for piece in own)
        cut = sum(0 < len(piece.text) < len(piece.part.text) for piece in own)
        if gone:
            told.append(f"{gone} of {len(own)} {kind}")
        if cut:
            told.append(f"the ends of {cut} of {len(own)} {kind}")
    return ", ".join(told)
