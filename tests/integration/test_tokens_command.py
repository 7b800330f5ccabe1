"""`fleetmind tokens` as a process, on a real store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cluster.kernel.clock import SystemClock
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore
from cluster.memory.task_records.local import LocalTaskRecords
from cluster.serving.gate import BookGate
from cluster.serving.ports import Caller
from tests.support.commands import Surroundings, surroundings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


@pytest.fixture
def here() -> Iterator[Surroundings]:
    with EmbeddedRedis(is_temporary=True) as server, surroundings() as made:
        made.environment["FLEETMIND_REDIS_URL"] = server.url
        yield made


async def test_a_token_is_printed_once_listed_without_it_and_revoked(here: Surroundings) -> None:
    empty = await here.fleetmind("tokens", "list")
    added = await here.fleetmind(
        *("tokens", "add", "bot", "--scope", "ask", "--scope", "learn"),
        *("--namespace", "handbook", "--tasks-max", "2", "--tokens-a-day", "5000"),
    )
    twice = await here.fleetmind("tokens", "add", "bot")
    listed = await here.fleetmind("tokens", "list")
    token = added.out.strip()
    callers = [await caller(here, token)]
    revoked = await here.fleetmind("tokens", "revoke", "bot")
    callers.append(await caller(here, token))
    gone = await here.fleetmind("tokens", "revoke", "bot")

    assert empty.out == "there are no tokens; `fleetmind tokens add NAME` makes one\n"
    assert added.lines == ["fleetmind: keep it: it is not kept here, and not shown again"]
    assert (twice.exit_code, twice.out, len(twice.lines)) == (2, "", 1)
    assert listed.out.startswith(
        "bot  may ask learn, in handbook, up to 2 tasks at once, up to 5,000 tokens a day, since 2"
    )
    assert token.rpartition("-")[2] not in listed.out + listed.err
    assert callers == [Caller("bot", frozenset({"ask", "learn"}), ("handbook",), 2, 5000), None]
    assert (revoked.exit_code, gone.exit_code, len(gone.lines)) == (0, 2, 1)


async def caller(here: Surroundings, token: str) -> Caller | None:
    """Who that is, for an ingress that begins now."""
    store = await RedisStore.connect(here.environment["FLEETMIND_REDIS_URL"])
    clock = SystemClock()
    try:
        return await BookGate(store, LocalTaskRecords(clock), clock).caller(token)
    finally:
        await store.close()


@pytest.mark.parametrize(
    "arguments",
    [
        ["tokens"],
        ["tokens", "add"],
        ["tokens", "add", "No Name"],
        ["tokens", "add", "bot", "--scope", "root"],
        ["tokens", "add", "bot", "--tasks-max", "many"],
        ["tokens", "add", "bot", "--tokens-a-day", "-1"],
        ["tokens", "add", "bot", "--tasks-max", "0"],
        ["tokens", "add", "bot", "--namespace", "../x"],
        ["tokens", "revoke", "nobody"],
        ["tokens", "list", "--verbose"],
        ["tokens", "grant", "bot"],
    ],
)
async def test_bad_input_is_one_sentence(here: Surroundings, arguments: list[str]) -> None:
    ended = await here.fleetmind(*arguments)

    assert (ended.exit_code, ended.out, len(ended.lines)) == (2, "", 1), ended.err
