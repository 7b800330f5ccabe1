"""The options of llama.cpp's server: which there are, and whether given ones are among them.

What there is stands in `server_options.toml`, by the names of the package's own parameters; a test
compares it with the installed package. Used before a server is started, where the package is not
imported, and by the server itself.
"""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from cluster.kernel.errors import UsageError

_KEY = "engine.server_options"
_LIST = "list"
_WANTED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "dict": "a table",
}
"""What a value has to be, by the kinds that are no enum of the package's."""
_CHOICES_SHOWN = 12


def checked_server_options(options: Mapping[str, object]) -> dict[str, object]:
    """Return options by their dotted names, as ``speculative.ngram_simple.size_n``.

    Args:
        options: as a file of settings has them, one table in another.

    Raises:
        UsageError: one is no option, is ours to set, or has a wrong value; says what is allowed.
    """
    flat = dict(_flat(options, ""))
    for name, value in flat.items():
        _check(name, value)
    return flat


def enum_member(package: Any, name: str, value: object) -> object:
    """Return an option's value as the package wants it: names of an enum as its members."""
    kind, is_list = _kind(_listed()["options"][name])
    enum = _listed()["enums"].get(kind)
    if enum is None:
        return float(value) if kind == "float" and isinstance(value, int) else value
    members = getattr(package, kind)
    given = value if is_list and isinstance(value, list) else [value]
    found = [getattr(members, f"{enum['prefix']}{str(each).upper()}") for each in given]
    return found if is_list else found[0]


@cache
def _listed() -> Mapping[str, Any]:
    text = resources.files("agents.models.local").joinpath("server_options.toml").read_text("utf-8")
    return tomllib.loads(text)


def _flat(options: Mapping[str, object], inside: str) -> Iterator[tuple[str, object]]:
    for key, value in options.items():
        name = f"{inside}{key}"
        if isinstance(value, Mapping) and _listed()["options"].get(name) != "dict":
            yield from _flat(value, f"{name}.")
        else:
            yield name, value


def _check(name: str, value: object) -> None:
    options: Mapping[str, str] = _listed()["options"]
    if name in _listed()["ours"]["names"]:
        raise UsageError(f"{_KEY}.{name} is Fleetmind's own to set")
    if name not in options:
        near = difflib.get_close_matches(name, options, n=3)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        version = _listed()["version"]
        raise UsageError(
            f"{_KEY}.{name} is no option of llama.cpp's server (xllamacpp {version}); "
            f"{hint}docs/engines.md names those that matter"
        )
    kind, is_list = _kind(options[name])
    given = value if is_list and isinstance(value, list) else [value]
    wrong = [each for each in given if not _is_of(kind, each)]
    if wrong or is_list != isinstance(value, list):
        raise UsageError(f"{_KEY}.{name} must be {_wanted(kind, is_list=is_list)}, not {value!r}")


def _kind(text: str) -> tuple[str, bool]:
    """Return the kind of an option's values, and whether it has a list of them."""
    head, _, of = text.partition(" of ")
    return (of, True) if head == _LIST else (text, False)


def _is_of(kind: str, value: object) -> bool:
    match kind:
        case "bool":
            return isinstance(value, bool)
        case "int":
            return type(value) is int
        case "float":
            return type(value) in {int, float} and math.isfinite(float(str(value)))
        case "str":
            return isinstance(value, str)
        case "dict":
            return isinstance(value, Mapping)
    return value in _listed()["enums"][kind]["names"]


def _wanted(kind: str, *, is_list: bool) -> str:
    wanted = _WANTED.get(kind)
    if wanted is None:
        names = _listed()["enums"][kind]["names"]
        more = ", ..." if len(names) > _CHOICES_SHOWN else ""
        wanted = f"one of {', '.join(names[:_CHOICES_SHOWN])}{more}"
    return f"a list, each {wanted}" if is_list else wanted
