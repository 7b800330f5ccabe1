"""Brings the verdict on a cluster's tasks together: its log, and the journals in its store."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from cluster.kernel.ids import TaskId
from cluster.memory.journal.redis import RedisJournal
from cluster.memory.store.redis import RedisStore
from tests.chaos.event_log import Record
from tests.chaos.figures import Figures
from tests.chaos.task_judge import count, judge_ends, judge_journal, judge_steps
from tests.chaos.task_roles import SCOPE

_POLL_S = 0.25


async def judge_tasks(records: list[Record], redis_url: str, figures: Figures) -> None:
    """Add what became of a cluster's tasks to the figures; the store must still run."""
    ended = judge_ends(records, figures)
    judge_steps(records, figures)
    count(records, figures)
    await judge_journals(ended, redis_url, SCOPE, figures)


async def judge_journals(
    ended: Mapping[str, Record | None], redis_url: str, scope: str, figures: Figures
) -> None:
    """Hold what the driver saw against the journals in the store.

    None is the end of a task whose driver was killed: what its journal says is all there is.
    """
    store = await RedisStore.connect(redis_url, timeout_s=20.0)
    try:
        journal = RedisJournal(store, scope)
        for unended in await journal.open_tasks():
            if unended in ended and await journal.read(unended):
                figures.without_end += 1
                figures.note(f"the journal of {unended} is still open")
        for task, end in ended.items():
            judge_journal(task, end, await journal.read(TaskId(task)), figures)
    finally:
        await store.close()


async def until_journals_end(redis_url: str, timeout_s: float) -> None:
    """Wait until no task is open that was accepted, or the time is over: the judge then says so."""
    store = await RedisStore.connect(redis_url, timeout_s=20.0)
    journal = RedisJournal(store, SCOPE)
    try:
        async with asyncio.timeout(timeout_s):
            while [  # noqa: ASYNC110 - the store has no event for it
                task for task in await journal.open_tasks() if await journal.read(task)
            ]:
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        return
    finally:
        await store.close()
