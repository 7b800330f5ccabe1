"""What is alone goes at once, what comes together goes together, and much goes before the end."""

from __future__ import annotations

from cluster.kernel.delivery.pace import AT_ONCE, Pace


def wakes(pace: Pace, count: int) -> list[bool]:
    """Wake a link so often, flushing where it says so; say when it did."""
    flushed = []
    for _ in range(count):
        is_due = pace.wake()
        if is_due:
            pace.flush()
        flushed.append(is_due)
    return flushed


def busy() -> Pace:
    """Return the pace of a link after a pass with more than one envelope."""
    pace = Pace()
    wakes(pace, 2)
    pace.end_pass()
    pace.flush()
    return pace


def test_the_first_of_a_pass_goes_at_once_and_the_others_at_its_end() -> None:
    pace = Pace()

    assert wakes(pace, 3) == [True, False, False]
    assert pace.end_pass()


def test_after_a_busy_pass_all_go_at_the_end_of_theirs() -> None:
    pace = busy()

    assert wakes(pace, 3) == [False] * 3
    assert pace.end_pass()


def test_after_a_pass_with_one_the_first_goes_at_once_again() -> None:
    pace = busy()
    wakes(pace, 1)
    pace.end_pass()
    pace.flush()

    assert wakes(pace, 1) == [True]
    assert not pace.end_pass()


def test_of_many_in_one_pass_the_first_go_before_its_end() -> None:
    flushed = wakes(busy(), 2 * AT_ONCE)

    assert [number for number, is_due in enumerate(flushed, 1) if is_due] == [AT_ONCE, 2 * AT_ONCE]


def test_without_coalescing_everything_goes_at_once_and_no_end_is_awaited() -> None:
    pace = Pace(is_coalescing=False)

    assert wakes(pace, 3) == [True] * 3
    assert not pace.is_end_awaited
