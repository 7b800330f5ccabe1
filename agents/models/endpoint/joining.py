"""How the texts of a stream's chunks join: each as a piece, or as all of the text so far. Pure.

Used by `agents.models.endpoint.stream_reading`, for the text and for the reasoning. Some endpoints
repeat in each chunk all that they have written. Such a stream is told by what one of pieces does
not do: from the first chunk on each begins with the whole one before it, and that is long, grows,
and is no repetition of the first one.
"""

from __future__ import annotations

from enum import Enum, auto

_REPEATED_MIN = 16
"""Characters that are repeated: shorter ones are tokens, which may well come twice."""
_REPEATS_MIN = 2
"""How often, each time with more behind them. A text that comes in pieces would have to begin with
the same 16 characters three times, cut before each of them, and longer each time."""
_REPLACEMENT = "\ufffd"
"""What a server has for a character of which it has only the first bytes."""


class _Join(Enum):
    """What the text of a chunk is."""

    UNTOLD = auto()
    PIECES = auto()
    REPEATS = auto()
    """All of the text so far, and what is new."""
    CONTRADICTED = auto()
    """Neither: it was the one, and is another text now."""


class Contradicted(Exception):
    """Chunks had all of the text so far, and one has another text."""


class Joining:
    """A text as far as it has come."""

    def __init__(self, *, repeats: bool = False) -> None:
        """Begin with nothing.

        Args:
            repeats: whether each chunk of an earlier stream had all of its text.
        """
        self._form = _Join.REPEATS if repeats else _Join.UNTOLD
        self._pieces: list[str] = []
        """What was passed on and counts."""
        self._held = ""
        """The first half of a surrogate pair, whose second one may come."""
        self._first = self._last = ""
        """Of the chunks' texts, as long as they aren't known to be pieces."""
        self._count = 0
        """Of them likewise."""
        self._repeats = 0
        """How many of them tell that they have all of the text."""
        self._length = 0
        """Characters of the last text that were passed on, where each has all."""
        self.has_turned = False
        """Whether all that was passed on is void: the last text has shown that each has all."""

    @property
    def repeats(self) -> bool | None:
        """Whether each chunk has all of the text; None where nothing tells."""
        if self._form is _Join.REPEATS:
            return True if self._count > 1 else None
        return None if self._form is _Join.UNTOLD else False

    @property
    def whole(self) -> str:
        """All that was passed on and counts."""
        return "".join(self._pieces)

    def joined(self, text: str, *, is_whole: bool = False) -> str:
        """Return what is to be passed on; the first half of a pair at its end is held.

        Args:
            text: what a chunk has; not empty.
            is_whole: whether it is a message with a finish reason: one that begins with all of the
                text is not its last piece.

        Raises:
            Contradicted: it can't be joined to those before it.
        """
        if self._form is not _Join.PIECES:
            text = self._compared(text, is_whole=is_whole)
        if is_whole and self._form is not _Join.REPEATS:
            text = text.removeprefix(self.whole)
        if self._held or not text.isascii():
            text, self._held = self._held + text, ""
            if text and "\ud800" <= text[-1] <= "\udbff":
                text, self._held = text[:-1], text[-1]
            text = _paired(text)
        self._pieces.append(text)
        return text

    def left(self) -> str:
        """Return what is held at the end."""
        rest = self._last[self._length :] if self._form is _Join.REPEATS else ""
        held, self._held, self._last = self._held + rest, "", ""
        return _paired(held)

    def _compared(self, text: str, *, is_whole: bool) -> str:
        """Return what is new in a text that may have all those before it."""
        self.has_turned = False
        last = _certain(self._last)
        if self._form is _Join.CONTRADICTED or not text.startswith(last):
            return self._without_repeat(text, last)
        if not self._count:
            self._first = text
        self._count += 1
        is_longer = len(text) > len(self._last)
        if is_longer and len(last) >= _REPEATED_MIN and not _is_periodic(last, self._first):
            self._repeats += 1
        has_grown = len(last) > len(self._first)
        self._last = text
        if self._form is _Join.UNTOLD:
            if self._repeats < _REPEATS_MIN and not (is_whole and has_grown):
                return text
            self._form, self.has_turned, self._held = _Join.REPEATS, True, ""
            self._pieces.clear()
        known, self._length = self._length, len(_certain(text))
        return text[known : self._length]

    def _without_repeat(self, text: str, last: str) -> str:
        """Return what is new in a text that does not begin with the last one."""
        if self._form is _Join.UNTOLD or self._count == 1:
            # A single text was passed on as it is, whatever was expected of those to come.
            if self._form is _Join.REPEATS:
                self._held = self._last[self._length :]
            self._form, self._first, self._last = _Join.PIECES, "", ""
            return text
        is_trimmed = self._form is _Join.REPEATS and last.startswith(_certain(text))
        if not is_trimmed:
            self._form = _Join.CONTRADICTED
            raise Contradicted
        return ""


def _certain(text: str) -> str:
    """Return a text without a part of a character at its end, which more bytes will change."""
    if text.isascii():
        return text
    text = text.rstrip(_REPLACEMENT)
    return text[:-1] if text and "\ud800" <= text[-1] <= "\udbff" else text


def _is_periodic(text: str, first: str) -> bool:
    """Say whether a text is made of its beginning, again and again, as a line of dashes is.

    Pieces of such a text may each begin with the one before: then all of it is made of the first.
    """
    return text.startswith((first * (len(text) // len(first) + 1))[: len(text)])


def _paired(text: str) -> str:
    """Return a text with halves of surrogate pairs put together; one alone is replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
