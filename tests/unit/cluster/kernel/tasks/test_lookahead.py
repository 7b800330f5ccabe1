"""Which list rule decides where calls are few."""

from __future__ import annotations

from cluster.kernel.ids import StepId
from cluster.kernel.tasks.lookahead import LOOKAHEAD_MAX, OpenStep, free_slots, ranked


def open_step(
    name: str, seconds: float, *needs: str, priority: float = 0.0, is_running: bool = False
) -> OpenStep:
    return OpenStep(
        StepId(name),
        seconds,
        tuple(StepId(need) for need in needs),
        "here",
        priority or seconds,
        is_running=is_running,
    )


def order(*left: OpenStep, limit: int = 2) -> list[str]:
    ranks = ranked(left, {"here": limit})
    return [str(each.step) for each in sorted(left, key=lambda each: ranks[each.step])]


def test_a_running_step_takes_a_slot_of_its_endpoint_only() -> None:
    left = [open_step("a", 1.0, is_running=True), open_step("b", 1.0)]

    assert free_slots(left, {"here": 2, "there": 2}) == {"here": 1, "there": 2}


def test_the_critical_path_decides_where_nothing_is_better() -> None:
    assert order(open_step("a", 1.0), open_step("b", 5.0), open_step("c", 3.0)) == ["b", "c", "a"]


def test_another_rule_decides_where_it_ends_sooner() -> None:
    # By the critical path b and d go first, and a slot is idle while c waits for a.
    left = (
        open_step("a", 2.0, priority=4.0),
        open_step("b", 5.0, priority=7.0),
        open_step("c", 2.0, "a", "b"),
        open_step("d", 5.0),
    )

    assert order(*left).index("a") < order(*left).index("d")


def test_beyond_what_can_be_tried_out_the_critical_path_decides() -> None:
    left = [open_step(f"s{number}", 1.0 + number) for number in range(LOOKAHEAD_MAX + 1)]

    assert order(*left)[0] == f"s{LOOKAHEAD_MAX}"


def test_what_waits_for_a_step_that_nobody_knows_never_starts_and_hangs_nothing_up() -> None:
    left = (open_step("a", 1.0, "b"), open_step("b", 2.0, "a"), open_step("c", 4.0))

    assert set(order(*left, limit=1)) == {"a", "b", "c"}
