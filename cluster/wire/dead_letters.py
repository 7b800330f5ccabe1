"""DeadLetter <-> protobuf bytes, for the dead-letter box in the store."""

from __future__ import annotations

from dataclasses import asdict, fields

from google.protobuf.message import DecodeError

from cluster.kernel.delivery.dead_letters import DeadLetter
from cluster.kernel.errors import WireError
from protos.v1 import dead_letters_pb2


def dead_letter_to_bytes(letter: DeadLetter) -> bytes:
    """Serialise an entry: the fields of both have the same names."""
    return dead_letters_pb2.DeadLetter(**asdict(letter)).SerializeToString()


def dead_letter_from_bytes(data: bytes) -> DeadLetter:
    """Parse an entry.

    Raises:
        WireError: the bytes are not one.
    """
    try:
        message = dead_letters_pb2.DeadLetter.FromString(data)
    except DecodeError as error:
        raise WireError("the dead-letter box holds bytes that are not an entry") from error
    return DeadLetter(**{each.name: getattr(message, each.name) for each in fields(DeadLetter)})
