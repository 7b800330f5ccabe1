"""What a way of merging has to offer, and what it says of a merge. Pure.

An edit carries for each field a *delta*: what was changed, as small as the field's policy can say
it, with the base of just that. Whoever reads the log merges the delta into the value that the
entries before it have made.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol, TypeAlias

from cluster.kernel.errors import BrokenPolicy
from cluster.kernel.state.values import Slot, Value

FieldDelta: TypeAlias = dict[str, Value]


class Rank(Enum):
    """How an edit stands to the latest write of the same field, by their stamps."""

    LATER = "later"
    EARLIER = "earlier"
    DISPUTED = "disputed"
    """One is a person's, the other an agent's, and neither author knew of the other's."""


@dataclass(frozen=True, slots=True)
class Clash:
    """What an edit wanted and could not have without undoing another one."""

    key: str | None
    """Of the field's dict; None where it is the whole field."""
    mine: Slot


class Merged(NamedTuple):
    """A value with a delta merged in; a tuple, since every reader makes one of each field."""

    value: Value
    clashes: tuple[Clash, ...] = ()
    keys: tuple[str, ...] | None = None
    """The keys that were written; None where the policy knows none and wrote all, or nothing."""
    is_written: bool = True
    fault: BrokenPolicy | None = None
    """Why there is a clash, where a policy of the program is to blame."""


class CannotMerge(Exception):
    """Raised by a program's own policy whose two sides can't both be had; by any for odd deltas."""


class Policy(Protocol):
    """A way of merging; each of its functions is pure and always says the same."""

    @property
    def is_ranked(self) -> bool:
        """Whether it asks for the rank of an edit, which takes as long as many merges."""
        ...

    def difference(self, base: Value, mine: Value) -> FieldDelta | None:
        """Return the delta from one value to the next; None where they are equal.

        Raises `UsageError` where the policy has no way from the one to the other.
        """
        ...

    def merge(self, current: Value, delta: FieldDelta, rank: Rank = Rank.LATER) -> Merged:
        """Merge a delta into the value as it is.

        Raises `CannotMerge` where the delta is none of this policy's.
        """
        ...
