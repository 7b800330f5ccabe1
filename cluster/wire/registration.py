"""Registration <-> protobuf bytes, for the directory's entries in the store."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from cluster.kernel.errors import WireError
from cluster.kernel.ids import AgentId
from cluster.kernel.registration import Registration
from protos.v1 import exchange_pb2


def registration_to_bytes(registration: Registration) -> bytes:
    """Serialise a registration."""
    return exchange_pb2.Registration(
        agent=registration.agent,
        address=registration.address,
        epoch=registration.epoch,
        load=registration.load,
        purpose=registration.purpose,
        handles=registration.handles,
        pid=registration.pid,
    ).SerializeToString()


def registration_from_bytes(data: bytes) -> Registration:
    """Parse a registration.

    Raises:
        WireError: the bytes are not one.
    """
    try:
        message = exchange_pb2.Registration.FromString(data)
    except DecodeError as error:
        raise WireError("the directory holds bytes that are not a registration") from error
    return Registration(
        AgentId(message.agent),
        message.address,
        message.epoch,
        message.load,
        message.purpose,
        tuple(message.handles),
        message.pid,
    )
