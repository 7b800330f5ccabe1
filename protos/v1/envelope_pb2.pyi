from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Lane(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LANE_UNSPECIFIED: _ClassVar[Lane]
    LANE_CONTROL: _ClassVar[Lane]
    LANE_REPLY: _ClassVar[Lane]
    LANE_WORK: _ClassVar[Lane]

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KIND_UNSPECIFIED: _ClassVar[Kind]
    KIND_ASK: _ClassVar[Kind]
    KIND_TELL: _ClassVar[Kind]
    KIND_REPLY: _ClassVar[Kind]
    KIND_PROGRESS: _ClassVar[Kind]
    KIND_CANCEL: _ClassVar[Kind]

class Trust(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRUST_UNSPECIFIED: _ClassVar[Trust]
    TRUST_USER: _ClassVar[Trust]
    TRUST_AGENT: _ClassVar[Trust]
    TRUST_RETRIEVED: _ClassVar[Trust]
LANE_UNSPECIFIED: Lane
LANE_CONTROL: Lane
LANE_REPLY: Lane
LANE_WORK: Lane
KIND_UNSPECIFIED: Kind
KIND_ASK: Kind
KIND_TELL: Kind
KIND_REPLY: Kind
KIND_PROGRESS: Kind
KIND_CANCEL: Kind
TRUST_UNSPECIFIED: Trust
TRUST_USER: Trust
TRUST_AGENT: Trust
TRUST_RETRIEVED: Trust

class Envelope(_message.Message):
    __slots__ = ("id", "sender", "sender_epoch", "seq", "recipient", "task", "step", "cause", "lane", "kind", "attempt", "remaining_us", "trust", "traceparent", "body_type", "body", "saw")
    ID_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    SENDER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQ_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    LANE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    REMAINING_US_FIELD_NUMBER: _ClassVar[int]
    TRUST_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    BODY_TYPE_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    SAW_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    sender: str
    sender_epoch: int
    seq: int
    recipient: str
    task: str
    step: str
    cause: bytes
    lane: Lane
    kind: Kind
    attempt: int
    remaining_us: int
    trust: Trust
    traceparent: str
    body_type: str
    body: bytes
    saw: bytes
    def __init__(self, id: _Optional[bytes] = ..., sender: _Optional[str] = ..., sender_epoch: _Optional[int] = ..., seq: _Optional[int] = ..., recipient: _Optional[str] = ..., task: _Optional[str] = ..., step: _Optional[str] = ..., cause: _Optional[bytes] = ..., lane: _Optional[_Union[Lane, str]] = ..., kind: _Optional[_Union[Kind, str]] = ..., attempt: _Optional[int] = ..., remaining_us: _Optional[int] = ..., trust: _Optional[_Union[Trust, str]] = ..., traceparent: _Optional[str] = ..., body_type: _Optional[str] = ..., body: _Optional[bytes] = ..., saw: _Optional[bytes] = ...) -> None: ...
