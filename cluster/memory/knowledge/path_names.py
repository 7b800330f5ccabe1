"""Paths as text: as the store has them, and as people and models are shown them.

What the store has of a path stays what it always was, or its next `learn` would find another file
there: the path itself, wherever that is UTF-8. Whatever is printed, cited or put in a prompt stands
on one line, with escapes. Used by `cluster.memory.knowledge`, whoever cites a source, and the
command that forgets one.
"""

from __future__ import annotations

import os
import re

_NO_UTF8 = re.compile(r"[\udc80-\udcff]")
_UNSHOWN = re.compile(
    r"[\\\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\udc80-\udcff]"
)
"""Controls of terminals and of the direction of writing, breaks, and what nobody sees in a name.
Those that join letters of Persian, and blanks of other widths, are part of names."""
_ESCAPE = re.compile(
    r"\\(?:(?P<char>[\\tnr])|x(?P<byte>(?!00)[0-9a-f]{2})|u(?P<code>(?!d[89a-f]|0000)[0-9a-f]{4}))"
)
_CHARS = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}
_ASCII_END = 0x80
_SURROGATES = 0xDC00
"""What Python adds to a byte that is no UTF-8."""
_MARKED = re.compile(r"(?:^|(?<=/))\./([^/]*)")
"""A part of a path that is no UTF-8, as the store has it: no path that is normal has a part ``.``,
so that no other path is called so, and what is below a folder begins with the folder's name."""

PathName = str | os.PathLike[str]


def stored_name(path: PathName) -> str:
    """Return what the store calls a path that is normal: another text for each."""
    text = _text(path)
    if not _NO_UTF8.search(text):
        return text
    parts = text.split("/")
    return "/".join(f"./{shown(part)}" if _NO_UTF8.search(part) else part for part in parts)


def known_names(path: PathName) -> tuple[str, ...]:
    """Return what the store may call a path that is normal: also as earlier versions named it.

    They had U+FFFD for each byte that is no UTF-8. Where a path is really called so, that one has
    the name.
    """
    name = stored_name(path)
    former = os.fsencode(path).decode("utf-8", "replace")
    return (name,) if former == name or os.path.lexists(former) else (name, former)


def shown(path: PathName) -> str:
    """Return a path as text of one line that can be printed, whatever its bytes are.

    Bytes that are no UTF-8, and what could forge a line or steer a terminal, stand as escapes, as
    Python writes them: other paths have other texts.
    """
    return _UNSHOWN.sub(_escaped, _text(path))


def unshown(text: str) -> str:
    """Return the path that `shown` gives a text for; the text itself where there is none."""
    path = os.fsdecode(os.fsencode(_ESCAPE.sub(_unescaped, text)))
    return path if shown(path) == text else text


def shown_name(name: str) -> str:
    """Return what `stored_name` gave for a path as `shown` has the path."""
    return shown(_MARKED.sub(lambda found: unshown(found[1]), name))


def _text(path: PathName) -> str:
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    if char.isascii():
        return char.encode("unicode_escape").decode()
    try:
        char.encode()
    except UnicodeEncodeError:
        return f"\\x{os.fsencode(char).hex()}"
    return f"\\u{ord(char):04x}"


def _unescaped(found: re.Match[str]) -> str:
    if found["char"]:
        return _CHARS[found["char"]]
    if found["code"]:
        return chr(int(found["code"], 16))
    number = int(found["byte"], 16)
    return chr(number if number < _ASCII_END else _SURROGATES + number)
