"""Entries and snapshots of a document as the bytes that its log keeps, and back.

Used by `cluster.memory.state.host.document` and `cluster.memory.state.host.keeper`. It is JSON,
with the keys of dicts in the order that they have: readers of equal logs then hold dicts of equal
order.
"""

from __future__ import annotations

import json
import marshal

from pydantic_core import from_json, to_json

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
    return to_json(to_plain(body))


def unpacked(document: str, entry: LogEntry) -> Entry:
    """Read an entry; raises `WireError` where it is damaged."""
    try:
        return Entry(entry.version, from_plain(from_json(entry.data, cache_strings="keys")))
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
    # The one pass over a value in native code that is quicker than writing JSON. No part of it
    # takes more than six times as much there: a control character is \\u0000, a bool is a byte.
    return 6 * len(marshal.dumps(value, _EACH_IN_FULL))


_EACH_IN_FULL = 2
"""The last format of marshal that says an object again where it stands twice."""
