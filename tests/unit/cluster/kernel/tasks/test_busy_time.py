"""Where a task's time went: the chain that held up its end, what overlaps counted once."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.kernel.events import Spent
from cluster.kernel.ids import ANSWER_STEP, PLAN_STEP, StepId
from cluster.kernel.tasks.busy_time import BusyTime

A, B, C = StepId("a"), StepId("b"), StepId("c")
Call = tuple[StepId, float, float]
"""Of which step, from when to when."""


def busy(
    calls: Sequence[Call], sealed: dict[StepId, float], ended: dict[StepId, float]
) -> BusyTime:
    made = BusyTime()
    for step, at_s in sealed.items():
        made.planned(step, at_s)
    for step, began_s, ended_s in calls:
        made.spent(step, Spent("model", ended_s - began_s), ended_s)
    for step, at_s in ended.items():
        made.ended(step, at_s)
    return made


def test_a_step_that_begins_while_the_plan_streams_is_counted_from_its_own_line_on() -> None:
    made = busy(
        [(PLAN_STEP, 0.0, 4.0), (A, 1.0, 6.0), (ANSWER_STEP, 6.0, 7.0)],
        {A: 1.0},
        {PLAN_STEP: 4.0, A: 6.0},
    )

    assert made.critical_path_s({A: ()}, 7.0) == 1.0 + 5.0 + 1.0


def test_the_chain_follows_the_needs_that_ended_last() -> None:
    made = busy(
        [(PLAN_STEP, 0.0, 1.0), (A, 1.0, 2.0), (B, 1.0, 5.0), (C, 5.5, 6.0)],
        {A: 1.0, B: 1.0, C: 1.0},
        {PLAN_STEP: 1.0, A: 2.0, B: 5.0, C: 6.0},
    )

    assert made.critical_path_s({A: (), B: (), C: (A, B)}, 6.5) == 1.0 + 4.0 + 0.5


def test_a_plan_that_is_whole_only_after_its_steps_holds_up_the_answer() -> None:
    made = busy(
        [(PLAN_STEP, 0.0, 5.0), (A, 1.0, 2.0), (ANSWER_STEP, 5.0, 6.0)],
        {A: 1.0},
        {A: 2.0, PLAN_STEP: 5.0},
    )

    assert made.critical_path_s({A: ()}, 6.0) == 6.0


def test_calls_that_overlap_are_counted_once() -> None:
    made = busy([(A, 0.0, 2.0), (A, 1.0, 3.0)], {A: 0.0}, {PLAN_STEP: 0.0, A: 3.0})

    assert made.critical_path_s({A: ()}, 3.0) == 3.0
    assert made.model_s == 3.0


def test_what_ran_on_after_it_had_been_used_held_nothing_up() -> None:
    made = BusyTime()

    made.spent(PLAN_STEP, Spent("model", 1.0, saved_s=2.0), 3.0)
    made.ended(PLAN_STEP, 1.0)

    assert made.critical_path_s({}, 1.5) == 1.0


def test_a_step_that_never_ended_held_up_the_end_of_its_task() -> None:
    made = busy([(PLAN_STEP, 0.0, 1.0), (A, 1.0, 9.0)], {A: 1.0}, {PLAN_STEP: 1.0})

    assert made.critical_path_s({A: ()}, 9.0) == 9.0


def test_steps_that_need_each_other_end_the_chain() -> None:
    made = busy([(A, 1.0, 2.0)], {A: 1.0, B: 1.0}, {PLAN_STEP: 1.0, A: 2.0, B: 2.0})

    assert made.critical_path_s({A: (B,), B: (A,)}, 2.0) <= 2.0


_SECONDS = st.floats(0.0, 10.0)
_STEPS = st.sampled_from([PLAN_STEP, ANSWER_STEP, A, B, C])


@given(
    calls=st.lists(st.tuples(_STEPS, _SECONDS, _SECONDS), max_size=12),
    sealed=st.dictionaries(st.sampled_from([A, B, C]), _SECONDS),
    ended=st.dictionaries(st.sampled_from([PLAN_STEP, A, B, C]), _SECONDS),
    needs=st.fixed_dictionaries(
        {each: st.lists(st.sampled_from([A, B, C]), max_size=2) for each in (A, B, C)}
    ),
    wall_s=st.floats(10.0, 20.0),
)
def test_the_chain_is_never_longer_than_the_task(
    calls: list[Call],
    sealed: dict[StepId, float],
    ended: dict[StepId, float],
    needs: dict[StepId, list[StepId]],
    wall_s: float,
) -> None:
    made = busy(
        [(step, min(at), max(at)) for step, *at in calls],
        sealed,
        ended,
    )

    assert 0.0 <= made.critical_path_s(needs, wall_s) <= wall_s + 1e-6


def test_a_step_that_an_unfinished_plan_only_names_held_nothing_up() -> None:
    made = busy([(B, 1.0, 2.0)], {B: 0.5}, {})

    assert made.critical_path_s({B: [A]}, 3.0) == pytest.approx(1.0)


def test_a_task_without_a_plan_spent_nothing_on_one() -> None:
    assert BusyTime().critical_path_s({}, 1.0) == 0.0
    assert BusyTime().model_s == pytest.approx(0.0)
