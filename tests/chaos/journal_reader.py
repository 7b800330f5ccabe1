"""Brings the verdict on a cluster's tasks together: its log, and the journals in its store."""

from __future__ import annotations

from collections.abc import Mapping

from cluster.kernel.ids import TaskId
from cluster.memory.redis_journal import RedisJournal
from cluster.memory.redis_store import RedisStore
from tests.chaos.event_log import Record
from tests.chaos.figures import Figures
from tests.chaos.task_judge import count, judge_ends, judge_journal, judge_steps
from tests.chaos.task_roles import SCOPE


async def judge_tasks(records: list[Record], redis_url: str, figures: Figures) -> None:
    """Add what became of a cluster's tasks to the figures; the store must still run."""
    ended = judge_ends(records, figures)
    judge_steps(records, figures)
    count(records, figures)
    await judge_journals(ended, redis_url, SCOPE, figures)


async def judge_journals(
    ended: Mapping[str, Record], redis_url: str, scope: str, figures: Figures
) -> None:
    """Hold what the driver saw against the journals in the store."""
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
