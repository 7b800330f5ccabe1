"""Placeholders in the texts of a workflow: ``{name}`` stands for an input, ``{{name}}`` for itself.

Pure; called by `reading` and `writing`. Only a name in braces is one: programs and JSON that stand
in an instruction stay as they are, which `str.format` would not allow.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_IN_BRACES = re.compile(rf"\{{\{{({NAME.pattern})\}}\}}|\{{({NAME.pattern})\}}")


class UnknownPlaceholder(ValueError):
    """A text names an input that there isn't; the message is its name."""


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return the text with the inputs' values, in which nothing is replaced again.

    Raises:
        UnknownPlaceholder: there is no such input.
    """

    def value(found: re.Match[str]) -> str:
        itself, name = found.groups()
        if itself is not None:
            return f"{{{itself}}}"
        if name not in values:
            raise UnknownPlaceholder(name)
        return values[name]

    return _IN_BRACES.sub(value, text)


def escaped(text: str) -> str:
    """Return the text that `filled` makes the given one of, whatever the inputs are."""
    return re.sub(rf"\{{{NAME.pattern}\}}", r"{\g<0>}", text)
