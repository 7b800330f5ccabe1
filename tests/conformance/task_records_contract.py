"""What every `cluster.memory.task_records.port.TaskRecords` promises, as checks that run on each.

`tests/conformance/test_task_records.py` runs all of `PROMISES` on both implementations.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from cluster.kernel.errors import UsageError
from cluster.kernel.feed import StepThoughts, TaskRecord, TaskSummary
from cluster.kernel.ids import TaskId
from cluster.memory.task_records.port import LISTED_MAX, KeyUse, TaskFilter, TaskRecords

Promise = Callable[[TaskRecords], Awaitable[None]]

NOON_S = 1_700_000_000.0 // 86400 * 86400 + 43200
DAY_S = 86400.0
TOOL = "a tool: mine"


def task_id(number: int) -> TaskId:
    """Return one of ids that are in the order of their numbers."""
    return TaskId(f"{number:032x}")


def summary(number: int, owner: str = "", status: str = "running") -> TaskSummary:
    """Return what is listed of a task."""
    ended = 0.0 if status == "running" else NOON_S
    return TaskSummary(
        task_id(number),
        f"why {number}?",
        status,
        owner,
        is_detached=True,
        submitted_wall_s=NOON_S - 9,
        ended_wall_s=ended,
    )


def record(number: int, owner: str = "", status: str = "answered") -> TaskRecord:
    """Return what is kept of a task that has ended."""
    thoughts = (
        StepThoughts("", "manager-0", "let me see", is_reasoning=True),
        StepThoughts("a", "researcher-1", "because\n\0 …"),
    )
    return TaskRecord(summary(number, owner, status), f'{{"answer": {number}}}', thoughts)


async def listed(records: TaskRecords, which: TaskFilter | None = None) -> list[int]:
    """Return the numbers of the tasks in a list."""
    return [int(each.task, 16) for each in await records.tasks(which or TaskFilter())]


async def a_task_is_known_from_its_beginning_to_after_its_end(records: TaskRecords) -> None:
    assert await records.record(task_id(1)) is None
    for _ in range(2):
        await records.began(summary(1, TOOL))
        assert await records.record(task_id(1)) == TaskRecord(summary(1, TOOL), "")
        assert await records.tasks(TaskFilter()) == (summary(1, TOOL),)
    await records.ended(record(1, TOOL), tokens=0)
    assert await records.record(task_id(1)) == record(1, TOOL)
    assert await records.tasks(TaskFilter()) == (record(1, TOOL).summary,)


async def only_the_first_end_counts(records: TaskRecords) -> None:
    await records.began(summary(1, TOOL))
    await records.ended(record(1, TOOL), tokens=70)
    await records.ended(record(1, TOOL), tokens=70)
    await records.ended(record(1, TOOL, "failed"), tokens=900)
    await records.began(summary(1, TOOL))
    assert await records.record(task_id(1)) == record(1, TOOL)
    assert await records.tokens_of_day(TOOL, NOON_S) == 70
    assert await listed(records, TaskFilter(status="failed")) == []
    assert await listed(records, TaskFilter(status="running")) == []


async def an_end_is_kept_of_a_task_whose_beginning_was_lost(records: TaskRecords) -> None:
    await records.ended(record(1, TOOL), tokens=1)
    assert await records.record(task_id(1)) == record(1, TOOL)
    assert await listed(records, TaskFilter(owner=TOOL)) == [1]


async def a_list_has_the_newest_first_page_by_page(records: TaskRecords) -> None:
    for number in (3, 1, 5, 2, 4):
        await records.began(summary(number))
    await records.ended(record(4), tokens=0)
    assert await listed(records) == [5, 4, 3, 2, 1]
    assert await listed(records, TaskFilter(tasks_max=2)) == [5, 4]
    assert await listed(records, TaskFilter(after=task_id(4), tasks_max=2)) == [3, 2]
    await records.forget(task_id(4))
    assert await listed(records, TaskFilter(after=task_id(4), tasks_max=2)) == [3, 2]
    assert await listed(records, TaskFilter(after=task_id(1))) == []


async def a_list_is_of_an_owner_and_of_a_status(records: TaskRecords) -> None:
    owners = ("", TOOL, "b", "a")
    for number in range(12):
        await records.began(summary(number, owners[number % 4]))
        if number >= 4:
            status = "answered" if number < 8 else "failed"
            await records.ended(record(number, owners[number % 4], status), tokens=0)
    assert await listed(records, TaskFilter(owner=TOOL)) == [9, 5, 1]
    assert await listed(records, TaskFilter(owner="")) == [8, 4, 0]
    assert await listed(records, TaskFilter(owner="nobody")) == []
    assert await listed(records, TaskFilter(status="running")) == [3, 2, 1, 0]
    assert await listed(records, TaskFilter(status="answered")) == [7, 6, 5, 4]
    assert await listed(records, TaskFilter(owner=TOOL, status="failed")) == [9]
    assert await listed(records, TaskFilter(owner="a", status="running", after=task_id(3))) == []


async def a_list_is_neither_nothing_nor_endless(records: TaskRecords) -> None:
    for tasks_max in (0, -1, LISTED_MAX + 1):
        with pytest.raises(UsageError, match=str(LISTED_MAX)):
            await records.tasks(TaskFilter(tasks_max=tasks_max))


async def a_task_that_has_ended_can_be_forgotten(records: TaskRecords) -> None:
    await records.began(summary(1, TOOL))
    await records.forget(task_id(1))
    assert await listed(records) == [1]
    await records.ended(record(1, TOOL), tokens=5)
    await records.forget(task_id(1))
    await records.forget(task_id(2))
    assert await records.record(task_id(1)) is None
    for which in (TaskFilter(), TaskFilter(owner=TOOL), TaskFilter(status="answered")):
        assert await listed(records, which) == []
    assert await records.tokens_of_day(TOOL, NOON_S) == 5


async def an_owner_has_so_many_tasks_at_once_and_no_more(records: TaskRecords) -> None:
    until = time.time() + 600
    assert await records.admit(task_id(1), TOOL, until, 2)
    assert await records.admit(task_id(2), TOOL, until + 60, 2)
    assert not await records.admit(task_id(3), TOOL, until, 2)
    assert await records.admit(task_id(1), TOOL, until, 2)
    assert await records.admit(task_id(3), "b", until, 1)
    assert not await records.admit(task_id(4), "c", until, 0)
    await records.release(task_id(2), TOOL)
    await records.release(task_id(2), TOOL)
    assert await records.admit(task_id(3), TOOL, until, 2)
    assert not await records.admit(task_id(2), TOOL, until, 2)


async def a_task_that_has_ended_counts_no_longer(records: TaskRecords) -> None:
    until = time.time() + 600
    for number in (1, 2):
        assert await records.admit(task_id(number), TOOL, until, 2)
    await records.began(summary(1, TOOL))
    await records.ended(record(1, TOOL), tokens=0)
    assert await records.admit(task_id(1), TOOL, until, 2)
    assert await records.admit(task_id(3), TOOL, until, 2)
    assert not await records.admit(task_id(4), TOOL, until, 2)


async def a_task_counts_until_its_instant_only(records: TaskRecords) -> None:
    now = time.time()
    assert await records.admit(task_id(1), TOOL, now - 1, 2)
    assert await records.admit(task_id(2), TOOL, now + 600, 2)
    assert await records.admit(task_id(3), TOOL, now - 1, 2)
    assert await records.admit(task_id(4), TOOL, now + 600, 2)
    assert not await records.admit(task_id(5), TOOL, now + 600, 2)


async def of_many_that_ask_at_once_as_many_are_admitted_as_may_be(records: TaskRecords) -> None:
    until = time.time() + 600
    may = await asyncio.gather(
        *(records.admit(task_id(number), TOOL, until, 7) for number in range(50))
    )
    assert sum(may) == 7


async def tokens_are_counted_by_owner_and_day(records: TaskRecords) -> None:
    assert await records.tokens_of_day(TOOL, NOON_S) == 0
    for number in range(10):
        await records.ended(record(number, TOOL), tokens=2**40)
    await records.ended(record(10, "b"), tokens=3)
    assert await records.tokens_of_day(TOOL, NOON_S) == 10 * 2**40
    assert await records.tokens_of_day(TOOL, NOON_S + DAY_S / 2 - 1) == 10 * 2**40
    assert await records.tokens_of_day(TOOL, NOON_S - DAY_S / 2) == 10 * 2**40
    for other_day in (NOON_S + DAY_S / 2, NOON_S - DAY_S / 2 - 1):
        assert await records.tokens_of_day(TOOL, other_day) == 0
    assert await records.tokens_of_day("b", NOON_S) == 3


async def a_key_stands_for_what_it_was_used_for_first(records: TaskRecords) -> None:
    first, second = KeyUse(task_id(1), "digest of one"), KeyUse(task_id(2), "")
    assert await records.use_key(TOOL, "key", first) == first
    assert await records.use_key(TOOL, "key", second) == first
    assert await records.use_key(TOOL, "another", second) == second
    assert await records.use_key("b", "key", second) == second


async def the_keys_of_two_owners_are_never_one(records: TaskRecords) -> None:
    pairs = [("a", "b:c"), ("a:b", "c"), ("", "a:b:c"), ("1:a", "b"), ("1", "a:b"), ("é", ":")]
    uses = [KeyUse(task_id(number), str(pair)) for number, pair in enumerate(pairs)]
    for pair, use in zip(pairs, uses, strict=True):
        assert await records.use_key(*pair, use) == use


async def a_key_that_is_used_at_the_same_moment_is_one_task(records: TaskRecords) -> None:
    uses = [KeyUse(task_id(number), "digest") for number in range(30)]
    told = await asyncio.gather(*(records.use_key(TOOL, "key", use) for use in uses))
    assert len(set(told)) == 1
    assert told[0] in uses


PROMISES: tuple[Promise, ...] = (
    a_task_is_known_from_its_beginning_to_after_its_end,
    only_the_first_end_counts,
    an_end_is_kept_of_a_task_whose_beginning_was_lost,
    a_list_has_the_newest_first_page_by_page,
    a_list_is_of_an_owner_and_of_a_status,
    a_list_is_neither_nothing_nor_endless,
    a_task_that_has_ended_can_be_forgotten,
    an_owner_has_so_many_tasks_at_once_and_no_more,
    a_task_that_has_ended_counts_no_longer,
    a_task_counts_until_its_instant_only,
    of_many_that_ask_at_once_as_many_are_admitted_as_may_be,
    tokens_are_counted_by_owner_and_day,
    a_key_stands_for_what_it_was_used_for_first,
    the_keys_of_two_owners_are_never_one,
    a_key_that_is_used_at_the_same_moment_is_one_task,
)
