"""Shared documents on a real server: writers that meet, kills, a full memory, a long log."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from cluster.kernel.clock import SystemClock
from cluster.kernel.errors import StaleEpoch
from cluster.kernel.ids import StepId
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.redis import RedisStateLog
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore
from tests.support.redis import kept_alive, until_it_answers
from tests.support.shared_documents import (
    BOARD,
    TASK,
    say,
    shortened,
    spend,
    step,
    until,
    whole,
)

pytestmark = pytest.mark.integration


@pytest.fixture
def own_url() -> Iterator[str]:
    """A server for one test, which may spoil it."""
    with EmbeddedRedis(is_temporary=True) as server:
        yield server.url


def host(store: RedisStore) -> Documents:
    return Documents(RedisStateLog(store), SystemClock())


async def test_hosts_that_write_one_document_agree_on_it(redis_store: RedisStore) -> None:
    hosts = [host(redis_store) for _ in range(3)]
    boards = [await each.open(BOARD) for each in hosts]
    attempts = [await step(each, f"{number}") for number, each in enumerate(hosts)]

    for round_ in range(200):
        for board, attempt in zip(boards, attempts, strict=True):
            spend(board, attempt)
            say(board, attempt, round_)
        await asyncio.sleep(0)
    await asyncio.gather(
        *(each.flush(attempt) for each, attempt in zip(hosts, attempts, strict=True))
    )
    await until(lambda: len({whole(each) for each in boards}) == 1)

    assert boards[0].fields["spent"] == 600
    assert boards[0].version == 1_200
    await asyncio.gather(*(each.close() for each in hosts))


async def test_a_step_that_is_run_again_counts_once(redis_store: RedisStore) -> None:
    here, there = host(redis_store), host(redis_store)
    board, other = await here.open(BOARD), await there.open(BOARD)
    first = await step(here)
    spend(board, first, 120)
    await here.flush(first)

    second = await step(there)
    spend(board, first, 1)
    spend(other, second, 70)
    await there.flush(second)

    with pytest.raises(StaleEpoch):
        await here.flush(first)
    await until(lambda: board.fields.get("spent") == 70)
    await asyncio.gather(here.close(), there.close())


async def test_a_server_that_is_killed_loses_no_edit_and_counts_none_twice(tmp_path: Path) -> None:
    async with kept_alive(tmp_path) as url:
        store = await RedisStore.connect(url)
        here = host(store)
        board = await here.open(BOARD)
        attempt = await step(here)
        for _ in range(2):
            pid = await until_it_answers(url)
            for _ in range(50):
                spend(board, attempt)
                await asyncio.sleep(0)
            os.kill(pid, signal.SIGKILL)
            spend(board, attempt)
            await until_it_answers(url, pid)
            await here.flush(attempt)

        again = host(store)
        assert (await again.open(BOARD)).fields["spent"] == 102
        await asyncio.gather(here.close(), again.close())
        await store.close()


async def test_edits_wait_for_a_full_server_and_readers_go_on(own_url: str) -> None:
    store = await RedisStore.connect(own_url)
    here = host(store)
    board = await here.open(BOARD)
    attempt = await step(here)
    async with Redis.from_url(own_url) as admin:
        await admin.config_set("maxmemory", 1)
        spend(board, attempt)
        await until(lambda: board.is_stuck)
        assert board.fields["spent"] == 1
        await admin.config_set("maxmemory", 0)

    await here.flush(attempt)

    assert not board.is_stuck
    await here.close()
    await store.close()


async def test_a_long_log_is_replaced_by_a_snapshot(redis_store: RedisStore) -> None:
    here = host(redis_store)
    log = RedisStateLog(redis_store)
    board = await here.open(BOARD)
    attempt = await step(here)
    for _ in range(500):
        spend(board, attempt)
    await here.flush(attempt)
    assert (await log.read(BOARD)).snapshot is None, "its step may be run again"

    await log.settle(TASK, StepId("a"))
    spend(board, here.person("driver"))
    await shortened(log)

    there = host(redis_store)
    other = await there.open(BOARD)
    assert whole(other) == whole(board)
    await asyncio.gather(here.close(), there.close())
