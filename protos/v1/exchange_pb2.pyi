from protos.v1 import envelope_pb2 as _envelope_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Frame(_message.Message):
    __slots__ = ("hello", "batch", "goodbye", "checksum")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    GOODBYE_FIELD_NUMBER: _ClassVar[int]
    CHECKSUM_FIELD_NUMBER: _ClassVar[int]
    hello: Hello
    batch: Batch
    goodbye: Goodbye
    checksum: int
    def __init__(self, hello: _Optional[_Union[Hello, _Mapping]] = ..., batch: _Optional[_Union[Batch, _Mapping]] = ..., goodbye: _Optional[_Union[Goodbye, _Mapping]] = ..., checksum: _Optional[int] = ...) -> None: ...

class Resident(_message.Message):
    __slots__ = ("agent", "epoch", "session")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    agent: str
    epoch: int
    session: int
    def __init__(self, agent: _Optional[str] = ..., epoch: _Optional[int] = ..., session: _Optional[int] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("version", "residents", "address", "met")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RESIDENTS_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    MET_FIELD_NUMBER: _ClassVar[int]
    version: int
    residents: _containers.RepeatedCompositeFieldContainer[Resident]
    address: str
    met: _containers.RepeatedCompositeFieldContainer[Resident]
    def __init__(self, version: _Optional[int] = ..., residents: _Optional[_Iterable[_Union[Resident, _Mapping]]] = ..., address: _Optional[str] = ..., met: _Optional[_Iterable[_Union[Resident, _Mapping]]] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("envelopes", "acks", "parts")
    ENVELOPES_FIELD_NUMBER: _ClassVar[int]
    ACKS_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    envelopes: _containers.RepeatedCompositeFieldContainer[_envelope_pb2.Envelope]
    acks: _containers.RepeatedCompositeFieldContainer[Ack]
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    def __init__(self, envelopes: _Optional[_Iterable[_Union[_envelope_pb2.Envelope, _Mapping]]] = ..., acks: _Optional[_Iterable[_Union[Ack, _Mapping]]] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ...) -> None: ...

class Part(_message.Message):
    __slots__ = ("lane", "data", "envelope")
    LANE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    ENVELOPE_FIELD_NUMBER: _ClassVar[int]
    lane: _envelope_pb2.Lane
    data: bytes
    envelope: _envelope_pb2.Envelope
    def __init__(self, lane: _Optional[_Union[_envelope_pb2.Lane, str]] = ..., data: _Optional[bytes] = ..., envelope: _Optional[_Union[_envelope_pb2.Envelope, _Mapping]] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("sender", "sender_epoch", "recipient", "recipient_epoch", "lane", "receipt", "limit", "done")
    SENDER_FIELD_NUMBER: _ClassVar[int]
    SENDER_EPOCH_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_EPOCH_FIELD_NUMBER: _ClassVar[int]
    LANE_FIELD_NUMBER: _ClassVar[int]
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    sender: str
    sender_epoch: int
    recipient: str
    recipient_epoch: int
    lane: _envelope_pb2.Lane
    receipt: int
    limit: int
    done: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, sender: _Optional[str] = ..., sender_epoch: _Optional[int] = ..., recipient: _Optional[str] = ..., recipient_epoch: _Optional[int] = ..., lane: _Optional[_Union[_envelope_pb2.Lane, str]] = ..., receipt: _Optional[int] = ..., limit: _Optional[int] = ..., done: _Optional[_Iterable[int]] = ...) -> None: ...

class Goodbye(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Registration(_message.Message):
    __slots__ = ("agent", "address", "epoch", "load", "purpose", "handles", "pid", "knowledge", "decides", "subscribes", "pure")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LOAD_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    HANDLES_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    KNOWLEDGE_FIELD_NUMBER: _ClassVar[int]
    DECIDES_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBES_FIELD_NUMBER: _ClassVar[int]
    PURE_FIELD_NUMBER: _ClassVar[int]
    agent: str
    address: str
    epoch: int
    load: int
    purpose: str
    handles: _containers.RepeatedScalarFieldContainer[str]
    pid: int
    knowledge: HeldKnowledge
    decides: _containers.RepeatedScalarFieldContainer[str]
    subscribes: _containers.RepeatedScalarFieldContainer[str]
    pure: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, agent: _Optional[str] = ..., address: _Optional[str] = ..., epoch: _Optional[int] = ..., load: _Optional[int] = ..., purpose: _Optional[str] = ..., handles: _Optional[_Iterable[str]] = ..., pid: _Optional[int] = ..., knowledge: _Optional[_Union[HeldKnowledge, _Mapping]] = ..., decides: _Optional[_Iterable[str]] = ..., subscribes: _Optional[_Iterable[str]] = ..., pure: _Optional[_Iterable[str]] = ...) -> None: ...

class HeldKnowledge(_message.Message):
    __slots__ = ("namespaces", "memo_lookups", "local_lookups", "central_lookups", "evicted", "stale_s")
    NAMESPACES_FIELD_NUMBER: _ClassVar[int]
    MEMO_LOOKUPS_FIELD_NUMBER: _ClassVar[int]
    LOCAL_LOOKUPS_FIELD_NUMBER: _ClassVar[int]
    CENTRAL_LOOKUPS_FIELD_NUMBER: _ClassVar[int]
    EVICTED_FIELD_NUMBER: _ClassVar[int]
    STALE_S_FIELD_NUMBER: _ClassVar[int]
    namespaces: _containers.RepeatedCompositeFieldContainer[HeldNamespace]
    memo_lookups: int
    local_lookups: int
    central_lookups: int
    evicted: int
    stale_s: float
    def __init__(self, namespaces: _Optional[_Iterable[_Union[HeldNamespace, _Mapping]]] = ..., memo_lookups: _Optional[int] = ..., local_lookups: _Optional[int] = ..., central_lookups: _Optional[int] = ..., evicted: _Optional[int] = ..., stale_s: _Optional[float] = ...) -> None: ...

class HeldNamespace(_message.Message):
    __slots__ = ("name", "version", "passages", "delta_passages", "bytes", "builds", "trouble")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PASSAGES_FIELD_NUMBER: _ClassVar[int]
    DELTA_PASSAGES_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    BUILDS_FIELD_NUMBER: _ClassVar[int]
    TROUBLE_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    passages: int
    delta_passages: int
    bytes: int
    builds: int
    trouble: str
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ..., passages: _Optional[int] = ..., delta_passages: _Optional[int] = ..., bytes: _Optional[int] = ..., builds: _Optional[int] = ..., trouble: _Optional[str] = ...) -> None: ...
