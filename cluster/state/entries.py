"""A dict of a document whose entries become values of the field's type when they are asked for.

Of a hundred facts an edit adds one: to validate the others, and to compare them when it ends, would
take fifty times as long. Made by `cluster.state.shared_state`.
"""

from __future__ import annotations

from collections.abc import ItemsView, Mapping, ValuesView
from typing import Any

from cluster.kernel.errors import StateInvalid
from cluster.kernel.state.values import ABSENT, Slot, Value, replaced
from cluster.state.carrying import carried
from cluster.state.schema import FieldSchema

_NOTHING = object()


class EntrySource:
    """The entries as the document has them, and what the program's class made of those it read."""

    __slots__ = ("_field", "_is_open", "_seen", "plain")

    def __init__(self, field: FieldSchema, plain: dict[str, Value], *, is_open: bool) -> None:
        self._field = field
        self._is_open = is_open
        self._seen: dict[str, Value] = {}
        """What was made of the entries that were read, as plain values; where open only."""
        self.plain = plain

    def values(self, unread: dict[str, Any]) -> dict[str, Any]:
        """Read some entries."""
        values: dict[str, Any] = self._field.read(unread)
        if self._is_open:
            self._seen |= self._written(values)
        return values

    def changed(self, now: dict[str, Any]) -> dict[str, Value]:
        """Return a plain value, of whose entries those that are the document's own stay so."""
        touched = {key: now[key] for key in replaced(self.plain, now)}
        if not touched:
            return now
        made = self._written(touched)
        # What was changed in place was not checked then.
        self._field.read({key: each for key, each in made.items() if self._seen.get(key) != each})
        return now | {key: self._carried(key, each) for key, each in made.items()}

    def _carried(self, key: str, new: Value) -> Value:
        """Return an entry's new value, with what the program's class doesn't know of the old."""
        if key not in self.plain:
            return new
        seen: Slot = self._seen.get(key, ABSENT)
        if seen is ABSENT:
            former = self._field.seen({key: self.plain[key]})
            seen = former[key] if isinstance(former, dict) else ABSENT
        return new if seen is ABSENT else carried(self.plain[key], seen, new)

    def _written(self, values: Mapping[str, Any]) -> dict[str, Value]:
        plain = self._field.written(values)
        if not isinstance(plain, dict) or plain.keys() != values.keys():
            raise StateInvalid(f"{self._field} can't be written: its keys are text")
        return plain


class Entries(dict[str, Any]):
    """A dict of a field's values; an entry that has not been read holds its plain value.

    So whoever changes it needs nothing more than a dict: what is still the very object of the
    document has neither been read nor changed. Whoever reads it has to come by here.
    """

    __slots__ = ("_source",)

    def __init__(self, source: EntrySource) -> None:
        super().__init__(source.plain)
        self._source = source

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

    __hash__ = None

    def __repr__(self) -> str:
        return repr(self.copy())

    def __reduce__(self) -> Any:
        # A copy is a dict as any other.
        return dict, (self.copy(),)

    def is_of(self, plain: Value) -> bool:
        """Say whether these are the entries of a plain value."""
        return self._source.plain is plain

    def written(self) -> dict[str, Value]:
        """Return the plain value, whose entries are the document's own where nothing has changed.

        Raises:
            StateInvalid: an entry holds what its type doesn't allow.
        """
        return self._source.changed(dict(super().items()))

    # Reading puts values in place of others, past our own methods, and adds none: who iterates
    # meanwhile may go on.

    def _read_one(self, key: str) -> None:
        value = self._source.plain.get(key, _NOTHING)
        if value is super().get(key):
            super().update(self._source.values({key: value}))

    def _read_all(self) -> None:
        was = self._source.plain.get
        unread = {key: each for key, each in super().items() if was(key, _NOTHING) is each}
        if unread:
            super().update(self._source.values(unread))
