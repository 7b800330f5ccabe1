"""The short form of `python -m tests.mutations streams`, and what it would find."""

from __future__ import annotations

import pytest

from agents.models.endpoint import stream_reading
from tests.mutations import campaign

CASES = 1_500


def test_no_mutated_stream_crashes_or_hangs_the_reader() -> None:
    *_, tally = campaign.run("streams", 0, CASES)

    assert tally.failing == {}
    assert tally.count == CASES
    assert not tally.has_leak, tally.growths
    assert len(tally.kinds) == 8


@pytest.mark.parametrize(
    ("name", "mended"),
    [("_paired", lambda text: text), ("MALFORMED", (RecursionError,))],
)
def test_a_reader_that_lets_something_through_is_found(
    name: str, mended: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_reading, name, mended)

    *_, tally = campaign.run("streams", 0, CASES)

    assert len(tally.failing) == campaign.FAILURES_MAX
