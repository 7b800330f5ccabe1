"""Messages <-> protobuf, in one place.

Each value of `cluster.kernel.vocabulary` and `cluster.kernel.events` has a protobuf message of the
same name with the same fields, so one converter, compiled per class from its annotations, serves
all. A field annotated ``object`` is a `Packed` message of any registered type; a text enum is a
protobuf enum of the same name. A user's own message is a protobuf class or a pydantic model; the
latter travels as a protobuf Struct and is validated on arrival. A type nobody registered on this
host arrives as `Opaque` and can be passed on unchanged.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any

from google.protobuf import json_format, struct_pb2
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from cluster.kernel import (
    conversation,
    decisions,
    events,
    second_look,
    submission,
    topic_news,
    usage,
)
from cluster.kernel import vocabulary as tasks
from cluster.kernel.errors import UsageError, WireError
from protos.v1 import agents_pb2

PACKAGE = "fleetmind.v1."
STRUCT_PREFIX = "struct:"
_NOT_KNOWN: dict[type[StrEnum], StrEnum] = {
    tasks.Support: tasks.Support.UNVERIFIED,
    tasks.Basis: tasks.Basis.DOCUMENTS,
    tasks.Absence: tasks.Absence.NONE,
    tasks.Coherence: tasks.Coherence.CHAINED,
}
"""What a value is read as that was not given, or that a newer version gave: never as better than
it may be."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """A message of a type that this host does not know: its type name and bytes."""

    type: str
    body: bytes

    @property
    def is_newer(self) -> bool:
        """Say whether it is one of the project's own, of a newer version than this host's."""
        return self.type.startswith(PACKAGE)

    @property
    def class_name(self) -> str:
        """The name that its class has where it is known."""
        return self.type.removeprefix(STRUCT_PREFIX).rpartition(".")[2]

    def text(self) -> str:
        """Return a readable form of its fields, for prompts and answers."""
        if not self.type.startswith(STRUCT_PREFIX):
            return f"({self.type})"
        struct = struct_pb2.Struct.FromString(self.body)
        return json.dumps(json_format.MessageToDict(struct), ensure_ascii=False, sort_keys=True)


Fill = Callable[[Any, Any], None]
"""Puts the fields of a value into a protobuf message that has none yet."""
FromProto = Callable[[Any], Any]


class MessageCodec:
    """Turns messages into (type name, bytes) and back; knows the project's and the users' types."""

    def __init__(self) -> None:
        self._to: dict[type, tuple[str, Callable[[Any], bytes]]] = {}
        self._from: dict[str, Callable[[bytes], object]] = {}
        for cls in _kernel_messages():
            self._register_kernel(cls)

    def register(self, cls: type) -> None:
        """Make a user's message type known: a protobuf class or a pydantic model.

        Raises:
            UsageError: it is neither.
        """
        if cls in self._to:
            return
        if issubclass(cls, Message):
            name = cls.DESCRIPTOR.full_name
            self._to[cls] = (name, lambda value: value.SerializeToString())
            self._from[name] = cls.FromString
        elif hasattr(cls, "model_validate"):
            name = STRUCT_PREFIX + cls.__name__
            self._to[cls] = (name, _struct_bytes)
            self._from[name] = lambda body: _struct_value(cls, body)
        else:
            raise UsageError(
                f"{cls.__name__} can't be a message: use a pydantic model or a protobuf class"
            )

    def encode(self, message: object) -> tuple[str, bytes]:
        """Return the type name and the bytes of a message.

        Raises:
            UsageError: its type isn't registered and can't be.
        """
        entry = self._to.get(type(message))
        if entry is None:
            if isinstance(message, Opaque):
                return message.type, message.body
            self.register(type(message))
            entry = self._to[type(message)]
        name, to_bytes = entry
        return name, to_bytes(message)

    def decode(self, name: str, body: bytes) -> object:
        """Return the message; `Opaque` for a type that isn't registered here.

        Raises:
            WireError: the bytes are not a message of that type.
        """
        parse = self._from.get(name)
        if parse is None:
            return Opaque(name, body)
        try:
            return parse(body)
        except (DecodeError, ValueError, TypeError, KeyError, RecursionError) as error:
            raise WireError(f"the body is not a {name}: {type(error).__name__}") from error

    def _register_kernel(self, cls: type) -> None:
        proto = getattr(agents_pb2, cls.__name__)
        fill, from_proto = self._compiled(cls)
        name = PACKAGE + cls.__name__
        # Looked up once: on a message, and on its class, that takes as long as setting a field.
        serialize, parse = proto.SerializeToString, proto.FromString

        def to_bytes(value: Any) -> bytes:
            made = proto()
            fill(made, value)
            serialized: bytes = serialize(made)
            return serialized

        self._to[cls] = (name, to_bytes)
        self._from[name] = lambda body: from_proto(parse(body))

    def _compiled(self, cls: type) -> tuple[Fill, FromProto]:
        if cls is events.Event:
            return self._event_converters()
        hints = typing.get_type_hints(cls)
        parts = [(f.name, *self._field(hints[f.name])) for f in fields(cls)]
        scalars = [name for name, put, _ in parts if put is setattr]
        others = [(name, put) for name, put, _ in parts if put is not setattr]

        def fill(made: Any, value: Any) -> None:
            for name in scalars:
                field = getattr(value, name)
                if field:  # setting one to its default takes as long as to anything else
                    setattr(made, name, field)
            for name, put in others:
                put(made, name, getattr(value, name))

        def from_proto(message: Any) -> Any:
            return cls(*[get(message, name) for name, _, get in parts])

        if len(scalars) > 1 and not others:
            return fill, _from_scalars(cls, scalars)
        return fill, from_proto

    def _field(self, hint: Any) -> tuple[Callable[..., None], Callable[..., Any]]:
        """Return how to set and get one field of a protobuf message."""
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is tuple:
            return self._repeated(arguments[0])
        is_optional = origin in (types.UnionType, typing.Union)
        if is_optional:
            hint = next(a for a in arguments if a is not type(None))
        if hint is object:
            return self._put_packed, self._get_packed
        if hasattr(hint, "__dataclass_fields__"):
            return self._nested(hint, is_optional=is_optional)
        if isinstance(hint, type) and issubclass(hint, StrEnum):
            return _enumerated(hint)
        return setattr, getattr

    def _repeated(self, item: Any) -> tuple[Callable[..., None], Callable[..., Any]]:
        if not hasattr(item, "__dataclass_fields__"):
            return _put_scalars, lambda message, name: tuple(getattr(message, name))
        fill, from_proto = self._compiled(item)

        def put(message: Any, name: str, values: Any) -> None:
            if values:
                repeated = getattr(message, name)
                for value in values:
                    fill(repeated.add(), value)

        def get(message: Any, name: str) -> Any:
            return tuple([from_proto(value) for value in getattr(message, name)])

        return put, get

    def _nested(
        self, cls: Any, *, is_optional: bool
    ) -> tuple[Callable[..., None], Callable[..., Any]]:
        fill, from_proto = self._compiled(cls)

        def get(message: Any, name: str) -> Any:
            if is_optional and not message.HasField(name):
                return None
            return from_proto(getattr(message, name))

        return _nesting(fill), get

    def _put_packed(self, message: Any, name: str, value: object) -> None:
        if value is not None:
            packed = getattr(message, name)
            packed.type, packed.body = self.encode(value)

    def _get_packed(self, message: Any, name: str) -> object:
        if not message.HasField(name):
            return None
        packed = getattr(message, name)
        return self.decode(packed.type, packed.body)

    def _event_converters(self) -> tuple[Fill, FromProto]:
        by_class: dict[type, tuple[str, Callable[..., None]]] = {}
        by_kind: dict[str, FromProto] = {}
        for cls in typing.get_args(events.KnownDetail):
            fill_detail, by_kind[cls.kind] = self._compiled(cls)
            by_class[cls] = (cls.kind, _nesting(fill_detail))

        def fill(made: Any, event: Any) -> None:
            made.at_s, made.task, made.agent = event.at_s, event.task, event.agent
            made.step, made.index = event.step, event.index
            if isinstance(event.detail, events.UnknownDetail):
                made.MergeFromString(event.detail.fields)
            else:
                kind, put = by_class[type(event.detail)]
                put(made, kind, event.detail)

        def from_proto(message: Any) -> Any:
            kind = message.WhichOneof("detail")
            if kind is None:
                detail: Any = _unknown_detail(message)
            else:
                detail = by_kind[kind](getattr(message, kind))
            return events.Event(
                message.at_s, message.task, message.agent, message.step, detail, message.index
            )

        return fill, from_proto


def _unknown_detail(message: Any) -> events.UnknownDetail:
    """Return what an event says in a field that was added since: where there is none, nothing is.

    Raises:
        ValueError: it says nothing at all.
    """
    known = message.DESCRIPTOR.oneofs_by_name["detail"].fields
    newest = max(field.number for field in known)
    unknown = UnknownFieldSet(message)
    if not any(unknown[number].field_number > newest for number in range(len(unknown))):
        raise ValueError("an event without a detail")
    kept = type(message)()
    kept.CopyFrom(message)
    for field, _ in message.ListFields():
        kept.ClearField(field.name)
    return events.UnknownDetail(kept.SerializeToString())


def pack(name: str, body: bytes, saw: bytes) -> bytes:
    """Return a message that was encoded already, and what it was made from, as one value."""
    return agents_pb2.Packed(type=name, body=body, saw=saw).SerializeToString()


def unpack(value: bytes) -> tuple[str, bytes, bytes]:
    """Return what `pack` was given.

    Raises:
        WireError: the bytes are something else.
    """
    try:
        packed = agents_pb2.Packed.FromString(value)
    except DecodeError as error:
        raise WireError("the bytes are not a packed message") from error
    return packed.type, packed.body, packed.saw


def _kernel_messages() -> list[type]:
    """Return the value classes of the kernel that have a protobuf message."""
    rooms = (tasks, conversation, submission, events, second_look, topic_news, decisions, usage)
    candidates = [each for room in rooms for each in vars(room).values() if isinstance(each, type)]
    return [
        cls
        for cls in dict.fromkeys(candidates)
        if hasattr(cls, "__dataclass_fields__") and hasattr(agents_pb2, cls.__name__)
    ]


def _from_scalars(cls: type, names: list[str]) -> FromProto:
    """Return what reads a message of plain fields: in one go, for these stream by the token."""
    read = attrgetter(*names)
    return lambda message: cls(*read(message))


def _enumerated(cls: type[StrEnum]) -> tuple[Callable[..., None], Callable[..., Any]]:
    """Return how to set and get a field whose values have the names of the protobuf enum's."""
    prefix = cls.__name__.upper()
    numbers = {each: getattr(agents_pb2, f"{prefix}_{each.name}") for each in cls}
    by_number = {number: each for each, number in numbers.items()}
    not_known = _NOT_KNOWN[cls]

    def put(message: Any, name: str, value: Any) -> None:
        setattr(message, name, numbers[value])

    def get(message: Any, name: str) -> Any:
        return by_number.get(getattr(message, name), not_known)

    return put, get


def _nesting(fill: Fill) -> Callable[[Any, str, Any], None]:
    """Return how to set a field that is a message of its own: made where it is to be."""

    def put(message: Any, name: str, value: Any) -> None:
        if value is not None:
            nested = getattr(message, name)
            nested.SetInParent()  # it is there, though all of its fields may have their defaults
            fill(nested, value)

    return put


def _put_scalars(message: Any, name: str, values: Any) -> None:
    getattr(message, name).extend(values)


def _struct_bytes(model: Any) -> bytes:
    struct = struct_pb2.Struct()
    struct.update(model.model_dump(mode="json"))
    return struct.SerializeToString(deterministic=True)


def _struct_value(cls: Any, body: bytes) -> object:
    struct = struct_pb2.Struct.FromString(body)
    value: object = cls.model_validate(json_format.MessageToDict(struct))
    return value
