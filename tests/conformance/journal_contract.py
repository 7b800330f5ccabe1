"""What every `cluster.memory.journal.port.Journal` promises, as checks that run against each.

`tests/conformance/test_journal.py` runs all of `PROMISES` on both implementations.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import random
from collections.abc import Awaitable, Callable

import pytest

from cluster.kernel.errors import StaleEpoch, UsageError, WireError
from cluster.kernel.ids import AgentId, TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.memory.journal.port import Journal, OpenTask, Ownership

Promise = Callable[[Journal], Awaitable[None]]

TASK = TaskId("0" * 32)
OWNER = Owner(AgentId("manager-0"), 7)
OTHER = Owner(AgentId("manager-1"), 3)


async def claimed(journal: Journal, owner: Owner = OWNER, task: TaskId = TASK) -> Ownership:
    """Claim a task whatever its term."""
    claim = await journal.claim(task, owner)
    assert claim is not None
    return claim


async def entries_come_back_in_order(journal: Journal) -> None:
    claim = await claimed(journal)
    assert claim == Ownership(1, ())
    await journal.append(TASK, 1, 1, [b"one"])
    await journal.append(TASK, 1, 2, [b"two", b"three"])
    await journal.append(TASK, 1, 4, [b"four"])
    assert await journal.read(TASK) == (b"one", b"two", b"three", b"four")
    assert await claimed(journal, OTHER) == Ownership(2, (b"one", b"two", b"three", b"four"))


async def an_entry_is_any_bytes(journal: Journal) -> None:
    entries = [b"", b"\0\r\n\0", bytes(range(256)), b"x" * 2**20]
    await claimed(journal)
    await journal.append(TASK, 1, 1, entries)
    assert await journal.read(TASK) == tuple(entries)


async def a_long_journal_keeps_its_order(journal: Journal) -> None:
    entries = [b"%d" % number for number in range(1, 1201)]
    await claimed(journal)
    for start in range(0, 1200, 100):
        await journal.append(TASK, 1, start + 1, entries[start : start + 100])
    assert await journal.read(TASK) == tuple(entries)


async def a_task_nobody_claimed_has_nothing_and_takes_nothing(journal: Journal) -> None:
    assert await journal.read(TASK) == ()
    assert await journal.open_tasks() == {}
    await journal.acknowledge(TASK, 1)
    for term in (0, 1):
        with pytest.raises(StaleEpoch, match=TASK):
            await journal.append(TASK, term, 1, [b"one"])
    assert await journal.read(TASK) == ()


async def tasks_do_not_touch_each_other(journal: Journal) -> None:
    first, second = TaskId("a"), TaskId("b")
    await claimed(journal, task=first)
    await claimed(journal, task=first)
    await claimed(journal, OTHER, second)
    await journal.append(first, 2, 1, [b"one"], is_final=True)
    await journal.append(second, 1, 1, [b"another"])
    assert await journal.read(first) == (b"one",)
    assert await journal.read(second) == (b"another",)
    assert await journal.open_tasks() == {second: OpenTask(OTHER, 1)}


async def a_newer_claim_fences_the_older_off(journal: Journal) -> None:
    await claimed(journal)
    await journal.append(TASK, 1, 1, [b"one"])
    assert await claimed(journal, OTHER) == Ownership(2, (b"one",))
    for index in (1, 2, 3):
        with pytest.raises(StaleEpoch, match=TASK):
            await journal.append(TASK, 1, index, [b"late"], is_final=index == 2)
    await journal.append(TASK, 2, 2, [b"two"])
    with pytest.raises(StaleEpoch):
        await journal.append(TASK, 1, 3, [b"late"])
    assert await journal.read(TASK) == (b"one", b"two")
    assert await journal.open_tasks() == {TASK: OpenTask(OTHER, 2)}


async def a_term_that_was_never_given_out_is_fenced_too(journal: Journal) -> None:
    await claimed(journal)
    for term in (0, 2, -1):
        with pytest.raises(StaleEpoch):
            await journal.append(TASK, term, 1, [b"one"])
    assert await journal.read(TASK) == ()


async def the_same_owner_that_claims_again_is_fenced_in_its_older_term(journal: Journal) -> None:
    await claimed(journal)
    assert (await claimed(journal)).term == 2
    with pytest.raises(StaleEpoch):
        await journal.append(TASK, 1, 1, [b"one"])
    await journal.append(TASK, 2, 1, [b"one"])
    assert await journal.read(TASK) == (b"one",)


async def a_claim_in_the_expected_term_is_taken_once(journal: Journal) -> None:
    assert await journal.claim(TASK, OWNER, expected_term=1) is None
    assert await journal.open_tasks() == {}
    assert await journal.claim(TASK, OWNER, expected_term=0) == Ownership(1, ())
    assert await journal.claim(TASK, OTHER, expected_term=0) is None
    await journal.append(TASK, 1, 1, [b"one"])
    assert await journal.claim(TASK, OTHER, expected_term=1) == Ownership(2, (b"one",))
    assert await journal.claim(TASK, OWNER, expected_term=1) is None
    assert await journal.open_tasks() == {TASK: OpenTask(OTHER, 2)}


async def an_accepted_task_is_claimed_and_has_its_first_entries(journal: Journal) -> None:
    assert await journal.accept(TASK, OWNER, [b"one", b"two"])
    assert await journal.open_tasks() == {TASK: OpenTask(OWNER, 1)}
    await journal.append(TASK, 1, 3, [b"three"])
    assert await claimed(journal, OTHER) == Ownership(2, (b"one", b"two", b"three"))
    with pytest.raises(StaleEpoch):
        await journal.append(TASK, 1, 4, [b"four"])


async def a_task_that_was_claimed_is_not_accepted(journal: Journal) -> None:
    await claimed(journal, OTHER)
    assert not await journal.accept(TASK, OWNER, [b"one"])
    assert await journal.read(TASK) == ()
    await journal.append(TASK, 1, 1, [b"the end"], is_final=True)
    assert not await journal.accept(TASK, OTHER, [b"the end"])


async def a_repeated_acceptance_changes_nothing(journal: Journal) -> None:
    for _ in range(2):
        assert await journal.accept(TASK, OWNER, [b"one", b"two"])
    assert not await journal.accept(TASK, OTHER, [b"one", b"two"])
    assert await journal.read(TASK) == (b"one", b"two")
    await journal.append(TASK, 1, 3, [b"three"])
    assert not await journal.accept(TASK, OWNER, [b"one", b"two"])
    assert await journal.read(TASK) == (b"one", b"two", b"three")


async def an_acceptance_of_nothing_is_a_usage_error(journal: Journal) -> None:
    with pytest.raises(UsageError, match="one entry or more"):
        await journal.accept(TASK, OWNER, [])
    assert await journal.open_tasks() == {}


async def of_many_claims_that_expect_the_same_term_exactly_one_wins(journal: Journal) -> None:
    for term in range(5):
        owners = [Owner(AgentId(f"manager-{number}"), term + 1) for number in range(64)]
        claims = await asyncio.gather(
            *(journal.claim(TASK, owner, expected_term=term) for owner in owners)
        )
        [(winner, won)] = [(owners[at], claim) for at, claim in enumerate(claims) if claim]
        assert won.term == term + 1
        assert await journal.open_tasks() == {TASK: OpenTask(winner, term + 1)}


async def claims_without_an_expected_term_get_one_each(journal: Journal) -> None:
    claims = await asyncio.gather(*(claimed(journal) for _ in range(64)))
    assert sorted(claim.term for claim in claims) == list(range(1, 65))


async def only_the_newest_owner_of_an_open_task_is_confirmed(journal: Journal) -> None:
    with pytest.raises(StaleEpoch, match=TASK):
        await journal.confirm(TASK, 0)
    await claimed(journal)
    await journal.confirm(TASK, 1)
    await claimed(journal, OTHER)
    for term in (0, 1, 3):
        with pytest.raises(StaleEpoch, match=TASK):
            await journal.confirm(TASK, term)
    await journal.confirm(TASK, 2)
    await journal.append(TASK, 2, 1, [b"end"], is_final=True)
    with pytest.raises(StaleEpoch, match=TASK):
        await journal.confirm(TASK, 2)
    assert await journal.read(TASK) == (b"end",)


async def a_repeated_append_changes_nothing(journal: Journal) -> None:
    await claimed(journal)
    for _ in range(3):
        await journal.append(TASK, 1, 1, [b"one", b"two"])
    assert await journal.read(TASK) == (b"one", b"two")
    await journal.append(TASK, 1, 3, [b"three"])
    await journal.append(TASK, 1, 4, [b"four"])
    await journal.append(TASK, 1, 1, [b"one", b"two"])
    await journal.append(TASK, 1, 3, [b"three"])
    assert await journal.read(TASK) == (b"one", b"two", b"three", b"four")


async def a_repeated_append_of_the_end_changes_nothing(journal: Journal) -> None:
    await claimed(journal)
    await journal.append(TASK, 1, 1, [b"one"])
    for _ in range(3):
        await journal.append(TASK, 1, 2, [b"two", b"end"], is_final=True)
    await journal.append(TASK, 1, 1, [b"one"])
    assert await journal.read(TASK) == (b"one", b"two", b"end")
    assert await journal.open_tasks() == {}


async def an_append_that_leaves_a_gap_is_refused(journal: Journal) -> None:
    await claimed(journal)
    for index in (2, 3, 1000):
        with pytest.raises(WireError, match=f"entry {index} .*{TASK}"):
            await journal.append(TASK, 1, index, [b"late"], is_final=True)
    await journal.append(TASK, 1, 1, [b"one"])
    with pytest.raises(WireError):
        await journal.append(TASK, 1, 3, [b"three"])
    assert await journal.read(TASK) == (b"one",)
    assert set(await journal.open_tasks()) == {TASK}


async def an_append_that_is_no_repetition_of_what_is_there_is_refused(journal: Journal) -> None:
    await claimed(journal)
    await journal.append(TASK, 1, 1, [b"one", b"two"])
    await claimed(journal)
    await journal.append(TASK, 2, 3, [b"three"])
    for index, entries in ((1, [b"one"]), (2, [b"two", b"three"]), (3, [b"three", b"four"])):
        with pytest.raises(WireError):
            await journal.append(TASK, 2, index, entries)
    with pytest.raises(WireError):
        await journal.append(TASK, 2, 3, [b"three"], is_final=True)
    assert await journal.read(TASK) == (b"one", b"two", b"three")
    assert set(await journal.open_tasks()) == {TASK}


async def an_append_of_nothing_or_nowhere_is_a_usage_error(journal: Journal) -> None:
    await claimed(journal)
    for index, entries in ((1, []), (0, [b"zero"]), (-1, [b"below"])):
        with pytest.raises(UsageError, match=TASK):
            await journal.append(TASK, 1, index, entries, is_final=True)
    assert await journal.read(TASK) == ()
    assert set(await journal.open_tasks()) == {TASK}


async def the_end_comes_exactly_once(journal: Journal) -> None:
    await claimed(journal)
    await journal.append(TASK, 1, 1, [b"one"])
    assert await journal.open_tasks() == {TASK: OpenTask(OWNER, 1)}
    await journal.append(TASK, 1, 2, [b"end"], is_final=True)
    assert await journal.open_tasks() == {}
    for is_final in (True, False):
        with pytest.raises(StaleEpoch):
            await journal.append(TASK, 1, 3, [b"another end"], is_final=is_final)
    assert await journal.read(TASK) == (b"one", b"end")


async def of_two_owners_that_end_a_task_only_the_newer_does(journal: Journal) -> None:
    await claimed(journal)
    await claimed(journal, OTHER)
    outcomes = await asyncio.gather(
        *(
            journal.append(TASK, term, 1, [b"end of %d" % term], is_final=True)
            for term in (1, 2, 1, 2)
        ),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [StaleEpoch, type(None)] * 2
    assert await journal.read(TASK) == (b"end of 2",)


async def a_task_that_has_ended_can_be_claimed_to_read_its_end(journal: Journal) -> None:
    await claimed(journal)
    await journal.append(TASK, 1, 1, [b"one", b"end"], is_final=True)
    assert await journal.claim(TASK, OTHER, expected_term=0) is None
    assert await journal.claim(TASK, OTHER, expected_term=1) == Ownership(2, (b"one", b"end"))
    assert await journal.open_tasks() == {}
    for term in (1, 2):
        with pytest.raises(StaleEpoch):
            await journal.append(TASK, term, 3, [b"more"])
    assert await journal.read(TASK) == (b"one", b"end")
    assert await journal.open_tasks() == {}


async def open_tasks_are_all_of_them(journal: Journal) -> None:
    tasks = [TaskId(f"{number:032x}") for number in range(300)]
    odd = Owner(AgentId("a manager of ours-12"), 2**40)
    await asyncio.gather(*(journal.claim(task, odd) for task in tasks))
    assert await journal.open_tasks() == dict.fromkeys(tasks, OpenTask(odd, 1))
    for task in tasks[::2]:
        await journal.append(task, 1, 1, [b"end"], is_final=True)
    assert set(await journal.open_tasks()) == set(tasks[1::2])


async def what_has_ended_is_unrecorded_until_it_is_told(journal: Journal) -> None:
    other = TaskId("1" * 32)
    await journal.recorded([])
    for task in (TASK, other):
        term = (await claimed(journal, task=task)).term
        assert task not in await journal.unrecorded()
        await journal.append(task, term, 1, [b"end"], is_final=True)
    await journal.append(other, term, 1, [b"end"], is_final=True)
    assert await journal.unrecorded() == {TASK, other}
    for _ in range(2):
        await journal.recorded([TASK])
        assert await journal.unrecorded() == {other}


async def an_acknowledgement_changes_nothing_that_is_kept(journal: Journal) -> None:
    await claimed(journal)
    await journal.append(TASK, 1, 1, [b"one", b"two"])
    for index in (0, 1, 2, 99):
        await journal.acknowledge(TASK, index)
    assert await journal.read(TASK) == (b"one", b"two")
    await journal.append(TASK, 1, 3, [b"end"], is_final=True)
    for index in (2, 3, 3):
        await journal.acknowledge(TASK, index)
        assert await journal.read(TASK) == (b"one", b"two", b"end")
        assert await journal.open_tasks() == {}


async def cancelled_appends_are_whole_or_not_there(journal: Journal) -> None:
    """A storm: each writer appends pairs and is cut off anywhere; what it then reads is its own."""
    rng = random.Random(20)

    def numbered(task: TaskId, first: int, last: int) -> tuple[bytes, ...]:
        return tuple(f"{task}/{number}".encode() for number in range(first, last + 1))

    async def write(task: TaskId) -> None:
        term, entries = dataclasses.astuple(await claimed(journal, task=task))
        assert entries == numbered(task, 1, len(entries))
        for index in itertools.count(len(entries) + 1, 2):
            await journal.append(task, term, index, numbered(task, index, index + 1))
            await asyncio.sleep(0)  # in memory, nothing waits

    tasks = [TaskId(f"task-{number}") for number in range(30)]
    for _ in range(12):
        writers = {task: asyncio.create_task(write(task)) for task in tasks}
        for task in rng.sample(tasks, len(tasks)):
            for _ in range(rng.randrange(8)):
                await asyncio.sleep(0)
            writers[task].cancel()
        await asyncio.gather(*writers.values(), return_exceptions=True)
        assert all(writer.cancelled() for writer in writers.values())
    for task in tasks:
        entries = (await claimed(journal, task=task)).entries
        assert len(entries) % 2 == 0
        assert entries == numbered(task, 1, len(entries))


PROMISES: tuple[Promise, ...] = (
    entries_come_back_in_order,
    an_entry_is_any_bytes,
    a_long_journal_keeps_its_order,
    a_task_nobody_claimed_has_nothing_and_takes_nothing,
    tasks_do_not_touch_each_other,
    a_newer_claim_fences_the_older_off,
    a_term_that_was_never_given_out_is_fenced_too,
    the_same_owner_that_claims_again_is_fenced_in_its_older_term,
    a_claim_in_the_expected_term_is_taken_once,
    an_accepted_task_is_claimed_and_has_its_first_entries,
    a_task_that_was_claimed_is_not_accepted,
    a_repeated_acceptance_changes_nothing,
    an_acceptance_of_nothing_is_a_usage_error,
    of_many_claims_that_expect_the_same_term_exactly_one_wins,
    claims_without_an_expected_term_get_one_each,
    only_the_newest_owner_of_an_open_task_is_confirmed,
    a_repeated_append_changes_nothing,
    a_repeated_append_of_the_end_changes_nothing,
    an_append_that_leaves_a_gap_is_refused,
    an_append_that_is_no_repetition_of_what_is_there_is_refused,
    an_append_of_nothing_or_nowhere_is_a_usage_error,
    the_end_comes_exactly_once,
    of_two_owners_that_end_a_task_only_the_newer_does,
    a_task_that_has_ended_can_be_claimed_to_read_its_end,
    open_tasks_are_all_of_them,
    what_has_ended_is_unrecorded_until_it_is_told,
    an_acknowledgement_changes_nothing_that_is_kept,
    cancelled_appends_are_whole_or_not_there,
)
