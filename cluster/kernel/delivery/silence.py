"""Which links are left though their streams are open: those that are stuck, or whose peer is gone.

Pure: `cluster.runtime.messaging.watcher` looks at the links now and then and carries out what is
said here. Such are links to frozen processes that were replaced meanwhile, and streams in which a
damaged length makes the receiver wait for what never comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Unreceipted:
    """Something sent over a link waits for its receipt."""

    receipts: int
    """How many there were when it began to wait."""
    since: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What has come from a peer over the link that we send on."""

    is_wanted: bool
    """Something waits for the peer."""
    awaits_receipt: bool
    receipts: int
    silent_s: float
    """For how long nothing has come."""


class Watch(Enum):
    """What is to be done about a link that is looked at now and then."""

    KEEP = "it carries what it should, or nothing waits for it"
    LEAVE = "it is stuck"
    INQUIRE = "it is silent: its peer may have been replaced"


def link_watched(
    waits: Unreceipted | None, heard: Heard, now: float, lease_s: float
) -> tuple[Unreceipted | None, Watch]:
    """Return whether a link is left though its stream is open.

    Stuck is one on which nothing has had its receipt for a lease, which else takes milliseconds.
    """
    if not heard.is_wanted:
        return None, Watch.KEEP
    if not heard.awaits_receipt:
        waits = None
    elif waits is None or waits.receipts != heard.receipts:
        waits = Unreceipted(heard.receipts, now)
    if waits is not None and now - waits.since >= lease_s:
        return waits, Watch.LEAVE
    return waits, Watch.INQUIRE if heard.silent_s >= lease_s else Watch.KEEP
