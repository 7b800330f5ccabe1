"""What a class of shared state says of its fields: how each merges, begins, is read and written.

Made once a class, when pydantic has completed it; a class that can't be shared is refused then.
Called by `cluster.state.shared_state` and by `cluster.state.editing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from pydantic import BaseModel, PydanticInvalidForJsonSchema, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError

from cluster.kernel.errors import StateInvalid, UsageError
from cluster.kernel.state.merging import Policy
from cluster.kernel.state.own_policies import OwnPolicy
from cluster.kernel.state.policies import POLICIES
from cluster.kernel.state.values import (
    ABSENT,
    Slot,
    Value,
    canonical_text,
    checked,
    copied,
    is_same,
)
from cluster.state.merge import MergeRule, siblings
from cluster.state.nodes import (
    EntryCodec,
    entry_codec,
    field_nodes,
    has_serializer,
    is_copied,
    passing,
)

_PLAIN = frozenset([str, int, float, bool, type(None)])
_FITTING = {
    "by_key": ("dict or a model", {"object"}),
    "union": ("list or a set", {"array"}),
    "append": ("list", {"array"}),
    "text": ("str", {"string"}),
    "total": ("number", {"integer", "number"}),
    "maximum": ("number or a str", {"integer", "number", "string"}),
}
"""What a policy merges, for people and as JSON schema calls it; the others merge anything."""
_BEGINNINGS: Mapping[str, Value] = {
    "null": None,
    "object": {},
    "array": [],
    "string": "",
    "integer": 0,
    "number": 0,
    "boolean": False,
}
"""What a field without a default begins as, by the first of its kinds that its class allows."""


@dataclass(frozen=True, slots=True)
class FieldSchema:
    """One field of a class of shared state: what ``Board.facts`` is."""

    state: type[BaseModel]
    name: str
    rule: MergeRule
    policy: Policy
    is_copied: bool
    """Whether reading could hand out parts of the plain value itself, which others share."""
    is_converted: bool
    """Whether the class says itself how it is written."""
    entries: EntryCodec | None
    """What reads and writes its entries one by one, where it is a dict with nothing around it."""
    passing: frozenset[type]
    """Types of plain values that are the field's values as they are, and the other way round."""
    default: Value = None
    """What it is while nobody has written it."""

    def __str__(self) -> str:
        return f"{self.state.__name__}.{self.name}"

    def read(self, plain: Value) -> Any:
        """Make the field's value of a plain one; raises `StateInvalid` where its type refuses."""
        if type(plain) in self.passing:
            return plain
        if self.is_copied and type(plain) not in _PLAIN:
            plain = copied(plain)
        model = bare(self.state, {})
        try:
            self.state.__pydantic_validator__.validate_assignment(
                model, self.name, plain, strict=False, by_name=True
            )
        except ValidationError as error:
            raise refused(f"{self} can't be read", error) from error
        return model.__dict__[self.name]

    def written(self, value: Any) -> Value:
        """Return the plain value of the field's; raises `StateInvalid` where it is of no type."""
        model = bare(self.state, {self.name: value})
        try:
            # `round_trip` leaves out what is computed: it needs the other fields.
            made = self.state.__pydantic_serializer__.to_python(
                model, mode="json", round_trip=True, warnings="error"
            )
        except PydanticSerializationError as error:
            raise self._unwritable(value, error) from error
        if self.name not in made:
            raise StateInvalid(f"{self} is left out when it is written, so it can't be shared")
        plain: Value = made[self.name]
        if isinstance(value, set | frozenset) and isinstance(plain, list):
            # The order of a set is another one in each process.
            plain.sort(key=canonical_text)
        return plain

    def _unwritable(self, value: Any, error: PydanticSerializationError) -> StateInvalid:
        """Say where a value is of no type, which who validates it knows better than who writes it.

        A model within it that was made well, and changed since, is not validated again.
        """
        what = f"{self} can't be written"
        try:
            self.state.__pydantic_validator__.validate_assignment(
                bare(self.state, {}), self.name, value, strict=False, by_name=True
            )
        except ValidationError as invalid:
            return refused(what, invalid)
        return StateInvalid(f"{what}: {_in_words(error)}")

    @property
    def is_keyed(self) -> bool:
        """Whether it is a dict whose entries can be read one by one."""
        return self.entries is not None

    def read_entry(self, key: str, plain: Value) -> Any:
        """Make the value of one of its entries; raises `StateInvalid` as `read` does."""
        assert self.entries is not None
        try:
            return self.entries.read(copied(plain) if self.is_copied else plain)
        except ValidationError:
            return self.read({key: plain})[key]  # which says where, as for the whole field

    def written_entry(self, key: object, value: Any) -> Value:
        """Return the plain value of one of its entries; raises `StateInvalid` as `written` does."""
        assert self.entries is not None
        try:
            if type(key) is str:
                return self.entries.written(value)
        except PydanticSerializationError:
            pass
        plain = self.written({key: value})
        if not isinstance(plain, dict) or key not in plain:
            raise StateInvalid(f"{self} can't be written: its keys are text")
        return plain[key]

    def seen_entry(self, key: str, value: Any) -> Value:
        """Return the plain value of an entry that was just read."""
        assert self.entries is not None
        if self.entries.is_comparable:
            return self.entries.as_read(value)
        return self.written_entry(key, value)

    def changed_entry(self, key: str, value: Any) -> Value:
        """Return the plain value of an entry that may hold anything.

        Raises:
            StateInvalid: its type refuses it.
        """
        assert self.entries is not None
        if self.entries.is_comparable and type(key) is str:
            plain = self.entries.same(value)
            if plain is not ABSENT:
                return plain
        plain = self.written_entry(key, value)
        self.read_entry(key, plain)
        return plain

    def seen(self, plain: Value) -> Slot:
        """Return what the class makes of a plain value, as a plain value again, if it can."""
        if type(plain) in self.passing:
            return plain
        try:
            return self.written(self.read(plain))
        except StateInvalid:
            return ABSENT

    def is_plain(self, value: object) -> bool:
        """Say whether a value of the field is its own plain value."""
        return type(value) in _PLAIN and not self.is_converted


