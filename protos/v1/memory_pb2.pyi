from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PassageKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PASSAGE_KIND_UNSPECIFIED: _ClassVar[PassageKind]
    PASSAGE_KIND_TEXT: _ClassVar[PassageKind]
    PASSAGE_KIND_CODE: _ClassVar[PassageKind]
PASSAGE_KIND_UNSPECIFIED: PassageKind
PASSAGE_KIND_TEXT: PassageKind
PASSAGE_KIND_CODE: PassageKind

class StoredPassage(_message.Message):
    __slots__ = ("start_line", "end_line", "text", "kind", "title", "context", "breaks", "page")
    START_LINE_FIELD_NUMBER: _ClassVar[int]
    END_LINE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    BREAKS_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    start_line: int
    end_line: int
    text: str
    kind: PassageKind
    title: str
    context: str
    breaks: _containers.RepeatedScalarFieldContainer[int]
    page: int
    def __init__(self, start_line: _Optional[int] = ..., end_line: _Optional[int] = ..., text: _Optional[str] = ..., kind: _Optional[_Union[PassageKind, str]] = ..., title: _Optional[str] = ..., context: _Optional[str] = ..., breaks: _Optional[_Iterable[int]] = ..., page: _Optional[int] = ...) -> None: ...

class StoredDocument(_message.Message):
    __slots__ = ("content_hash", "format", "chunker_version", "embedder", "dimensions", "passages", "vectors", "scales", "omission")
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    CHUNKER_VERSION_FIELD_NUMBER: _ClassVar[int]
    EMBEDDER_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    VECTORS_FIELD_NUMBER: _ClassVar[int]
    SCALES_FIELD_NUMBER: _ClassVar[int]
    OMISSION_FIELD_NUMBER: _ClassVar[int]
    content_hash: bytes
    format: str
    chunker_version: int
    embedder: str
    dimensions: int
    passages: _containers.RepeatedCompositeFieldContainer[StoredPassage]
    vectors: bytes
    scales: _containers.RepeatedScalarFieldContainer[float]
    omission: str
    def __init__(self, content_hash: _Optional[bytes] = ..., format: _Optional[str] = ..., chunker_version: _Optional[int] = ..., embedder: _Optional[str] = ..., dimensions: _Optional[int] = ..., passages: _Optional[_Iterable[_Union[StoredPassage, _Mapping]]] = ..., vectors: _Optional[bytes] = ..., scales: _Optional[_Iterable[float]] = ..., omission: _Optional[str] = ...) -> None: ...

class NamespaceSource(_message.Message):
    __slots__ = ("source", "path", "format", "chunker_version", "embedder", "passages", "stored_bytes", "size", "modified_ns", "omission")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    CHUNKER_VERSION_FIELD_NUMBER: _ClassVar[int]
    EMBEDDER_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    STORED_BYTES_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    MODIFIED_NS_FIELD_NUMBER: _ClassVar[int]
    OMISSION_FIELD_NUMBER: _ClassVar[int]
    source: str
    path: str
    format: str
    chunker_version: int
    embedder: str
    passages: int
    stored_bytes: int
    size: int
    modified_ns: int
    omission: str
    def __init__(self, source: _Optional[str] = ..., path: _Optional[str] = ..., format: _Optional[str] = ..., chunker_version: _Optional[int] = ..., embedder: _Optional[str] = ..., passages: _Optional[int] = ..., stored_bytes: _Optional[int] = ..., size: _Optional[int] = ..., modified_ns: _Optional[int] = ..., omission: _Optional[str] = ...) -> None: ...

class CollectionSource(_message.Message):
    __slots__ = ("source", "document", "path", "passages", "omission")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    OMISSION_FIELD_NUMBER: _ClassVar[int]
    source: str
    document: str
    path: str
    passages: int
    omission: str
    def __init__(self, source: _Optional[str] = ..., document: _Optional[str] = ..., path: _Optional[str] = ..., passages: _Optional[int] = ..., omission: _Optional[str] = ...) -> None: ...

class StoredCollection(_message.Message):
    __slots__ = ("sources",)
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    sources: _containers.RepeatedCompositeFieldContainer[CollectionSource]
    def __init__(self, sources: _Optional[_Iterable[_Union[CollectionSource, _Mapping]]] = ...) -> None: ...

class TaskSummary(_message.Message):
    __slots__ = ("task", "goal", "status", "owner", "is_detached", "submitted_wall_s", "ended_wall_s")
    TASK_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    IS_DETACHED_FIELD_NUMBER: _ClassVar[int]
    SUBMITTED_WALL_S_FIELD_NUMBER: _ClassVar[int]
    ENDED_WALL_S_FIELD_NUMBER: _ClassVar[int]
    task: str
    goal: str
    status: str
    owner: str
    is_detached: bool
    submitted_wall_s: float
    ended_wall_s: float
    def __init__(self, task: _Optional[str] = ..., goal: _Optional[str] = ..., status: _Optional[str] = ..., owner: _Optional[str] = ..., is_detached: _Optional[bool] = ..., submitted_wall_s: _Optional[float] = ..., ended_wall_s: _Optional[float] = ...) -> None: ...

class StepThoughts(_message.Message):
    __slots__ = ("step", "agent", "text", "is_reasoning")
    STEP_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    IS_REASONING_FIELD_NUMBER: _ClassVar[int]
    step: str
    agent: str
    text: str
    is_reasoning: bool
    def __init__(self, step: _Optional[str] = ..., agent: _Optional[str] = ..., text: _Optional[str] = ..., is_reasoning: _Optional[bool] = ...) -> None: ...

class TaskRecord(_message.Message):
    __slots__ = ("report_json", "thoughts")
    REPORT_JSON_FIELD_NUMBER: _ClassVar[int]
    THOUGHTS_FIELD_NUMBER: _ClassVar[int]
    report_json: str
    thoughts: _containers.RepeatedCompositeFieldContainer[StepThoughts]
    def __init__(self, report_json: _Optional[str] = ..., thoughts: _Optional[_Iterable[_Union[StepThoughts, _Mapping]]] = ...) -> None: ...
