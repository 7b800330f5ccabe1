"""The judge of the knowledge campaign notices what is lost and what comes back, and only that."""

from __future__ import annotations

from tests.chaos.figures import Figures
from tests.chaos.knowledge_ledger import Change
from tests.chaos.source_judge import judge_sources

SOURCE = ("spring", "a")


def put(began: float, ended: float | None = None, *, is_put: bool = True) -> Change:
    """A change of the source; without an end, nobody was told what became of it."""
    change = Change(*SOURCE, is_put, began)
    if ended is not None:
        change.is_acked, change.ended = True, ended
    return change


def removal(began: float, ended: float | None = None) -> Change:
    return put(began, ended, is_put=False)


def broken(changes: dict[str, Change], now: str | None) -> tuple[int, int]:
    """Returns what is lost, and what has come back, where the store has a change or nothing."""
    figures = Figures("knowledge", 1)
    judge_sources(changes, {SOURCE: now} if now else {}, figures)
    return figures.lost, figures.resurrected


def test_the_latest_acknowledged_put_must_be_there() -> None:
    changes = {"one": put(1, 2), "two": put(3, 4)}

    assert broken(changes, "two") == (0, 0)
    assert broken(changes, "one") == (1, 0)
    assert broken(changes, None) == (1, 0)


def test_what_was_removed_must_not_come_back() -> None:
    changes = {"one": put(1, 2), "two": removal(3, 4)}

    assert broken(changes, None) == (0, 0)
    assert broken(changes, "one") == (0, 1)


def test_what_nobody_was_told_of_may_be_there_or_not() -> None:
    changes = {"one": put(1, 2), "two": put(3), "three": removal(4)}

    for now in ("one", "two", None):
        assert broken(changes, now) == (0, 0)


def test_what_began_before_an_acknowledged_put_must_not_come_after_it() -> None:
    assert broken({"one": put(1), "two": put(2, 3)}, "one") == (1, 0)
    assert broken({"one": removal(1), "two": put(2, 3)}, None) == (1, 0)


def test_a_put_that_was_under_way_when_nothing_was_removed_may_come_after_it() -> None:
    changes = {"one": put(1, 4), "two": removal(2, 3)}

    assert broken(changes, "one") == (0, 0)


def test_what_was_refused_must_not_be_there() -> None:
    refused = put(3)
    refused.is_refused = True

    assert broken({"one": put(1, 2), "two": refused}, "two") == (1, 0)


def test_what_nobody_wrote_must_not_be_there() -> None:
    assert broken({"one": put(1, 2)}, "other")[1] == 1