def bare(state: type[BaseModel], values: dict[str, Any]) -> Any:
    """Return a model that has just these fields, without checking them: a third of the time."""
    model = state.__new__(state)
    _put_values(model, values)
    _put_fields_set(model, set())
    _put_extra(model, None)
    _put_private(model, None)
    return model


# What `object.__setattr__` looks up by name each time, which takes three times as long.
_PARTS: Mapping[str, Any] = BaseModel.__dict__
_put_values = _PARTS["__dict__"].__set__
_put_fields_set = _PARTS["__pydantic_fields_set__"].__set__
_put_extra = _PARTS["__pydantic_extra__"].__set__
_put_private = _PARTS["__pydantic_private__"].__set__


def schema_of(state: type[BaseModel]) -> Mapping[str, FieldSchema]:
    """Check a class of shared state and return what it says of its fields.

    Raises:
        UsageError: it can't be shared; says which field and why.
    """
    _check_class(state)
    shapes, nodes = _shapes(state), field_nodes(state)
    fields: dict[str, FieldSchema] = {}
    for name, info in state.model_fields.items():
        shape = shapes.get(name, _Shape())
        rule = _rule(f"{state.__name__}.{name}", info, shape)
        policy = OwnPolicy(rule.name, rule.function) if rule.function else POLICIES[rule.name]
        is_converted = name not in nodes or has_serializer(nodes[name])
        field = FieldSchema(
            state,
            name,
            rule,
            policy,
            is_copied=is_copied(state, nodes.get(name)),
            is_converted=is_converted,
            entries=entry_codec(state, nodes.get(name)),
            passing=frozenset() if is_converted else passing(state, nodes.get(name)),
        )
        fields[name] = replace(field, default=_default(field, info, shape))
    return fields


def _check_class(state: type[BaseModel]) -> None:
    if state.__pydantic_decorators__.model_validators:
        raise UsageError(
            f"{state.__name__} validates the whole model, and its fields merge one by one: "
            f"validate each field by itself"
        )
    if state.model_config.get("extra") == "allow" or state.model_config.get("frozen"):
        raise UsageError(f"{state.__name__} is shared state: it can be neither open nor frozen")


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a field is in JSON; no kinds mean that it may be anything."""

    kinds: frozenset[str] = frozenset()
    has_inner_set: bool = False


def _shapes(state: type[BaseModel]) -> Mapping[str, _Shape]:
    try:
        schema = state.model_json_schema(mode="serialization", by_alias=False)
    except PydanticInvalidForJsonSchema:
        return {}  # a type of one's own that doesn't describe itself: the policies see its values
    definitions = schema.get("$defs", {})
    return {
        name: _Shape(frozenset(_kinds(node, definitions)), _has_inner_set(node, definitions))
        for name, node in schema.get("properties", {}).items()
    }


def _kinds(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[str]:
    for each in (*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())):
        yield from _kinds(each, definitions)
    if "$ref" in node:
        yield from _kinds(definitions[_target(node)], definitions)
    if isinstance(node.get("type"), str):
        yield node["type"]


def _target(node: Mapping[str, Any]) -> str:
    return str(node["$ref"]).rpartition("/")[2]


def _has_inner_set(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> bool:
    """Say whether a set lies within a field's value, where nothing gives it an order."""
    # The value itself may be one, or None.
    whole = [node, *node.get("anyOf", ()), *node.get("oneOf", ())]
    pending = [part for each in whole for key, part in each.items() if key not in _OF_WHOLE]
    followed = {_target(each) for each in whole if "$ref" in each}
    pending += [definitions[each] for each in followed]
    while pending:
        each = pending.pop()
        if isinstance(each, list):
            pending += each
        if not isinstance(each, dict):
            continue
        if each.get("uniqueItems") is True:
            return True
        pending += each.values()
        if isinstance(each.get("$ref"), str) and _target(each) not in followed:
            followed.add(_target(each))
            pending.append(definitions.get(_target(each)))
    return False


