"""The short form of `python -m tests.mutations files`, and what it would find."""

from __future__ import annotations

import pytest

from cluster.memory.knowledge import reading
from cluster.memory.knowledge.chunking.chunks import FORMATS
from cluster.memory.knowledge.decoding import Encoding
from cluster.memory.knowledge.formats import PACKED
from tests.mutations import campaign

CASES = 500


def test_no_mutated_file_crashes_or_hangs_what_reads_and_splits_it() -> None:
    *_, tally = campaign.run("files", 0, CASES)

    assert tally.failing == {}
    assert tally.count == CASES
    assert not tally.has_leak, tally.growths
    assert {f"{each}: read" for each in FORMATS | PACKED} <= set(tally.kinds)


def test_a_reader_that_lets_something_through_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "encoding_of", lambda _: Encoding("no such codec"))

    *_, tally = campaign.run("files", 0, CASES)

    assert len(tally.failing) == campaign.FAILURES_MAX
