"""`fleetmind state` as a process, on the documents of a real store."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from cluster.kernel.clock import SystemClock
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.redis import RedisStateLog
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore
from tests.support.commands import Surroundings, surroundings
from tests.support.shared_documents import change, spend, step

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture
def url() -> Iterator[str]:
    with EmbeddedRedis(is_temporary=True) as server:
        yield server.url


@pytest.fixture
def here(url: str) -> Iterator[Surroundings]:
    with surroundings() as made:
        made.environment["FLEETMIND_REDIS_URL"] = url
        yield made


@pytest.fixture
async def documents(url: str) -> AsyncIterator[Documents]:
    """Documents of the store, with a board on whose verdict two steps differ."""
    store = await RedisStore.connect(url)
    opened = Documents(RedisStateLog(store), SystemClock())
    board = await opened.open("task/t/Board")
    one, other = await step(opened, "a"), await step(opened, "b")
    contrary = change(board, "verdict", "no", "siblings")
    spend(board, one, 120)
    board.edit(one, change(board, "verdict", "yes", "siblings"))
    board.edit(other, contrary, at=0)
    await opened.flush(one)
    await opened.flush(other)
    yield opened
    await opened.close()
    await store.close()


async def test_a_person_looks_decides_and_undoes(here: Surroundings, documents: Documents) -> None:
    listed = await here.fleetmind("state")
    decided = await here.fleetmind("state", "Board", "--resolve", "verdict=#2", "--json")
    undone = await here.fleetmind("state", "Board", "--revert", "1")
    history = await here.fleetmind("state", "Board", "--history")

    assert "2 fields, 1 conflict" in listed.out, listed.err
    assert json.loads(decided.out)["fields"] == {"spent": 120, "verdict": "no"}
    assert undone.lines == ["fleetmind: reverted version 1 of task/t/Board"]
    assert '"verdict": "no"' in undone.out
    assert '"spent"' not in undone.out
    assert [line.split()[0] for line in history.out.splitlines() if "by " in line] == list("12345")


async def test_what_can_not_be_done_is_one_sentence_and_an_exit_code(
    here: Surroundings, documents: Documents
) -> None:
    unknown = await here.fleetmind("state", "Ledger")
    both = await here.fleetmind("state", "Board", "--history", "--delete")
    here.environment["FLEETMIND_REDIS_URL"] = "redis://127.0.0.1:1"
    away = await here.fleetmind("state")

    assert (unknown.exit_code, both.exit_code, away.exit_code) == (2, 2, 1)
    assert unknown.lines == [
        "fleetmind: no document is called 'Ledger': `fleetmind state` lists them"
    ]
    assert (len(both.lines), len(away.lines)) == (1, 1)
