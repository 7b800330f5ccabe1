from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class DeadLetter(_message.Message):
    __slots__ = ("number", "at_s", "sender", "recipient", "task", "step", "body_type", "attempts", "reason")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    AT_S_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    BODY_TYPE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    number: int
    at_s: float
    sender: str
    recipient: str
    task: str
    step: str
    body_type: str
    attempts: int
    reason: str
    def __init__(self, number: _Optional[int] = ..., at_s: _Optional[float] = ..., sender: _Optional[str] = ..., recipient: _Optional[str] = ..., task: _Optional[str] = ..., step: _Optional[str] = ..., body_type: _Optional[str] = ..., attempts: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...
