"""The base class of shared documents, whose instances read each field when it is first asked for.

A document has 20 KB where an edit touches a counter: validating all of it would take a hundred
times as long as the edit. So a model made of a document holds none of its fields at first, and each
becomes one when it is read. Made by `cluster.state.editing`; an instance that a program makes
itself is a pydantic model as any other.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from cluster.kernel.errors import StateInvalid, UsageError
from cluster.kernel.state.values import Value
from cluster.state.entries import Entries, EntrySource
from cluster.state.schema import FieldSchema, bare, refused, schema_of

SCOPES: Final = ("task", "cluster")
"""Who shares a document: the agents of a task, or everybody."""
_SOURCE = "__shared_source__"
_SCHEMA = "__shared_schema__"


def checked_scope(scope: str) -> str:
    """Return a scope as it is; raises UsageError where it is none."""
    if scope not in SCOPES:
        raise UsageError(f"the scope of shared state is one of {', '.join(SCOPES)}, not {scope!r}")
    return scope


class Source:
    """Where a model reads its fields: the plain values of a document at one moment."""

    __slots__ = ("durable", "fields", "is_open", "schema", "seen")

    def __init__(
        self, schema: Mapping[str, FieldSchema], fields: Mapping[str, Value], *, is_open: bool
    ) -> None:
        self.schema = schema
        self.fields = fields
        self.seen: dict[str, Value] = {}
        """What the class made of the fields that were read, as plain values; where open only.

        Of a dict that reads its entries one by one it is the document's value: that knows the rest.
        """
        self.is_open = is_open
        """Whether what is done to the model will become an edit."""
        self.durable: Callable[[], Awaitable[None]] | None = None
        """Waits until the edit that it has become is durable."""

    def value(self, name: str) -> Any:
        """Return the value of a field; raises `StateInvalid` where it has none for the class."""
        field = self.schema[name]
        plain = self.fields.get(name, field.default)
        if field.is_keyed and isinstance(plain, dict):
            self.seen[name] = plain
            return Entries(EntrySource(field, plain, is_open=self.is_open))
        value = field.read(plain)
        if self.is_open:
            self.seen[name] = plain if value is plain else field.written(value)
        return value


class _Reading:
    """Reads a field when it is first asked for, and stands for it in its class: ``Board.facts``.

    Not a data descriptor: what an instance has in its dict is found before this is asked.
    """

    def __init__(self, field: FieldSchema) -> None:
        self._field = field

    def __get__(self, instance: SharedState | None, owner: type) -> Any:
        name = self._field.name
        if instance is None:
            # Not inherited: pydantic asks a subclass for the default of a field in this way.
            if self._field.state is not owner:
                raise AttributeError(name)
            return self._field
        source = source_of(instance)
        if source is None:
            raise AttributeError(name)
        value = instance.__dict__[name] = source.value(name)
        return value


class SharedState(BaseModel):
    """A typed document that agents share; each field says how concurrent edits of it merge.

    ``Annotated[type, merge.NAME]``; a field that says nothing merges by `merge.siblings`. A field
    without a default begins empty: None where it may be, else {}, [], "", 0, or False.

    Between two versions of a program a field may come (it has its default), go (it is kept for who
    has it), or get another type: what was written is read as the new type where pydantic can, else
    reading that field raises `StateInvalid`, until somebody assigns it.

    ``class Board(SharedState, scope="cluster", ttl_s=3600)``: its documents are shared by everybody
    and live an hour from their last edit on. Without that they are a task's, and live as long as
    its journal.
    """

    __slots__ = (_SOURCE,)
    # Not null in place of infinity, without a word: the policies refuse it.
    model_config = ConfigDict(validate_assignment=True, ser_json_inf_nan="constants")
    __shared_schema__: ClassVar[Mapping[str, FieldSchema]]
    __shared_scope__: ClassVar[str] = SCOPES[0]
    __shared_ttl_s__: ClassVar[float | None] = None

    def __init_subclass__(
        cls, *, scope: str | None = None, ttl_s: float | None = None, **keywords: Any
    ) -> None:
        super().__init_subclass__(**keywords)
        if scope is not None:
            cls.__shared_scope__ = checked_scope(scope)
        if ttl_s is not None:
            if not 0.0 < ttl_s < math.inf:
                raise UsageError(f"{cls.__name__}.ttl_s must be over 0 s and finite, not {ttl_s}")
            cls.__shared_ttl_s__ = ttl_s

    def __init__(self, /, **data: Any) -> None:
        schema: Mapping[str, FieldSchema] | None = type(self).__dict__.get(_SCHEMA)
        for name, field in schema.items() if schema else ():
            if name not in data and type(self).model_fields[name].is_required():
                data[name] = field.read(field.default)
        super().__init__(**data)

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        cls.__shared_schema__ = schema_of(cls)
        for name, field in cls.__shared_schema__.items():
            setattr(cls, name, _Reading(field))

    async def flushed(self) -> None:
        """Wait until what a block has done to this model is durable; after the block.

        For who must know: the result of a step never goes out before all that it has edited is.

        Raises:
            UsageError: it is no model of a block that has been left without an exception.
            StaleEpoch, StateDeleted, Stopped: it never will be durable.
        """
        source, name = source_of(self), type(self).__name__
        if source is not None and source.durable is not None:
            await source.durable()
        elif source is not None and source.is_open:
            raise UsageError(
                f"what the block does to {name} is written when it is left without an exception: "
                "await flushed() after that"
            )
        else:
            raise UsageError(
                f"no block has edited this {name}: flushed() waits for what `async with` has "
                "written when its block was left without an exception"
            )

    if not TYPE_CHECKING:  # a checker would take every name for a field

        def __setattr__(self, name: str, value: object) -> None:
            source = source_of(self)
            if source is not None and not source.is_open:
                raise UsageError(
                    f"{type(self).__name__} is only shown here: it is edited within the block of "
                    "`async with`"
                )
            field = source.schema.get(name) if source is not None else None
            if field is not None and type(value) in field.passing:
                self.__dict__[name] = value  # there is nothing to validate
                return
            try:
                super().__setattr__(name, value)
            except ValidationError as error:
                if source is None:
                    raise  # a model of the program's own: it knows pydantic
                raise refused(f"{type(self).__name__}.{name} can't be this", error) from error

    def __iter__(self) -> Iterator[tuple[str, Any]]:  # type: ignore[override]  # as pydantic does
        fill(self)
        return super().__iter__()

    def __eq__(self, other: object) -> bool:
        for each in (self, other):
            fill(each)
        return super().__eq__(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __copy__(self) -> Self:
        fill(self)
        return super().__copy__()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        fill(self)
        return super().__deepcopy__(memo)

    def __getstate__(self) -> dict[Any, Any]:
        fill(self)
        return super().__getstate__()

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name in type(self).model_fields:
            try:
                yield name, getattr(self, name)
            except StateInvalid as error:  # whoever looks for what is wrong must see the rest
                yield name, error

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler, /
    ) -> JsonSchemaValue:
        # Without the serializer below, of which pydantic knows only that it returns something.
        plain = {key: part for key, part in core_schema.items() if key != "serialization"}
        return handler(cast("CoreSchema", plain))

    @model_serializer(mode="wrap")
    def _serialized(self, handler: SerializerFunctionWrapHandler) -> Any:
        fill(self)
        return handler(self)


def source_of(state: SharedState) -> Source | None:
    """Return where a model reads its fields, if a program has not made it itself."""
    try:
        source: Source | None = _get_source(state)
    except AttributeError:
        return None
    return source


def fill(state: object) -> None:
    """Read all fields that have not been read: pydantic's own code looks for them in a dict."""
    source = source_of(state) if isinstance(state, SharedState) else None
    for name in source.schema if source is not None else ():
        value = getattr(state, name)
        if isinstance(value, Entries):
            value.values()


def lazy(state: type[SharedState], source: Source, values: dict[str, Any]) -> Any:
    """Return a model that reads its fields from a source, but for the values it has."""
    model = bare(state, values)
    _put_source(model, source)
    return model


_put_source = SharedState.__dict__[_SOURCE].__set__
_get_source = SharedState.__dict__[_SOURCE].__get__


def fields_of(state: type[SharedState]) -> Mapping[str, FieldSchema]:
    """Return what a class says of its fields, by their names.

    Raises:
        UsageError: it names a type that isn't defined yet.
    """
    schema: Mapping[str, FieldSchema] | None = state.__dict__.get(_SCHEMA)
    if schema is None:
        state.model_rebuild()
        schema = state.__dict__[_SCHEMA]
    return schema
