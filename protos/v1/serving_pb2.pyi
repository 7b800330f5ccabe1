from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class AccessToken(_message.Message):
    __slots__ = ("name", "digest", "scopes", "namespaces", "tasks_max", "tokens_a_day_max", "created_wall_s")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SCOPES_FIELD_NUMBER: _ClassVar[int]
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    TASKS_MAX_FIELD_NUMBER: _ClassVar[int]
    TOKENS_A_DAY_MAX_FIELD_NUMBER: _ClassVar[int]
    CREATED_WALL_S_FIELD_NUMBER: _ClassVar[int]
    name: str
    digest: bytes
    scopes: _containers.RepeatedScalarFieldContainer[str]
    namespaces: _containers.RepeatedScalarFieldContainer[str]
    tasks_max: int
    tokens_a_day_max: int
    created_wall_s: float
    def __init__(self, name: _Optional[str] = ..., digest: _Optional[bytes] = ..., scopes: _Optional[_Iterable[str]] = ..., namespaces: _Optional[_Iterable[str]] = ..., tasks_max: _Optional[int] = ..., tokens_a_day_max: _Optional[int] = ..., created_wall_s: _Optional[float] = ...) -> None: ...

class Webhook(_message.Message):
    __slots__ = ("task", "url", "secret", "attempts", "not_before_wall_s")
    TASK_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    SECRET_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_WALL_S_FIELD_NUMBER: _ClassVar[int]
    task: str
    url: str
    secret: bytes
    attempts: int
    not_before_wall_s: float
    def __init__(self, task: _Optional[str] = ..., url: _Optional[str] = ..., secret: _Optional[bytes] = ..., attempts: _Optional[int] = ..., not_before_wall_s: _Optional[float] = ...) -> None: ...
