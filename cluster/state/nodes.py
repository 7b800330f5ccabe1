"""What pydantic's core knows of a class: the nodes of its schema, and what is made of them.

For `cluster.state.schema`, which says what a class of shared state may be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError, SchemaSerializer, SchemaValidator
from pydantic_core.core_schema import any_schema, definitions_schema

from cluster.kernel.state.values import ABSENT, Slot, Value

_PASSED_ON = frozenset(["any", "function-plain", "function-before", "function-wrap", "is-instance"])
"""Nodes of pydantic's schemas that may hand out the very object they were given."""


@dataclass(frozen=True, slots=True)
class EntryCodec:
    """Reads and writes the values of a dict one by one, in a quarter of the time of a dict of one.

    As pydantic does within the class: from the same nodes, with the same settings.
    """

    validator: SchemaValidator
    serializer: SchemaSerializer
    is_comparable: bool
    """Whether two values that are equal are written the same: then `same` may be asked."""

    def read(self, plain: Value) -> Any:
        """Make a value of a plain one; raises `ValidationError`."""
        return self.validator.validate_python(plain, strict=False, by_name=True)

    def written(self, value: Any) -> Value:
        """Return the plain value of one; raises `PydanticSerializationError`."""
        made: Value = self.serializer.to_python(
            value, mode="json", round_trip=True, warnings="error"
        )
        return made

    def as_read(self, value: Any) -> Value:
        """Return the same of one that was just read, of which the type need not be looked at.

        Only where `is_comparable` is. To have it looked at takes three times as long.
        """
        made: Value = self.serializer.to_python(value, mode="json", round_trip=True, warnings=False)
        return made

    def same(self, value: Any) -> Slot:
        """Return the plain value of one that is what its plain value is read as, else ABSENT.

        Only where `is_comparable` is: then it is of its type, and nothing more is to be checked.
        """
        try:
            made = self.as_read(value)
            return made if self.read(made) == value else ABSENT
        except (ValidationError, PydanticSerializationError):
            return ABSENT


def field_nodes(state: type[BaseModel]) -> Mapping[str, object]:
    """What pydantic's core knows of each field; nothing where the class contains itself."""
    node: Any = state.__pydantic_core_schema__
    while isinstance(node, dict) and node.get("type") != "model-fields":
        node = node.get("schema")
    return node["fields"] if node else {}


def passing(state: type[BaseModel], node: Any) -> frozenset[type]:
    """The types that a field takes as they are, where no constraint or setting says more."""
    if state.model_config.keys() - _HARMLESS or node is None:
        return frozenset()
    passing: set[type] = set()
    while node["type"] in _AROUND:
        if node["type"] == "nullable":
            passing.add(type(None))
        node = node["schema"]
    is_bare = node.keys() <= {"type", "metadata"} and node["type"] in _SCALARS
    return frozenset([*passing, _SCALARS[node["type"]]]) if is_bare else frozenset()


def is_copied(state: type[BaseModel], node: Any) -> bool:
    """Say whether a field may hand out parts of what it reads."""
    types = set(_node_types(node)) if node is not None else {"definition-ref"}
    if "definition-ref" in types:
        types = set(_node_types(state.__pydantic_core_schema__))  # it may be any part of the class
    return not _PASSED_ON.isdisjoint(types)


def entry_codec(state: type[BaseModel], node: Any) -> EntryCodec | None:
    """Return what reads the entries of a field, if that is a dict with nothing around it."""
    if not _is_keyed(node):
        return None
    while node["type"] in _AROUND:
        node = node["schema"]
    whole: Any = state.__pydantic_core_schema__
    schema = node.get("values_schema", any_schema())
    if whole["type"] == "definitions":
        schema = definitions_schema(schema, whole["definitions"])
    while whole["type"] != "model":
        whole = whole["schema"]
    config = whole.get("config")
    validator, serializer = SchemaValidator(schema, config), SchemaSerializer(schema, config)
    return EntryCodec(validator, serializer, _is_comparable(schema))


def _is_keyed(node: Any) -> bool:
    """Say whether a field is a dict by text, without a constraint on the whole of it."""
    while node is not None and node["type"] in _AROUND:
        node = node["schema"]
    return (
        node is not None
        and node["type"] == "dict"
        and node.keys() <= {"type", "keys_schema", "values_schema", "metadata"}
        and node.get("keys_schema", {}).keys() <= {"type", "metadata"}
        and node.get("keys_schema", {}).get("type") == "str"
    )


_AROUND = frozenset(["model-field", "default", "nullable"])


_HARMLESS = frozenset(["validate_assignment", "ser_json_inf_nan", "use_attribute_docstrings"])
"""Settings of a class that don't change what a number or a text is read as."""
_SCALARS: Mapping[str, type] = {"int": int, "str": str, "bool": bool, "float": float}


def _is_comparable(schema: object) -> bool:
    """Say whether a type has only parts whose equality is known, and none with code of its own."""
    parts = [node for node in _nodes(schema) if isinstance(node.get("type"), str)]
    return not has_serializer(schema) and all(
        node["type"] in _COMPARABLE and _has_usual_equality(node.get("cls")) for node in parts
    )


def _has_usual_equality(state: type | None) -> bool:
    return state is None or vars(BaseModel)["__eq__"] is getattr(state, "__eq__", None)


_CONTAINERS = (
    "model",
    "model-fields",
    "model-field",
    "default",
    "nullable",
    "list",
    "tuple",
    "dict",
)
_COMPARABLE = frozenset([*_CONTAINERS, "str", "int", "float", "bool", "none", "literal"])


def _node_types(schema: object) -> Iterator[str]:
    """The types of all nodes that have a part in reading."""
    return (str(node["type"]) for node in _nodes(schema, "serialization") if "type" in node)


def has_serializer(schema: object) -> bool:
    """Say whether a class says itself how a part of it is written."""
    return any("serialization" in node for node in _nodes(schema))


def _nodes(schema: object, *left_out: str) -> Iterator[dict[str, Any]]:
    """All that a schema of pydantic's core consists of, but for some of its parts."""
    pending = [schema]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            yield each
            pending += [
                part for key, part in each.items() if key not in _NO_NODES and key not in left_out
            ]
        elif isinstance(each, list | tuple):
            pending += each


_NO_NODES = frozenset(["metadata", "cls", "default", "config"])
