"""When a log is sealed and replaced by a snapshot."""

from __future__ import annotations

from dataclasses import replace

from cluster.memory.state.host.upkeep import (
    OPEN_ENTRIES,
    PATIENCE,
    SEAL_BYTES,
    SEAL_ENTRIES,
    LogState,
    is_snapshot_due,
    seal_at,
)

LONG = LogState(
    version=SEAL_ENTRIES,
    sealed=0,
    stored=0,
    settled=SEAL_ENTRIES,
    open_bytes=0,
    has_unknown=False,
    is_writer=True,
)
SEALED = replace(LONG, sealed=100)


def test_a_long_log_is_sealed_up_to_its_latest_edits() -> None:
    assert seal_at(LONG) == SEAL_ENTRIES - OPEN_ENTRIES
    assert seal_at(replace(LONG, version=SEAL_ENTRIES - 1)) is None


def test_large_entries_are_sealed_to_the_last() -> None:
    assert seal_at(replace(LONG, version=3, open_bytes=SEAL_BYTES)) == 3


def test_nothing_is_sealed_that_may_still_be_withdrawn() -> None:
    assert seal_at(replace(LONG, settled=7)) == 7
    assert seal_at(replace(LONG, settled=0)) is None


def test_nothing_is_sealed_while_some_of_it_cannot_be_read() -> None:
    assert seal_at(replace(LONG, has_unknown=True)) is None
    assert not is_snapshot_due(replace(SEALED, has_unknown=True), is_own_seal=True)


def test_who_only_reads_leaves_sealing_to_those_who_write() -> None:
    reader = replace(LONG, is_writer=False)
    assert seal_at(reader) is None
    assert seal_at(replace(reader, version=SEAL_ENTRIES * PATIENCE)) is not None


def test_a_seal_is_followed_by_its_snapshot_before_the_next_one() -> None:
    assert is_snapshot_due(SEALED, is_own_seal=True)
    assert seal_at(SEALED) is None
    assert not is_snapshot_due(replace(SEALED, stored=100), is_own_seal=True)


def test_a_snapshot_that_another_host_owes_is_stored_when_it_fails_to_come() -> None:
    assert not is_snapshot_due(SEALED, is_own_seal=False)
    late = replace(SEALED, version=100 + SEAL_ENTRIES * PATIENCE + 1)
    assert is_snapshot_due(late, is_own_seal=False)
    large = replace(SEALED, open_bytes=SEAL_BYTES * PATIENCE)
    assert is_snapshot_due(large, is_own_seal=False), "a full log gets no more entries"


def test_who_is_refused_by_a_full_log_stores_what_another_host_owes() -> None:
    assert is_snapshot_due(replace(SEALED, is_full=True), is_own_seal=False)
    assert not is_snapshot_due(replace(SEALED, stored=100, is_full=True), is_own_seal=False)
