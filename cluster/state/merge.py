"""How a field of shared state merges: what stands in ``Annotated[type, merge.NAME]``.

A field that says nothing merges by `siblings`: of two concurrent changes none is lost, and somebody
decides. A finer default, guessed from the type, would be wrong without a word: not every number is
a sum, and not every list is without an order.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import FunctionType

from cluster.kernel.errors import UsageError
from cluster.kernel.state.merging import CannotMerge
from cluster.kernel.state.own_policies import MergeFunction

__all__ = [
    "CannotMerge",
    "MergeRule",
    "append",
    "by",
    "by_key",
    "latest",
    "maximum",
    "siblings",
    "text",
    "total",
    "union",
]


@dataclass(frozen=True, slots=True)
class MergeRule:
    """A way of merging, by the name that edits call it."""

    name: str
    function: MergeFunction | None = None
    """Of a policy of the program's own."""


by_key = MergeRule("by_key")
"""Dicts, and models field by field: each key by itself, a conflict only where two change one."""
union = MergeRule("union")
"""Lists without an order or duplicates, and sets."""
append = MergeRule("append")
"""Lists that only grow; what two append at once both counts."""
text = MergeRule("text")
"""Text, line by line."""
total = MergeRule("total")
"""Numbers: increments add up."""
maximum = MergeRule("maximum")
"""Numbers, or text: the largest stays."""
latest = MergeRule("latest")
"""The later change wins, except over a person's that its author had not seen."""
siblings = MergeRule("siblings")
"""Two concurrent changes are a conflict with both values, which somebody decides."""


def by(function: MergeFunction) -> MergeRule:
    """Return the rule of a function of (base, mine, theirs), all plain values as JSON has them.

    It returns the merged value, always the same of the same three, or raises `CannotMerge`. Edits
    name it as ``module:qualname``: whoever reads them has to be able to import it.

    Raises:
        UsageError: other processes can't find the function by a name.
    """
    name = getattr(function, "__qualname__", "")
    if not isinstance(function, FunctionType) or "<" in name:
        raise UsageError(
            f"merge.by needs a function at the top of a module: other processes find it by its "
            f"name, and {name or function!r} has none there"
        )
    return MergeRule(f"{_module(function)}:{name}", function)


def _module(function: FunctionType) -> str:
    """Return the name by which other processes import a function's module."""
    if function.__module__ != "__main__":
        return function.__module__
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is None:
        raise UsageError(
            f"merge.by({function.__qualname__}): other processes can't import from the script "
            f"that was started; put the function, and the class that uses it, into a module"
        )
    return str(spec.name)
