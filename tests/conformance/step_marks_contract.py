"""What a `StateLog` and the store beside it promise of steps and their records, for both pairs.

A result that is recorded is that of the latest attempt, and no attempt begins after it.
`tests/conformance/test_state_log.py` runs all of `STEP_PROMISES`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.kernel.errors import StaleEpoch
from cluster.kernel.ids import TaskId
from cluster.memory.state.entries import StepKey
from cluster.memory.state.marks import StepMarks
from cluster.memory.store.port import Fence
from tests.conformance.state_log_contract import (
    DOCUMENT,
    FIRST,
    OTHER_STEP,
    PERSON,
    STEP,
    TASK,
    StateLogSubject,
    edit,
)

MARKS = StepMarks(TASK, "record/r1", "attempt/r1", 3600.0)


async def record(subject: StateLogSubject, generation: int, *, ttl_s: float = 3600.0) -> bool:
    fence = Fence(MARKS.attempt, generation)
    return await subject.store.put_once("agent", MARKS.record, 1, b"done", ttl_s, fence=fence)


async def an_attempt_says_which_one_it_is(subject: StateLogSubject) -> None:
    for generation in (1, 2):
        assert (await subject.log.begin(TASK, STEP, MARKS)).generation == generation
        assert await subject.store.get_many([MARKS.attempt]) == [b"%d" % generation]


async def an_attempt_that_has_a_later_one_records_nothing(subject: StateLogSubject) -> None:
    await subject.log.begin(TASK, STEP, MARKS)
    await subject.log.begin(TASK, STEP, MARKS)
    assert await record(subject, 1) is False
    assert await subject.store.get_many([MARKS.record]) == [None]
    assert await record(subject, 2) is True


async def what_has_edited_nothing_is_before_all_attempts(subject: StateLogSubject) -> None:
    await subject.log.begin(TASK, STEP, MARKS)
    assert await record(subject, 0) is False


async def a_step_that_has_a_result_is_not_begun_again(subject: StateLogSubject) -> None:
    await subject.log.begin(TASK, STEP, MARKS)
    assert await record(subject, 1) is True
    with pytest.raises(StaleEpoch, match="has its result"):
        await subject.log.begin(TASK, STEP, MARKS)
    assert (await subject.log.append(DOCUMENT, FIRST, [edit(1)])).added == 1
    assert (await subject.log.begin(TASK, OTHER_STEP)).generation == 1


async def a_step_is_begun_again_for_another_record(subject: StateLogSubject) -> None:
    await subject.log.begin(TASK, STEP, MARKS)
    assert await record(subject, 1) is True
    again = replace(MARKS, record="record/r1#1")
    assert (await subject.log.begin(TASK, STEP, again)).generation == 2


async def a_settled_step_is_not_begun_again(subject: StateLogSubject) -> None:
    await subject.log.begin(TASK, STEP)
    await subject.log.settle(TASK, STEP)
    with pytest.raises(StaleEpoch, match="has its result"):
        await subject.log.begin(TASK, STEP)


async def what_an_attempt_says_of_itself_is_kept_for_a_while(subject: StateLogSubject) -> None:
    await subject.log.begin(TASK, STEP, replace(MARKS, kept_s=0.02))
    await subject.pass_time(0.03)
    assert await subject.store.get_many([MARKS.attempt]) == [None]


async def a_task_that_has_begun_a_step_is_known_until_its_end(subject: StateLogSubject) -> None:
    log, other = subject.log, TaskId("task2")
    assert await log.begun() == set()
    await log.begin(TASK, STEP)
    await log.append(DOCUMENT, StepKey(other, STEP), [edit(1)])
    await log.append("task/task3/Board/", PERSON, [edit(1)])
    await log.settle(TASK, STEP)
    assert await log.begun() == {TASK, other}
    await log.expire(TASK, 20.0)
    assert await log.begun() == {other}


STEP_PROMISES = (
    an_attempt_says_which_one_it_is,
    an_attempt_that_has_a_later_one_records_nothing,
    what_has_edited_nothing_is_before_all_attempts,
    a_step_that_has_a_result_is_not_begun_again,
    a_step_is_begun_again_for_another_record,
    a_settled_step_is_not_begun_again,
    what_an_attempt_says_of_itself_is_kept_for_a_while,
    a_task_that_has_begun_a_step_is_known_until_its_end,
)
