"""Decides when a document's log is shortened: first sealed, then replaced by a snapshot. Pure.

Called by `cluster.memory.state.host.keeper`. What is sealed can't be undone any more, so the latest
edits are left open, unless they have become large.
"""

from __future__ import annotations

from dataclasses import dataclass

SEAL_ENTRIES = 384
"""So many open entries have some of them sealed."""
OPEN_ENTRIES = 128
"""So many stay open, to be undone by people."""
SEAL_BYTES = 1024 * 1024
"""Open entries that are larger are sealed whatever their number."""
PATIENCE = 3
"""How many times as much there has to be before a host does what another one should have done."""


@dataclass(frozen=True, slots=True)
class LogState:
    """How a document's log stands, as a host knows it."""

    version: int
    sealed: int
    """Up to where it is sealed."""
    stored: int
    """Up to where a snapshot stands for it."""
    settled: int
    """Up to where the store lets a snapshot go."""
    open_bytes: int
    """Of the entries that are not sealed."""
    has_unknown: bool
    """Whether this host can't read all of it, so that others may see another document."""
    is_writer: bool
    """Whether this host has edited it; all who follow it need not do the same at once."""
    is_full: bool = False
    """Whether the log has refused an edit of this host: it must be shortened, by whoever can."""


def seal_at(state: LogState) -> int | None:
    """Return up to which version the log is to be sealed now; None for not now."""
    if state.has_unknown or state.sealed > state.stored:
        return None
    patience = 1 if state.is_writer else PATIENCE
    open_entries = state.version - state.sealed
    if state.open_bytes >= SEAL_BYTES * patience:
        target = state.version
    elif open_entries >= SEAL_ENTRIES * patience:
        target = state.version - OPEN_ENTRIES
    else:
        return None
    target = min(target, state.settled)
    return target if target > state.sealed else None


def is_snapshot_due(state: LogState, *, is_own_seal: bool) -> bool:
    """Say whether the document at its seal is to be stored now: by whoever has sealed it first."""
    if state.sealed <= state.stored or state.has_unknown:
        return False
    lag = state.version - state.sealed
    is_late = lag > SEAL_ENTRIES * PATIENCE or state.open_bytes >= SEAL_BYTES * PATIENCE
    return is_own_seal or is_late or state.is_full
