"""The log of shared state is told, later on, which steps and tasks have ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import StaleEpoch
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.memory.journal.local import LocalJournal
from cluster.memory.state.host.documents import Documents
from cluster.runtime.tasks import settling as settling_module
from cluster.runtime.tasks.settling import Settling
from tests.support.clock import ManualClock
from tests.support.shared_documents import BOARD, TASK, UnsteadyStateLog, spend, step, until


@pytest.fixture
def log() -> UnsteadyStateLog:
    return UnsteadyStateLog(SystemClock())


@pytest.fixture
async def documents(log: UnsteadyStateLog) -> AsyncIterator[Documents]:
    opened = Documents(log, SystemClock())
    yield opened
    await opened.close()


async def edited(documents: Documents, name: str = "a") -> None:
    """Have a step edit the board."""
    attempt = await step(documents, name)
    spend(await documents.open(BOARD), attempt)
    await documents.flush(attempt)


async def settled(log: UnsteadyStateLog) -> int:
    return (await log.read(BOARD)).settled


async def test_a_step_that_has_ended_is_settled_after_a_while(
    log: UnsteadyStateLog, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling_module, "SETTLE_S", 0.0)
    settling = Settling(documents, SystemClock())
    for version, name in enumerate(("a", "b"), 1):
        await edited(documents, name)
        assert await settled(log) < version

        settling.step_ended(TASK, StepId(name))

        async with asyncio.timeout(10):
            while await settled(log) < version:  # noqa: ASYNC110 - of a store
                await asyncio.sleep(0)
    await settling.close()


async def test_a_task_that_has_ended_writes_nothing_and_is_open_nowhere_here(
    documents: Documents,
) -> None:
    settling = Settling(documents, ManualClock())
    await edited(documents)

    settling.task_ended(TASK, 60.0)

    await until(lambda: documents.peek(BOARD) is None)
    await settling.close()
    with pytest.raises(StaleEpoch):
        await step(documents, "b")


async def test_while_the_store_is_away_nothing_is_forgotten(
    log: UnsteadyStateLog, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling_module, "RETRY_S", 0.0)
    settling = Settling(documents, ManualClock())
    await edited(documents)
    log.is_down = True
    settling.task_ended(TASK, 60.0)
    for _ in range(20):
        await asyncio.sleep(0)
    log.is_down = False

    await until(lambda: bool(log.expired))
    await settling.close()

    assert log.expired == {TASK: 60.0}


async def test_what_ends_with_its_host_is_told_on_the_way_out(
    log: UnsteadyStateLog, documents: Documents
) -> None:
    settling = Settling(documents, ManualClock())
    settling.task_ended(TaskId("other"), 60.0)

    await settling.close()

    assert log.expired == {"other": 60.0}


async def ended_journal(*tasks: TaskId) -> LocalJournal:
    """Return a journal in which some tasks have ended."""
    journal = LocalJournal(SystemClock())
    for task in tasks:
        claim = await journal.claim(task, Owner(AgentId("manager-0"), 1))
        assert claim is not None
        await journal.append(task, claim.term, 1, [b"the end"], is_final=True)
    return journal


async def test_a_task_whose_manager_never_told_its_end_is_swept_the_second_time(
    log: UnsteadyStateLog, documents: Documents
) -> None:
    settling, journal = Settling(documents, ManualClock()), await ended_journal(TASK)
    await edited(documents)

    await settling.sweep(journal, {TASK}, 60.0)
    await settling.sweep(journal, (), 60.0)
    await settling.close()
    assert not log.expired, "it has maybe just ended, and its own Manager tells it"

    await settling.sweep(journal, (), 60.0)
    await settling.close()

    assert log.expired == {TASK: 60.0}
    assert await log.begun() == set()


async def test_a_task_that_goes_on_is_never_swept(
    log: UnsteadyStateLog, documents: Documents
) -> None:
    settling, journal = Settling(documents, ManualClock()), await ended_journal(TASK)
    await edited(documents)

    for going_on in ({TASK}, (), {TASK}, ()):
        await settling.sweep(journal, going_on, 60.0)
    await settling.close()

    assert not log.expired


async def test_a_task_of_another_cluster_on_the_same_store_is_never_swept(
    log: UnsteadyStateLog, documents: Documents
) -> None:
    settling, journal = Settling(documents, ManualClock()), await ended_journal(TaskId("ours"))
    await edited(documents)

    for _ in range(3):
        await settling.sweep(journal, (), 60.0)
    await settling.close()

    assert not log.expired
    assert await log.begun() == {TASK}


async def test_where_nothing_is_shared_nothing_is_told() -> None:
    settling = Settling(None, ManualClock())
    settling.step_ended(TASK, StepId("a"))
    settling.task_ended(TASK, 60.0)

    await settling.close()


async def test_a_task_that_its_driver_sees_ended_at_once_is_told_of_once(
    log: UnsteadyStateLog, documents: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, float]] = []

    async def end_task(task: TaskId, kept_s: float) -> None:
        told.append((task, kept_s))

    monkeypatch.setattr(documents, "end_task", end_task)
    monkeypatch.setattr(settling_module, "COMPANY_S", 0.0)
    settling = Settling(documents, ManualClock())
    settling.task_ended(TASK, 60.0)
    settling.task_ended(TASK, 30.0)

    await until(lambda: bool(told))
    await settling.close()

    assert told == [(TASK, 30.0)]
