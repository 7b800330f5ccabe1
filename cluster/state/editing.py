"""From the plain fields of a document to a model, and from an edited model to its edits.

A document is changed by edits, field by field; a program changes a model. `Editing` is one such
change, from its begin to its end: it may span awaits while others edit the document, since each of
its edits says what it was made from. Called by whoever offers documents to turns and to people.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Generic, TypeVar

from cluster.kernel.errors import UsageError
from cluster.kernel.state.edits import FieldEdit
from cluster.kernel.state.folding import own_fields
from cluster.kernel.state.own_policies import MergeFunction, Policies
from cluster.kernel.state.policies import BY_KEY, SIBLINGS
from cluster.kernel.state.values import ABSENT, Slot, Value, is_same
from cluster.state.carrying import carried
from cluster.state.entries import Entries
from cluster.state.schema import FieldSchema
from cluster.state.shared_state import (
    SharedState,
    Source,
    fields_of,
    fill,
    lazy,
)

State = TypeVar("State", bound=SharedState)


class Editing(Generic[State]):
    """One edit of a document, begun at what its fields were."""

    __slots__ = ("_source", "model")

    def __init__(self, state: type[State], fields: Mapping[str, Value]) -> None:
        # A copy: this edit has one base, whatever its document becomes.
        self._source = Source(fields_of(state), own_fields(fields), is_open=True)
        self.model: State = lazy(state, self._source, {})
        """What the program edits; it works on its own copies."""

    @property
    def reads(self) -> Collection[str]:
        """The fields that were read, since what was made from them can become stale."""
        return self._source.seen.keys()

    def finish(self) -> dict[str, FieldEdit]:
        """Return what has been changed, and let the model be changed no further.

        Raises:
            StateInvalid: a field holds what its type doesn't allow; nothing is to be written.
            UsageError: a field has been changed as its policy can't merge.
        """
        source = self._source
        source.is_open = False
        return _edits(source.schema, source.fields, source.seen, self.model)

    def written_by(self, durable: Callable[[], Awaitable[None]]) -> None:
        """Let who has the model wait until the edit is durable: `SharedState.flushed`."""
        self._source.durable = durable


class StateView(Generic[State]):
    """A document as a model to be read, made once for each state of it."""

    def __init__(self, state: type[State]) -> None:
        self._state = state
        self._revision: int | None = None
        self._source = Source(fields_of(state), {}, is_open=False)
        self._model: State = lazy(state, self._source, {})

    def at(self, revision: int, fields: Mapping[str, Value]) -> State:
        """Return the model of a revision; what it holds is shared by all who look, and not edited.

        Args:
            revision: another one whenever any of the fields is.
            fields: the document's, whose values stay the very objects that they were where nobody
                has changed them.
        """
        if revision != self._revision:
            self._show(own_fields(fields))
            self._revision = revision
        return self._model

    def _show(self, fields: Mapping[str, Value]) -> None:
        before, read = self._source.fields, self._model.__dict__
        kept = {name: value for name, value in read.items() if before.get(name) is fields.get(name)}
        self._source = Source(self._source.schema, fields, is_open=False)
        self._model = lazy(self._state, self._source, kept)


def model_of(state: type[State], fields: Mapping[str, Value]) -> State:
    """Return a document's fields as a model to be read.

    Each field is validated when it is read, and raises `StateInvalid` then; fields that the class
    doesn't have stay in the document.
    """
    return StateView(state).at(0, fields)


def plain_fields(model: SharedState) -> dict[str, Value]:
    """Return the fields of a model as plain values.

    Raises:
        StateInvalid: one of them holds what its type doesn't allow.
    """
    fill(model)
    fields = fields_of(type(model)).items()
    return {name: field.written(getattr(model, name)) for name, field in fields}


def edits_between(before: Mapping[str, Value], after: SharedState) -> dict[str, FieldEdit]:
    """Return what leads from the fields of a document to a model, by the policy of each field.

    Raises:
        StateInvalid: the model holds what a field's type doesn't allow.
        UsageError: a field has been changed as its policy can't merge.
    """
    fill(after)
    return _edits(fields_of(type(after)), before, {}, after)


def _edits(
    schema: Mapping[str, FieldSchema],
    before: Mapping[str, Value],
    seen: Mapping[str, Value],
    after: SharedState,
) -> dict[str, FieldEdit]:
    edits: dict[str, FieldEdit] = {}
    # What isn't there has not been read, and so not been changed.
    for name, value in after.__dict__.items():
        field = schema[name]
        old = before.get(name, field.default)
        edit = None if value is old else _edit(field, old, seen.get(name, ABSENT), value)
        if edit is not None:
            edits[name] = edit
    return edits


def policies_of(*states: type[SharedState], is_checked: bool = False) -> Policies:
    """Return the policies that folding documents of these classes needs.

    Raises:
        UsageError: two functions have one name.
    """
    policies = Policies(is_checked=is_checked)
    for state in states:
        policies.learn(functions_of(state))
    return policies


def functions_of(state: type[SharedState]) -> dict[str, MergeFunction]:
    """Return a class's own ways of merging, by their names."""
    rules = (field.rule for field in fields_of(state).values())
    return {rule.name: rule.function for rule in rules if rule.function is not None}


def _edit(field: FieldSchema, old: Value, seen: Slot, value: Any) -> FieldEdit | None:
    """Return the edit of a field whose value may have been changed, in place too."""
    if type(value) in field.passing and type(old) in field.passing:
        return None if is_same(old, value) else _by_policy(field, old, value, is_retyped=False)
    if isinstance(value, Entries) and value.plain is old:
        if field.policy is BY_KEY:
            delta = BY_KEY.difference_at(value.plain, value.touched())
            return None if delta is None else FieldEdit(field.rule.name, delta, field.default)
        return _by_policy(field, old, value.written(), is_retyped=False)
    new = value if field.is_plain(value) else field.written(value)
    if seen is ABSENT or field.is_keyed:
        seen = field.seen(old)  # it was assigned before it was read, or in place of its entries
    if seen is not ABSENT and is_same(seen, new):
        return None
    if new is not value:
        field.read(new)  # what was put into a list or a dict was not checked then
    mine = new if seen is ABSENT else carried(old, seen, new)
    return _by_policy(field, old, mine, is_retyped=seen is ABSENT or not is_same(old, seen))


def _by_policy(
    field: FieldSchema, old: Value, mine: Value, *, is_retyped: bool
) -> FieldEdit | None:
    policy = field.rule.name
    try:
        delta = field.policy.difference(old, mine)
    except UsageError as error:
        if not is_retyped:
            raise UsageError(f"{field}: {error}") from error
        # What a sum does not lead to from a text is one value in place of another.
        policy, delta = "siblings", SIBLINGS.difference(old, mine)
    return None if delta is None else FieldEdit(policy, delta, field.default)
