"""Brings the verdict on a cluster's tasks together: its log, and the journals in its store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from cluster.kernel.ids import TaskId
from cluster.memory.journal.redis import RedisJournal
from cluster.memory.state.redis import RedisStateLog
from cluster.memory.store.redis import RedisStore
from cluster.runtime.tasks.task_journal import events_of
from cluster.wire.messages import MessageCodec
from tests.chaos.event_log import Record
from tests.chaos.figures import Figures
from tests.chaos.task_board import fold_of_board, judge_board
from tests.chaos.task_judge import count, judge_ends, judge_journal, judge_steps
from tests.chaos.task_roles import SCOPE

_POLL_S = 0.25


async def judge_tasks(records: list[Record], redis_url: str, figures: Figures) -> None:
    """Add what became of a cluster's tasks to the figures; the store must still run."""
    ended = judge_ends(records, figures)
    judge_steps(records, figures)
    count(records, figures)
    await judge_journals(ended, redis_url, SCOPE, figures)
    await _judge_boards(ended, redis_url, figures)


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


async def _judge_boards(ended: Iterable[str], redis_url: str, figures: Figures) -> None:
    """Hold what each task's steps have shared against what its journal says of them."""
    store = await RedisStore.connect(redis_url, timeout_s=20.0)
    try:
        journal, log = RedisJournal(store, SCOPE), RedisStateLog(store)
        for task in map(TaskId, ended):
            events = events_of(await journal.read(task), MessageCodec())
            judge_board(task, events, await fold_of_board(log, task), figures)
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
