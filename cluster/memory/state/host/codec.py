"""Entries and snapshots of a document as the bytes that its log keeps, and back.

Used by `cluster.memory.state.host.document` and `cluster.memory.state.host.keeper`. It is JSON,
with the keys of dicts in the order that they have: readers of equal logs then hold dicts of equal
order.
"""

from __future__ import annotations

import json

from cluster.kernel.errors import WireError
from cluster.kernel.state.edits import Entry, EntryBody, from_plain, to_plain
from cluster.kernel.state.folded import Folded
from cluster.kernel.state.values import Value
from cluster.memory.state.entries import LogEntry, LogSnapshot

_ENCODER = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
)


def packed(body: EntryBody) -> bytes:
    """Return an entry as its log keeps it."""
    return _ENCODER.encode(to_plain(body)).encode()


def unpacked(document: str, entry: LogEntry) -> Entry:
    """Read an entry; raises `WireError` where it is damaged."""
    try:
        return Entry(entry.version, from_plain(json.loads(entry.data.decode())))
    except (ValueError, RecursionError) as error:
        raise WireError(f"version {entry.version} of {document} can't be read: {error}") from error


def packed_snapshot(folded: Folded) -> LogSnapshot:
    """Return a snapshot as its log keeps it."""
    return LogSnapshot(folded.version, _ENCODER.encode(folded.to_plain()).encode())


def unpacked_snapshot(document: str, snapshot: LogSnapshot) -> Folded:
    """Read a snapshot; raises `WireError` where it is damaged."""
    try:
        return Folded.from_plain(json.loads(snapshot.data.decode()))
    except (ValueError, RecursionError) as error:
        raise WireError(
            f"the snapshot of {document} at {snapshot.version} can't be read: {error}"
        ) from error


def bytes_at_most(value: Value) -> int:
    """Return a number that the bytes of a value don't exceed: an edit has no time to make them."""
    size, pending = 0, [value]
    while pending:
        each = pending.pop()
        if isinstance(each, dict):
            pending += each.values()
            size += 2 + 4 * len(each) + 6 * sum(map(len, each))
        elif isinstance(each, list):
            pending += each
            size += 2 + len(each)
        elif isinstance(each, str):
            size += 3 + 6 * len(each)  # a control character is \\u0000
        elif isinstance(each, int):
            size += 6 + each.bit_length() // 3
        else:
            size += 25  # the longest float
    return size
