"""Which list rule decides where calls are few."""

from __future__ import annotations

from cluster.kernel.ids import StepId
from cluster.kernel.tasks.lookahead import LOOKAHEAD_MAX, Waiting, ranked


def waiting(name: str, seconds: float, *needs: str, priority: float = 0.0) -> Waiting:
    return Waiting(
        StepId(name), seconds, tuple(StepId(need) for need in needs), "here", priority or seconds
    )


def test_nothing_decides_but_the_critical_path_where_nothing_is_better() -> None:
    steps = (waiting("a", 1.0), waiting("b", 5.0), waiting("c", 3.0))

    assert ranked(steps, {"here": 2}) is None


def test_another_rule_decides_where_it_ends_sooner() -> None:
    # By the critical path b and d go first, and a call is idle while c waits for a.
    steps = (
        waiting("a", 2.0, priority=4.0),
        waiting("b", 5.0, priority=7.0),
        waiting("c", 2.0, "a", "b"),
        waiting("d", 5.0),
    )

    ranks = ranked(steps, {"here": 2})

    assert ranks is not None
    assert ranks[StepId("a")] < ranks[StepId("d")]


def test_a_rule_that_saves_next_to_nothing_does_not_decide() -> None:
    steps = (
        waiting("a", 2.0, priority=2.1),
        waiting("b", 5.0, priority=5.1),
        waiting("c", 0.1, "a", "b"),
        waiting("d", 5.0),
    )

    assert ranked(steps, {"here": 2}) is None


def test_beyond_what_can_be_tried_out_nothing_decides_but_the_critical_path() -> None:
    steps = [
        waiting("a", 200.0, priority=400.0),
        waiting("b", 500.0, priority=700.0),
        waiting("c", 200.0, "a", "b"),
        waiting("d", 500.0),
        *(waiting(f"s{number}", 0.001) for number in range(LOOKAHEAD_MAX - 4)),
    ]

    assert ranked(steps, {"here": 2}) is not None
    assert ranked([*steps, waiting("last", 0.001)], {"here": 2}) is None


def test_what_waits_for_a_step_that_nobody_knows_never_starts_and_hangs_nothing_up() -> None:
    steps = (waiting("a", 1.0, "b"), waiting("b", 2.0, "a"), waiting("c", 4.0))

    assert ranked(steps, {"here": 1}) is None
