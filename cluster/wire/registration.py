"""Registration <-> protobuf bytes, for the directory's entries in the store."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from cluster.kernel.cache_statistics import CacheStatistics, NamespaceStatistics
from cluster.kernel.errors import WireError
from cluster.kernel.ids import AgentId
from cluster.kernel.registration import Registration
from protos.v1 import exchange_pb2

NAMESPACES_TOLD_MAX = 8
"""Of those that a host holds, the ones that were used last: all hosts read all registrations."""


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
        knowledge=None if registration.knowledge is None else _held(registration.knowledge),
        decides=registration.decides,
        subscribes=registration.subscribes,
        pure=registration.pure,
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
        _statistics(message.knowledge) if message.HasField("knowledge") else None,
        tuple(message.decides),
        subscribes=tuple(message.subscribes),
        pure=tuple(message.pure),
    )


def _held(statistics: CacheStatistics) -> exchange_pb2.HeldKnowledge:
    return exchange_pb2.HeldKnowledge(
        namespaces=[
            exchange_pb2.HeldNamespace(
                name=each.name,
                version=each.version,
                passages=each.passages,
                delta_passages=each.delta_passages,
                bytes=each.bytes,
                builds=each.builds,
                trouble=each.trouble,
            )
            for each in statistics.namespaces[-NAMESPACES_TOLD_MAX:]
        ],
        memo_lookups=statistics.memo_lookups,
        local_lookups=statistics.local_lookups,
        central_lookups=statistics.central_lookups,
        evicted=statistics.evicted,
        stale_s=statistics.stale_s,
    )


def _statistics(held: exchange_pb2.HeldKnowledge) -> CacheStatistics:
    return CacheStatistics(
        tuple(
            NamespaceStatistics(
                each.name,
                each.version,
                each.passages,
                each.delta_passages,
                each.bytes,
                each.builds,
                each.trouble,
            )
            for each in held.namespaces
        ),
        held.memo_lookups,
        held.local_lookups,
        held.central_lookups,
        held.evicted,
        held.stale_s,
    )
