"""Streams in other bytes that say the same: by the standards of JSON and of event streams.

What may differ: the order of an object's fields, blanks between the parts of JSON (line feeds too:
an event's data may stand on several lines), which characters of a string are escaped, how lines
end, a byte order mark, comments, and events that say nothing. A reader of any of them must come to
the same text, reasoning, finish, usage and trouble.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable

WORDS = (
    *(
        "Nine",
        " bean",
        " rows",
        " ",
        "\n",
        "\n\n",
        "\r",
        "\r\n",
        "\t",
        "\x00",
        "\x7f",
        "/",
        '"',
        "\\",
    ),
    *(
        "\u00e9",
        "\u041f\u0440",
        "\u65e5\u672c",
        "\U0001f331",
        "\ufeff",
        "\u2028",
        "\u0085",
        "\ufffd",
    ),
    *("data: x", "data: [DONE]", "[DONE]", ": ping", "null", "{", "}]", "```\n", "\\n", "\\u0041"),
    *("\ud83c", "\udf31", "w" * 3_000),
)
"""What an answer is made of: halves of a surrogate pair may stand apart, as some send them."""
WORDS_MAX = 6
TEXT_FIELDS = frozenset({"content", "reasoning_content", "reasoning", "thinking", "text"})
COMMENTS = (b":", b": ping", b":data: x", b": \xff", b"id: 7", b"retry: 3000", b"unknown: x")
SILENT_EVENTS = (
    *(b"", b"event: ping", b"data", b"data:", b"data: ", b'data: {"choices": []}', b"data: {}"),
)
"""As keep a connection alive; the last two as chunks without a choice."""
ADDED_MAX = 4
BLANKS = ("", "", "", " ", "  ", "\t", "\n", "\n ")
LINE_ENDS = (b"\n", b"\r\n", b"\r")
SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")
_DATA = re.compile(rb"data: ?(?=\{)")


def with_other_words(body: bytes, rng: random.Random) -> bytes:
    """Return a stream of which each piece of text is another one, in plain JSON."""

    def altered(value: object) -> object:
        if isinstance(value, list):
            return [altered(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {
            name: _words(rng) if name in TEXT_FIELDS and _is_text(found) else altered(found)
            for name, found in value.items()
        }

    return _rewritten(body, lambda value: json.dumps(altered(value)))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _words(rng: random.Random) -> str:
    return "".join(rng.choices(WORDS, k=rng.randint(1, WORDS_MAX)))


def retold(body: bytes, rng: random.Random) -> bytes:
    """Return other bytes that say what these do."""
    escaped = rng.choice((0.0, 0.1, 1.0))
    blanks = rng.choice((("",), (" ",), BLANKS))
    body = _rewritten(body, lambda value: _json(value, rng, blanks, escaped))
    if _is_json(body):
        body = rng.choice((b"", b"\n", b"\r\n \n")) + body + rng.choice((b"", b"\n", b" \r\n"))
    else:
        body = _with_ends(_with_silence(body.split(b"\n"), rng), rng)
    return rng.choice((b"", b"", _BOM)) + body


def _is_json(body: bytes) -> bool:
    return body.lstrip().startswith((b"{", b"["))


def _rewritten(body: bytes, written: Callable[[object], str]) -> bytes:
    """Return a body with all its JSON written anew, and a line feed at the end of each line."""
    if _is_json(body):
        return _encoded(written(json.loads(body)))
    lines = []
    for line in _LINE_END.split(body):
        if found := _DATA.match(line):
            texts = _encoded(written(json.loads(line[found.end() :]))).split(b"\n")
            lines += [found[0] + text for text in texts]
        else:
            lines.append(line)
    return b"\n".join(lines)


def _encoded(text: str) -> bytes:
    return text.encode()


def _json(value: object, rng: random.Random, blanks: tuple[str, ...], escaped: float) -> str:
    """Return a value as JSON, with blanks between its parts, and a share of characters escaped."""

    def blank() -> str:
        return rng.choice(blanks)

    if isinstance(value, str):
        return f'"{"".join(_character(each, rng, escaped) for each in value)}"'
    if isinstance(value, list):
        parts = [_json(each, rng, blanks, escaped) for each in value]
    elif isinstance(value, dict):
        fields = list(value.items())
        rng.shuffle(fields)
        parts = [
            f"{_json(name, rng, blanks, escaped)}{blank()}:{blank()}"
            f"{_json(found, rng, blanks, escaped)}"
            for name, found in fields
        ]
    else:
        return json.dumps(value)
    start, end = "[]" if isinstance(value, list) else "{}"
    inner = f"{blank()},{blank()}".join(parts)
    return f"{start}{blank()}{inner}{blank()}{end}"


def _character(character: str, rng: random.Random, escaped: float) -> str:
    """Return a character of a string in JSON; one that may stand as it is mostly does."""
    must = character < " " or character in '"\\' or "\ud800" <= character <= "\udfff"
    if not must and rng.random() >= escaped:
        return character
    if character in SHORT_ESCAPES and rng.random() < 0.5:
        return SHORT_ESCAPES[character]
    units = character.encode("utf-16-be", "surrogatepass")
    form = rng.choice(("\\u{:04x}", "\\u{:04X}"))
    return "".join(
        form.format(int.from_bytes(units[at : at + 2])) for at in range(0, len(units), 2)
    )


def _with_silence(lines: list[bytes], rng: random.Random) -> list[bytes]:
    """Return lines with comments among them, and between events such as say nothing."""
    for _ in range(rng.randint(0, ADDED_MAX)):
        lines.insert(rng.randint(0, len(lines) - 1), rng.choice(COMMENTS))
    for _ in range(rng.randint(0, ADDED_MAX)):
        between = [0, *(at for at in range(2, len(lines)) if not lines[at - 1])]
        at = rng.choice(between)
        lines[at:at] = [rng.choice(SILENT_EVENTS), b""]
    return lines


def _with_ends(lines: list[bytes], rng: random.Random) -> bytes:
    """Return lines with the ends of one kind, or of any."""
    ends = rng.choice((*((end,) for end in LINE_ENDS), LINE_ENDS))
    body = bytearray()
    for line in lines[:-1]:
        end = rng.choice(ends)
        # After a return and an empty line a line feed would be the second half of one end.
        body += line + (b"\r" if not line and body.endswith(b"\r") and end == b"\n" else end)
    return bytes(body + lines[-1])
