"""Entries and snapshots are bytes and come back; what is damaged is said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from cluster.kernel.errors import WireError
from cluster.kernel.state.edits import EntryBody
from cluster.kernel.state.folding import Fold
from cluster.kernel.state.values import Value, canonical
from cluster.memory.state.entries import LogEntry, LogSnapshot
from cluster.memory.state.host.codec import (
    bytes_at_most,
    packed,
    packed_snapshot,
    unpacked,
    unpacked_snapshot,
)
from tests.support.state_histories import bodies, log_of
from tests.support.state_values import VALUES


@given(bodies())
def test_every_entry_comes_back(log: list[EntryBody]) -> None:
    for body in log:
        assert unpacked("d", LogEntry(1, packed(body))).body == body


@given(bodies())
def test_a_snapshot_comes_back_with_its_keys_in_their_order(log: list[EntryBody]) -> None:
    fold = Fold()
    fold.extend(log_of(log))
    folded = fold.folded()

    again = unpacked_snapshot("d", packed_snapshot(folded))

    assert canonical(again.to_plain()) == canonical(folded.to_plain())
    assert json.dumps(dict(again.fields)) == json.dumps(dict(folded.fields))


@given(VALUES)
def test_no_value_has_more_bytes_than_is_said(value: Value) -> None:
    assert len(json.dumps(value, ensure_ascii=False).encode()) <= bytes_at_most(value)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b'{"type":"edit"}', b"[" * 100_000])
def test_damaged_bytes_are_named(data: bytes) -> None:
    with pytest.raises(WireError, match="version 7 of board can't be read"):
        unpacked("board", LogEntry(7, data))
    with pytest.raises(WireError, match="the snapshot of board at 7"):
        unpacked_snapshot("board", LogSnapshot(7, data))