_OF_WHOLE = frozenset(["uniqueItems", "anyOf", "oneOf"])


def _rule(label: str, info: FieldInfo, shape: _Shape) -> MergeRule:
    """Return how a field merges, if it is one that can."""
    rules = [each for each in info.metadata if isinstance(each, MergeRule)]
    if len(rules) > 1:
        raise UsageError(f"{label} says twice how it merges: by {rules[0].name}, {rules[1].name}")
    rule = rules[0] if rules else siblings
    what, fitting = _FITTING.get(rule.name, ("", shape.kinds))
    if not shape.kinds - {"null"} <= fitting:
        raise UsageError(f"{label} can't merge by {rule.name}: that is for a {what}")
    if any(isinstance(each, MergeRule) for each in _metadata(info.annotation)):
        raise UsageError(f"{label} says within its type how it merges: put Annotated around it all")
    if info.frozen:
        raise UsageError(f"{label} is shared state: it can't be frozen")
    if info.validation_alias is not None or info.serialization_alias is not None:
        raise UsageError(f"{label} has an alias: documents call fields by their own names")
    if shape.has_inner_set:
        raise UsageError(
            f"{label} has sets within its value, and their order is another one in each process: "
            f"use lists there"
        )
    return rule


def _metadata(annotation: object) -> Iterator[object]:
    """What is said of the parts of a type."""
    yield from getattr(annotation, "__metadata__", ())
    for each in get_args(annotation):
        yield from _metadata(each)


def _default(field: FieldSchema, info: FieldInfo, shape: _Shape) -> Value:
    try:
        default = _beginning(field, shape) if info.is_required() else _declared(field, info)
        if default is not None:
            field.policy.difference(None, default)
    except (StateInvalid, UsageError) as error:
        raise UsageError(f"{field} has no default that can be shared: {error}") from error
    return default


def _declared(field: FieldSchema, info: FieldInfo) -> Value:
    made, again = (
        checked(field.written(info.get_default(call_default_factory=True, validated_data={})))
        for _ in range(2)
    )
    if not is_same(made, again):
        raise UsageError("its factory makes another value each time")
    field.read(made)
    return made


def _beginning(field: FieldSchema, shape: _Shape) -> Value:
    for kind, plain in _BEGINNINGS.items():
        if kind in shape.kinds:
            try:
                return field.written(field.read(plain))
            except StateInvalid:
                continue
    raise UsageError("give it one, since a document begins with nothing written")


def refused(what: str, error: ValidationError) -> StateInvalid:
    """Return what pydantic found first of a field, and where in it, as one sentence."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(each) for each in first["loc"][1:])
    return StateInvalid(
        f"{what}: at {place}: {first['msg']}" if place else f"{what}: {first['msg']}"
    )


_UNEXPECTED = re.compile(
    r"Expected `(?P<type>.+?)` - .*\[(?:field_name='(?P<field>\w+)', )?input_value=(?P<value>.*), "
    r"input_type=(?P<is>\w+)\]"
)
"""What pydantic says of a value that is of another type than its class says."""


def _in_words(error: Exception) -> str:
    """Return what pydantic found first, without the names of its own classes where it has any."""
    lines = [line.strip() for line in str(error).splitlines()]
    line = next((line for line in lines[1:] if line), lines[0])
    found = _UNEXPECTED.search(line)
    if found is None:
        return line
    place = f"{found['field']} should be" if found["field"] else "it should be"
    return f"{place} {found['type']}, and {found['value']} is {found['is']}"
