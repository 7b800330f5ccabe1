"""What a campaign of mutations tells of the memory that its cases leave behind."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.mutations import campaign
from tests.mutations.campaign import Outcome

CASES = 1_000
CASE_BYTES = 4_096
_kept: list[object] = []
_cached: dict[int, bytes] = {}


def clean(seed: int) -> Outcome:
    return Outcome("read", len(bytes(CASE_BYTES)) + seed % 2)


def keeps_bytes(seed: int) -> Outcome:
    _kept.append(bytes(CASE_BYTES))
    return Outcome("read", CASE_BYTES)


def keeps_an_object(seed: int) -> Outcome:
    _kept.append(object())
    return Outcome("read", CASE_BYTES)


def keeps_what_is_new(seed: int) -> Outcome:
    """As an unbounded cache by input does: what runs again adds nothing."""
    _cached.setdefault(seed, bytes(2 * CASE_BYTES))
    return Outcome("read", CASE_BYTES)


def keeps_large_ones_for_a_while(seed: int) -> Outcome:
    """As malloc does: the memory of a large case is free again after it, but is not given back."""
    _kept[:] = [bytes(CASE_BYTES) for _ in range(5_000 if seed == CASES - 2 else 1)]
    return Outcome("read", CASE_BYTES)


def tally_of(
    case: Callable[[int], Outcome], monkeypatch: pytest.MonkeyPatch, count: int = CASES
) -> campaign.Tally:
    @contextmanager
    def cases() -> Iterator[Callable[[int], Outcome]]:
        yield case
        _kept.clear()
        _cached.clear()

    module = sys.modules[__name__]
    monkeypatch.setattr(module, "cases", cases, raising=False)
    monkeypatch.setattr(campaign, "WORKS", {"fake": __name__})
    *_, tally = campaign.run("fake", 0, count)
    return tally


@pytest.mark.parametrize("case", [clean, keeps_large_ones_for_a_while])
def test_a_work_that_keeps_nothing_has_no_leak(
    case: Callable[[int], Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tally_of(case, monkeypatch).is_good


@pytest.mark.parametrize("case", [keeps_bytes, keeps_an_object, keeps_what_is_new])
def test_a_work_that_keeps_something_of_each_case_has_a_leak(
    case: Callable[[int], Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    tally = tally_of(case, monkeypatch)

    assert tally.has_leak
    assert not tally.is_good


def test_workers_share_the_cases_without_a_gap() -> None:
    assert campaign.shares(5, 10, 3) == [(5, 3), (8, 3), (11, 4)]
