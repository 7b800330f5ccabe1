"""JSON as models write it: the one reader of text that JSON's own grammar refuses.

Pure. Reads comments, single and typographic quotes, quotes within a text, raw line breaks, Python's
literals, keys and words without quotes, missing and surplus commas, and what is broken off or not
closed. In linear time and without recursion, whatever the text is (docs/adr/0011). Used by
`agents.planning.plan_text`, for what the streaming reader could not take.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

DEPTH_MAX = 12
TOKENS_MAX = 4_096
"""Where a text has more parts than this, it counts as broken off there."""

_VOID = re.compile(r"(?:\s+|//[^\n]*|#[^\n]*|/\*.*?(?:\*/|\Z))+", re.DOTALL)
_OPENING = {"{": "{", "[": "[", "(": "["}
_CLOSING = {"}": "{", "]": "[", ")": "["}
_CLOSERS = {
    '"': '"',
    "'": "'",
    "`": "`",
    "\u201c": '\u201d\u201c"',
    "\u201d": '\u201d"',
    "\u201e": '\u201c\u201d"',
    "\u2018": "\u2019'",
    "\u2019": "\u2019'",
    "\u00ab": "\u00bb",
}
"""Quotation marks that may begin a text, each with those that may end it."""
_MARK = f"[{re.escape(''.join(_CLOSERS))}]"
_SOURCES = {closers: re.compile(rf"\\.|[{closers}]", re.DOTALL) for closers in _CLOSERS.values()}
_KEY = rf"(?:{_MARK}[\w .-]{{1,40}}{_MARK}\s{{0,8}}[:=\[{{]|[^\W\d]\w{{0,40}}\s{{0,8}}[:=])"
_END = r"\s{0,99}(?:\Z|[}\])]|//|/\*|#|"
# A quotation mark ends a text only where what follows it can follow a text: those within are text.
_AFTER_KEY = re.compile(r"\s{0,99}[:=\[{]")
_AFTER_MEMBER = re.compile(rf"{_END},\s{{0,99}}(?:\Z|[}}\]#/]|{_KEY})|{_KEY})")
_AFTER_ITEM = re.compile(rf"{_END},\s{{0,99}}(?:\Z|[\]{{\[#/\d]|{_MARK}))")
_NEXT_OBJECT = re.compile(r"\s{0,99},\s{0,99}\{")
_WORD = re.compile(r"(?:(?!//|/\*|\s#)[^,:=\[\]{}()\n\"\u201c-\u201e])+")
_LITERALS = {"true": True, "false": False, "null": None, "none": None, "undefined": None}
_NUMBER = re.compile(r"-?\d{1,18}(\.\d{1,18})?(?:[eE][+-]?\d{1,3})?")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": "\n"}
_PLAIN = frozenset("\"'`/\\")


class Unreadable(ValueError):
    """The text is nested too deep, or nothing that could be read begins in it."""


@dataclass(frozen=True, slots=True)
class JsonReading:
    """A value read from a text, and where in the text it ends."""

    value: object
    end: int
    is_closed: bool
    is_cut: bool
    """The text ends within a member, which is left out."""


def read_json(text: str, start: int = 0) -> JsonReading:
    """Return the object or list that begins at a place of the text.

    What is broken off at the text's end counts as far as it is whole: of a list its whole members.

    Raises:
        Unreadable: it is nested too deep, or nothing begins there.
    """
    if text[start : start + 1] not in _OPENING:
        raise Unreadable("neither an object nor a list begins here")
    reader = _Reader(text, start)
    while reader.has_more():
        reader.take()
    is_closed, is_cut = reader.is_closed, reader.is_cut
    return JsonReading(reader.value(), reader.at, is_closed=is_closed, is_cut=is_cut)


@dataclass(slots=True)
class _Frame:
    """An object or list that is still open."""

    kind: str
    members: dict[str, object] = field(default_factory=dict)
    items: list[object] = field(default_factory=list)
    key: str | None = None
    """The key that waits for its value."""

    def value(self) -> object:
        return self.members if self.kind == "{" else self.items

    def put(self, value: object) -> None:
        if self.kind == "[":
            self.items.append(value)
        elif self.key is not None:
            self.members.setdefault(self.key, value)
            self.key = None


class _Reader:
    """A text being read, with what is open at the place it has come to."""

    def __init__(self, text: str, start: int) -> None:
        self._text = text
        self._open: list[_Frame] = []
        self._root: _Frame | None = None
        self._tokens = 0
        self.is_cut = False
        """A member has begun and has not ended."""
        self.at = start

    @property
    def is_closed(self) -> bool:
        """Whether the value has ended."""
        return self._root is not None and not self._open

    def has_more(self) -> bool:
        """Skip what says nothing; say whether something to be read follows."""
        if self.is_closed or self._tokens == TOKENS_MAX:
            self.is_cut |= not self.is_closed
            return False
        void = _VOID.match(self._text, self.at)
        if void is not None:
            self.at = void.end()
        return self.at < len(self._text)

    def take(self) -> None:
        """Read one token."""
        self._tokens += 1
        mark = self._text[self.at]
        if mark in _OPENING:
            self._enter(_OPENING[mark])
        elif mark in _CLOSING:
            self._leave(_CLOSING[mark])
        elif mark in ",:=":
            self.is_cut = True
            self.at += 1
            if mark == ",":
                self._open[-1].key = None
        elif mark in _CLOSERS:
            self._take_quoted(mark)
        else:
            self._take_word()

    def value(self) -> object:
        """Close what is open, without the object that is cut off in the middle."""
        while self._open:
            frame = self._open.pop()
            if self.is_cut and frame.kind == "{" and self._open:
                self.is_cut = False
            elif self._open:
                self._open[-1].put(frame.value())
        return self._root.value() if self._root else None

    def _enter(self, kind: str) -> None:
        if len(self._open) == DEPTH_MAX:
            raise Unreadable(f"it is nested deeper than {DEPTH_MAX} levels")
        frame = _Frame(kind)
        self._root = self._root or frame
        self._open.append(frame)
        self.is_cut = False
        self.at += 1

    def _leave(self, kind: str) -> None:
        self.is_cut = False
        self.at += 1
        if not any(frame.kind == kind for frame in self._open) or self._is_surplus(kind):
            return
        is_left = False
        while not is_left:
            frame = self._open.pop()
            is_left = frame.kind == kind
            if self._open:
                self._open[-1].put(frame.value())

    def _is_surplus(self, kind: str) -> bool:
        """Say whether a closing brace stands between two objects of a list."""
        items = self._open[-1].items
        is_after = kind == "{" and bool(items) and isinstance(items[-1], dict)
        return is_after and _NEXT_OBJECT.match(self._text, self.at) is not None

    def _take_quoted(self, mark: str) -> None:
        frame = self._open[-1]
        is_key = frame.kind == "{" and frame.key is None
        after = _AFTER_KEY if is_key else _AFTER_MEMBER if frame.kind == "{" else _AFTER_ITEM
        end = _closing(self._text, self.at + 1, _SOURCES[_CLOSERS[mark]], after)
        if end is None:
            self.is_cut = True
            self.at = len(self._text)
            return
        text = _unescaped(self._text[self.at + 1 : end])
        self.at = end + 1
        self._put(text, text)

    def _take_word(self) -> None:
        word = _WORD.match(self._text, self.at)
        if word is None:
            self.at += 1
            return
        self.at = word.end()
        if self.at == len(self._text):
            self.is_cut = True
            return
        text = word.group().strip()
        self._put(text, _literal(text))

    def _put(self, text: str, value: object) -> None:
        frame = self._open[-1]
        if frame.kind == "{" and frame.key is None:
            frame.key = text
            self.is_cut = True
        else:
            frame.put(value)
            self.is_cut = False


def _closing(text: str, start: int, marks: re.Pattern[str], after: re.Pattern[str]) -> int | None:
    """Return where a quoted text ends; None where it is broken off."""
    for mark in marks.finditer(text, start):
        if not mark.group().startswith("\\") and after.match(text, mark.end()):
            return mark.start()
    return None


def _unescaped(text: str) -> str:
    whole = _ESCAPE.sub(_character, text) if "\\" in text else text
    # Halves of a character beyond the first 65,536 stand in two escapes.
    return whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _character(escape: re.Match[str]) -> str:
    if escape[1]:
        return chr(int(escape[1], 16))
    if escape[2] in _PLAIN:
        return escape[2]
    return _ESCAPES.get(escape[2], escape.group())


def _literal(text: str) -> object:
    if text.lower() in _LITERALS:
        return _LITERALS[text.lower()]
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    return float(text) if number[1] or "e" in text.lower() else int(text)
