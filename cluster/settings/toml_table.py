"""What every TOML file of a user's is read with, and what is said of a wrong one in one sentence.

Called by `config_file` for the settings and by `cluster.workflows` for a declared workflow; both
check a table against annotated dataclasses with pydantic, which they import where they need it.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.kernel.errors import UsageError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_FILE_BYTES_MAX = 1_000_000
_SHOWN_CHARS_MAX = 100
"""Of a wrong value, which may be as long as its file."""

_LINE = re.compile(r"\(at line (\d+), ")
_KEY_PART = r"(?:[\w-]{1,100}|\"[^\"\x00-\x1f\x7f]{0,100}\"|'[^'\x00-\x1f\x7f]{0,100}')"
_KEY = re.compile(rf"[ \t]*\[{{0,2}}[ \t]*({_KEY_PART}(?:[ \t]*\.[ \t]*{_KEY_PART})*)[ \t]*[=\]]")
"""What a line gives a value to, or the section that it begins."""

UNKNOWN_KEY = "unexpected_keyword_argument"
"""What pydantic calls a key that a section doesn't have."""
Table = dict[str, Any]
"""What TOML parses to: its values are untyped until they are validated."""
KeyPath = tuple[str, ...]
"""A key behind those of the sections it is in."""


def read_table(path: Path, kind: str) -> Table:
    """Return what a file of at most a megabyte holds.

    Args:
        path: where it is.
        kind: what it should be, for the sentence: "x.toml is no ...".

    Raises:
        UsageError: it can't be read, or is not TOML.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_FILE_BYTES_MAX + 1)
        if len(data) > _FILE_BYTES_MAX:
            raise UsageError(f"{path} is no {kind}: it has over {_FILE_BYTES_MAX} bytes")
        text = data.decode("utf-8-sig")  # some editors put a byte order mark first
        return _parsed(text, path)
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text: save it as that") from error
    except RecursionError as error:
        raise UsageError(f"{path} is no {kind}: it is nested too deeply") from error


def _parsed(text: str, path: Path) -> Table:
    try:
        # With a line end, an error of the last line is told with the line, not as at the end.
        return tomllib.loads(f"{text}\n")
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML{_at_key(text, error)}: {error}") from error


def _at_key(text: str, error: tomllib.TOMLDecodeError) -> str:
    """Name the key or section of the line of an error, which the parser does not; may be empty."""
    number = _LINE.search(str(error))  # before Python 3.14 it is nowhere else
    key = _KEY.match(text.split("\n")[int(number[1]) - 1]) if number else None
    return f", at {key[1]}" if key else ""


def wrong_value(key: str, error: ErrorDetails) -> str:
    """Turn what pydantic says of a key into the key and what is allowed; not of unknown keys."""
    if error["type"] == "missing":
        return f"{key} is missing"
    if error["type"] == "value_error":
        return f"{key}.{error['ctx']['error']}"
    if not key:
        return error["msg"]
    wanted = error["msg"].replace("Input should be", "must be").replace("String should", "must")
    given = json.dumps(error["input"], default=str)
    if len(given) > _SHOWN_CHARS_MAX:
        given = f"{given[:_SHOWN_CHARS_MAX]}..."
    return f"{key} {wanted}, not {given}"


def unknown_key(place: KeyPath, allowed: Sequence[str]) -> str:
    """Name a key that its section doesn't have, with the nearest one there is and all others."""
    near = nearest(place[-1], allowed)
    hint = f", did you mean {near}?" if near else ";"
    return f"{'.'.join(place)}{hint} allowed here: {', '.join(allowed)}"


def nearest(name: str, allowed: Sequence[str]) -> str:
    """Return what was probably meant by a name, or nothing."""
    near = difflib.get_close_matches(name, allowed, n=1)
    return near[0] if near else ""
