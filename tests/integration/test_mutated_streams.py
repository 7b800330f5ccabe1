"""The short form of `python -m tests.mutations streams`, and what it would find."""

from __future__ import annotations

import pytest

from agents.models.endpoint import chunk, joining, stream_reading
from agents.models.endpoint.event_stream import EventStream
from tests.mutations import campaign

CASES = 1_500


def test_no_mutated_stream_crashes_or_hangs_the_reader() -> None:
    *_, tally = campaign.run("streams", 0, CASES)

    assert tally.failing == {}
    assert tally.count == CASES
    assert not tally.has_leak, tally.growths
    assert len(tally.kinds) == 8


@pytest.mark.parametrize(
    ("place", "name", "mended"),
    [
        (joining, "_paired", lambda text: text),
        (stream_reading, "MALFORMED", (RecursionError,)),
    ],
)
def test_a_reader_that_lets_something_through_is_found(
    place: object, name: str, mended: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, mended)

    *_, tally = campaign.run("streams", 0, CASES)

    assert len(tally.failing) == campaign.FAILURES_MAX


def _with_plain_ends(_: EventStream, block: bytes) -> bytes:
    return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _first_reasoning(delta: object) -> str:
    """The reasoning that stands first, whatever its name."""
    names = ("reasoning", "reasoning_content", "thinking")
    fields = delta.items() if isinstance(delta, dict) else ()
    return next((text for name, text in fields if name in names and isinstance(text, str)), "")


@pytest.mark.parametrize(
    ("place", "name", "broken"),
    [
        (EventStream, "_with_plain_ends", _with_plain_ends),
        (stream_reading, "_BOM", b"\xff"),
        (chunk, "_reasoning", _first_reasoning),
    ],
)
def test_a_reader_that_hears_something_else_in_other_bytes_is_found(
    place: object, name: str, broken: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, name, broken)

    *_, tally = campaign.run("streams", 0, CASES)

    assert tally.failing
    assert all("is read as" in story for story in tally.failing.values())
