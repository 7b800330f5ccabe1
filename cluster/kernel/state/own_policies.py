"""A program's own ways of merging, beside the eight that come with Fleetmind. Pure, as they are.

An own policy is a function of the base, the value of the edit and the value as it is, which returns
the merged one or raises `CannotMerge`; edits call it ``module:qualname``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from cluster.kernel.errors import BrokenPolicy, UsageError
from cluster.kernel.state.merging import (
    CannotMerge,
    Clash,
    FieldDelta,
    Merged,
    Policy,
    Rank,
)
from cluster.kernel.state.policies import POLICIES, SIBLINGS
from cluster.kernel.state.values import Value, checked, copied, is_same

MergeFunction: TypeAlias = Callable[[Value, Value, Value], Value]
"""Of base, mine and theirs; theirs is what the log has made by now."""
FindFunction: TypeAlias = Callable[[str], MergeFunction | None]
"""Finds a program's own function by the name that edits call it; None where there is none."""


class OwnPolicy:
    """A policy made of a function; what it does wrong is a clash with its fault, never an error.

    Readers of a log can't refuse an entry: they would all stop at it, now and whenever they read
    it again.
    """

    is_ranked = False

    def __init__(self, name: str, function: MergeFunction, *, is_checked: bool = False) -> None:
        self._name = name
        self._function = function
        self._is_checked = is_checked

    def difference(self, base: Value, mine: Value) -> FieldDelta | None:
        """Return both ends: what of them matters is for the function to say."""
        return SIBLINGS.difference(base, mine)

    def merge(self, current: Value, delta: FieldDelta, rank: Rank = Rank.LATER) -> Merged:
        """Have the function merge where somebody else has changed the value meanwhile."""
        del rank
        if not delta.keys() >= {"base", "new"}:
            raise CannotMerge("the delta should have a base and a new value")
        base, new = delta["base"], delta["new"]
        if is_same(current, base):
            return Merged(new)
        clashes = (Clash(None, new),)
        try:
            return Merged(self._made(base, new, current))
        except CannotMerge:
            return Merged(current, clashes, is_written=False)
        except BrokenPolicy as fault:
            return Merged(current, clashes, is_written=False, fault=fault)

    def _made(self, base: Value, mine: Value, theirs: Value) -> Value:
        value = self._called(base, mine, theirs)
        if self._is_checked and not is_same(value, self._called(base, mine, theirs)):
            raise BrokenPolicy(
                f"the policy {self._name} merged the same values to two different ones"
            )
        return value

    def _called(self, base: Value, mine: Value, theirs: Value) -> Value:
        try:
            # Copies: a function that edits what it is given must not edit what others read.
            return checked(self._function(copied(base), copied(mine), copied(theirs)))
        except CannotMerge:
            raise
        except UsageError as error:
            raise BrokenPolicy(f"the policy {self._name} made no plain value: {error}") from error
        except Exception as error:
            raise BrokenPolicy(f"the policy {self._name} raised {error!r}") from error


class Policies:
    """The policies that a process knows: the eight and its program's own.

    Args:
        own: those by their names.
        is_checked: whether they merge everything twice.
        find_function: is asked for a name that is not known, once.
    """

    def __init__(
        self,
        own: Mapping[str, MergeFunction] | None = None,
        *,
        is_checked: bool = False,
        find_function: FindFunction | None = None,
    ) -> None:
        self._find_function = find_function
        self._asked_for: set[str] = set()
        self._known: dict[str, Policy] = dict(POLICIES)
        self._own: dict[str, MergeFunction] = {}
        self._is_checked = is_checked
        self.learn(own or {})

    def learn(self, own: Mapping[str, MergeFunction]) -> bool:
        """Take policies in; say whether one of them is new.

        Raises:
            UsageError: a name is none, or is another function's.
        """
        before = len(self._own)
        for name, function in own.items():
            if ":" not in name:
                raise UsageError(f"a policy of one's own is called module:qualname, not {name!r}")
            if self._own.setdefault(name, function) is not function:
                raise UsageError(f"two functions that merge are called {name}")
            self._known[name] = OwnPolicy(name, function, is_checked=self._is_checked)
        return len(self._own) > before

    def find(self, name: str) -> Policy | None:
        """Return the policy of that name; None where this process doesn't know it."""
        return self._known.get(name) or self._found(name)

    def _found(self, name: str) -> Policy | None:
        if self._find_function is None or name in self._asked_for or ":" not in name:
            return None
        self._asked_for.add(name)
        function = self._find_function(name)
        if function is None:
            return None
        # No function of `learn`: what a class has by this name is the one that counts.
        policy = self._known[name] = OwnPolicy(name, function, is_checked=self._is_checked)
        return policy
