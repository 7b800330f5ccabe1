"""DeadLetter <-> protobuf bytes, for the dead-letter box in the store."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from cluster.kernel.dead_letters import DeadLetter
from cluster.kernel.errors import WireError
from cluster.kernel.ids import AgentId, StepId, TaskId
from protos.v1 import dead_letters_pb2


def dead_letter_to_bytes(letter: DeadLetter) -> bytes:
    """Serialise an entry."""
    return dead_letters_pb2.DeadLetter(
        number=letter.number,
        at_s=letter.at_s,
        sender=letter.sender,
        recipient=letter.recipient,
        task=letter.task,
        step=letter.step,
        body_type=letter.body_type,
        attempts=letter.attempts,
        reason=letter.reason,
    ).SerializeToString()


def dead_letter_from_bytes(data: bytes) -> DeadLetter:
    """Parse an entry.

    Raises:
        WireError: the bytes are not one.
    """
    try:
        message = dead_letters_pb2.DeadLetter.FromString(data)
    except DecodeError as error:
        raise WireError("the dead-letter box holds bytes that are not an entry") from error
    return DeadLetter(
        at_s=message.at_s,
        sender=AgentId(message.sender),
        recipient=AgentId(message.recipient),
        task=TaskId(message.task),
        step=StepId(message.step),
        body_type=message.body_type,
        attempts=message.attempts,
        reason=message.reason,
        number=message.number,
    )
