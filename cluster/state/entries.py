"""A dict of a document whose entries become values of the field's type when they are asked for.

Of a hundred facts an edit adds one: to validate the others, and to compare them when it ends, would
take fifty times as long. Made by `cluster.state.shared_state`.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, ValuesView
from typing import Any, Self

from cluster.kernel.state.values import ABSENT, Slot, Value, is_same
from cluster.state.carrying import carried
from cluster.state.schema import FieldSchema

_NOTHING: Any = object()


class EntrySource:
    """The entries as the document has them, and what the program's class made of those it read."""

    __slots__ = ("_field", "_is_open", "_seen", "plain")

    def __init__(self, field: FieldSchema, plain: dict[str, Value], *, is_open: bool) -> None:
        self._field = field
        self._is_open = is_open
        self._seen: dict[str, Value] = {}
        """What was made of the entries that were read, as plain values; where open only."""
        self.plain = plain

    def value(self, key: str, plain: Value) -> Any:
        """Read an entry."""
        value = self._field.read_entry(key, plain)
        if self._is_open:
            self._seen[key] = self._field.seen_entry(key, value)
        return value

    def values(self, unread: dict[str, Any]) -> dict[str, Any]:
        """Read some entries at once."""
        values: dict[str, Any] = self._field.read(unread)
        if self._is_open:
            made = self._field.written(values)
            self._seen |= made if isinstance(made, dict) else {}
        return values

    def touched(self, now: Callable[[str, Slot], Any], put: dict[str, None]) -> dict[str, Slot]:
        """Return what the entries have become that may be others than they were.

        Args:
            now: returns an entry, or else what it is given; one not read as its plain value.
            put: those that were assigned or removed; of the others those are looked at that were
                read, since what was read may have been changed in place.
        """
        touched: dict[str, Slot] = {}
        for key in self._seen | put if self._seen else put:
            value = now(key, ABSENT)
            if value is ABSENT:
                touched[key] = ABSENT
            elif value is not self.plain.get(key, ABSENT):
                self._look(key, value, touched)
        return touched

    def _look(self, key: str, value: Any, touched: dict[str, Slot]) -> None:
        seen = self._seen.get(key, ABSENT)
        new = self._field.changed_entry(key, value)
        if seen is ABSENT or not is_same(seen, new):
            touched[key] = self._carried(key, seen, new)

    def _carried(self, key: str, seen: Slot, new: Value) -> Value:
        """Return an entry's new value, with what the program's class doesn't know of the old."""
        old = self.plain.get(key, ABSENT)
        if old is ABSENT or old == seen or _has_all_of(new, old):
            return new
        if seen is ABSENT:
            former = self._field.seen({key: old})
            seen = former[key] if isinstance(former, dict) else ABSENT
        return new if seen is ABSENT else carried(old, seen, new)


def _has_all_of(new: Value, old: Value) -> bool:
    """Say whether a value has all keys that another one has, so that none need to be carried."""
    if isinstance(old, dict):
        if not isinstance(new, dict) or not old.keys() <= new.keys():
            return False
        for key, was in old.items():
            if type(was) not in _LEAVES and not _has_all_of(new[key], was):
                return False
    elif isinstance(old, list):
        if not isinstance(new, list) or len(new) != len(old):
            return _LEAVES.issuperset(map(type, old))
        for now, was in zip(new, old, strict=True):
            if type(was) not in _LEAVES and not _has_all_of(now, was):
                return False
    return True


_LEAVES = frozenset([str, int, float, bool, type(None)])


class _NotingDict(dict[str, Any]):
    """A dict that notes what was assigned or removed, so that nobody has to look at all of it."""

    __slots__ = ("put",)

    def __init__(self, entries: dict[str, Any]) -> None:
        super().__init__(entries)
        self.put: dict[str, None] = {}
        """The keys, in the order in which they were touched first."""

    def __setitem__(self, key: str, value: Any) -> None:
        self.put[key] = None
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self.put[key] = None
        super().__delitem__(key)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return an entry, which is the default now if there was none."""
        self.put[key] = None
        return super().setdefault(key, default)

    def pop(self, key: str, *default: Any) -> Any:
        """Remove an entry and return it, or else the default."""
        self.put[key] = None
        return super().pop(key, *default)

    def popitem(self) -> tuple[str, Any]:
        """Remove the last entry and return it."""
        key, value = super().popitem()
        self.put[key] = None
        return key, value

    def update(self, *other: Any, **more: Any) -> None:
        """Assign the entries of another dict."""
        assigned = dict(*other, **more)
        self.put |= dict.fromkeys(assigned)
        super().update(assigned)

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]  # as dict's own
        self.update(other)
        return self

    def clear(self) -> None:
        """Remove all entries."""
        self.put |= dict.fromkeys(self)
        super().clear()


class Entries(_NotingDict):
    """A dict of a field's values; an entry that has not been read holds its plain value.

    So whoever changes it needs nothing more than a dict: what is still the very object of the
    document has neither been read nor changed. Whoever reads it has to come by here.
    """

    __slots__ = ("_source", "plain")

    def __init__(self, source: EntrySource) -> None:
        super().__init__(source.plain)
        self._source = source
        self.plain = source.plain
        """The entries as the document has them."""

    def __iter__(self) -> Any:
        # Its own, or `dict(entries)` and `{**entries}` would copy the table and call nothing here.
        return super().__iter__()

    def __getitem__(self, key: str) -> Any:
        self._read_one(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return an entry, or else the default."""
        self._read_one(key)
        return super().get(key, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return an entry, which is the default now if there was none."""
        self._read_one(key)
        return super().setdefault(key, default)

    def pop(self, key: str, *default: Any) -> Any:
        """Remove an entry and return it, or else the default."""
        self._read_one(key)
        return super().pop(key, *default)

    def popitem(self) -> tuple[str, Any]:
        """Remove the last entry and return it."""
        self._read_all()
        return super().popitem()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]  # it is dict's own view
        """Return all values, read."""
        self._read_all()
        return super().values()

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]  # it is dict's own view
        """Return all entries, read."""
        self._read_all()
        return super().items()

    def copy(self) -> dict[str, Any]:
        """Return a dict as any other, of the same values."""
        return dict(self.items())

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()

    def __eq__(self, other: object) -> bool:
        self._read_all()
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]  # as of any dict

    def __repr__(self) -> str:
        return repr(self.copy())

    def __reduce__(self) -> Any:
        # A copy is a dict as any other.
        return dict, (self.copy(),)

    def touched(self) -> dict[str, Slot]:
        """Return, as plain values, what the entries have become that may be others than they were.

        Raises:
            StateInvalid: an entry holds what its type doesn't allow.
        """
        return self._source.touched(super().get, self.put)

    def written(self) -> dict[str, Value]:
        """Return the plain value, whose entries are the document's own where nothing has changed.

        Raises:
            StateInvalid: an entry holds what its type doesn't allow.
        """
        plain, touched = self.plain, self.touched()
        # An entry that is there is no removed one.
        made: dict[str, Any] = {key: (touched if key in touched else plain)[key] for key in self}
        return made

    # Reading puts values in place of others, past our own methods, and adds none: who iterates
    # meanwhile may go on.

    def _read_one(self, key: str) -> None:
        value = self.plain.get(key, _NOTHING)
        if value is super().get(key):
            dict.__setitem__(self, key, self._source.value(key, value))

    def _read_all(self) -> None:
        was = self.plain.get
        unread = {key: each for key, each in super().items() if was(key, _NOTHING) is each}
        if unread:
            dict.update(self, self._source.values(unread))
