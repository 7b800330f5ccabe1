"""The journal on a real server: what time, cancellation, other clusters and a full memory do."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvloop
from redis.asyncio import Redis

from cluster.kernel.errors import StaleEpoch, StoreUnavailable
from cluster.kernel.ids import AgentId, TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.memory.journal.port import ACKNOWLEDGED_KEPT_S, ENDED_KEPT_S
from cluster.memory.journal.redis import RedisJournal
from cluster.memory.store.embedded import EmbeddedRedis
from cluster.memory.store.redis import RedisStore

pytestmark = pytest.mark.integration

TASK = TaskId("task")
OWNER = Owner(AgentId("manager-0"), 1)
CONNECTIONS_MAX = 8


@pytest.fixture
async def admin(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def own_url() -> Iterator[str]:
    """A server for one test, which may spoil it."""
    with EmbeddedRedis(is_temporary=True) as server:
        yield server.url


@asynccontextmanager
async def connected(url: str, prefix: str = "own:") -> AsyncIterator[RedisStore]:
    store = await RedisStore.connect(url, prefix, timeout_s=60.0, connections_max=CONNECTIONS_MAX)
    try:
        yield store
    finally:
        await store.close()


async def times_left_s(admin: Redis, prefix: str) -> dict[str, int]:
    """The time to live of each key, by its last part but the task."""
    keys = [key async for key in admin.scan_iter(f"{prefix}journal:*")]
    return {key.removeprefix(prefix): await admin.ttl(key) for key in keys}


async def test_journals_of_running_tasks_are_kept_and_those_of_ended_ones_expire(
    redis_store: RedisStore, redis_prefix: str, admin: Redis
) -> None:
    journal = RedisJournal(redis_store, "c")
    facts, stream, is_open = "journal:c:facts:task", "journal:c:stream:task", "journal:c:open"
    await journal.claim(TASK, OWNER)
    await journal.append(TASK, 1, 1, [b"one"])
    await journal.acknowledge(TASK, 1)
    for_good = -1
    assert await times_left_s(admin, redis_prefix) == dict.fromkeys(
        (facts, stream, is_open), for_good
    )

    await journal.append(TASK, 1, 2, [b"end"], is_final=True)
    await journal.recorded([TASK])
    await journal.acknowledge(TASK, 1)
    left = await times_left_s(admin, redis_prefix)
    assert left.keys() == {facts, stream}
    assert all(ENDED_KEPT_S - 60 < each <= ENDED_KEPT_S for each in left.values())

    await journal.acknowledge(TASK, 2)
    left = await times_left_s(admin, redis_prefix)
    assert all(ACKNOWLEDGED_KEPT_S - 60 < each <= ACKNOWLEDGED_KEPT_S for each in left.values())

    for key in left:
        await admin.expire(redis_prefix + key, 30)
    await journal.acknowledge(TASK, 2)
    await journal.claim(TASK, OWNER)
    left = await times_left_s(admin, redis_prefix)
    assert all(0 < each <= 30 for each in left.values())


async def test_clusters_of_one_server_do_not_see_each_others_tasks(
    redis_store: RedisStore,
) -> None:
    one, other = RedisJournal(redis_store, "one"), RedisJournal(redis_store, "other")
    await one.claim(TASK, OWNER)
    await one.append(TASK, 1, 1, [b"one"])
    assert await other.open_tasks() == {}
    assert await other.read(TASK) == ()
    with pytest.raises(StaleEpoch):
        await other.append(TASK, 1, 2, [b"two"])
    claim = await other.claim(TASK, OWNER)
    assert claim is not None
    assert (claim.term, claim.entries) == (1, ())
    await other.append(TASK, 1, 1, [b"end"], is_final=True)
    assert set(await one.open_tasks()) == {TASK}
    assert await one.read(TASK) == (b"one",)
    assert await redis_store.items("") == {}


async def test_a_method_is_one_command(redis_store: RedisStore, admin: Redis) -> None:
    journal = RedisJournal(redis_store, "c")

    async def use() -> None:
        claim = await journal.claim(TASK, OWNER)
        assert claim is not None
        await journal.append(TASK, claim.term, len(claim.entries) + 1, [b"one", b"two"])
        await journal.open_tasks()
        await journal.read(TASK)
        await journal.acknowledge(TASK, 2)

    async def calls() -> dict[str, int]:
        stats = await admin.info("commandstats")
        return {name: stats[f"cmdstat_{name}"]["calls"] for name in ("evalsha", "eval")}

    await use()  # the server learns the scripts
    before = await calls()
    await use()
    after = await calls()
    assert {name: after[name] - before[name] for name in after} == {"evalsha": 5, "eval": 0}


@asynccontextmanager
async def swallowing(url: str, socket: Path, is_swallowing: asyncio.Event) -> AsyncIterator[None]:
    """Listen in front of a server; while told to, hang up instead of passing on what it replies."""

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(65536):
            writer.write(request)
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(urlsplit(url).path)
        async with asyncio.TaskGroup() as group:
            group.create_task(pass_on(reader, to_server))
            while (reply := await from_server.read(65536)) and not is_swallowing.is_set():
                writer.write(reply)
            writer.close()

    server = await asyncio.start_unix_server(relay, socket)
    async with server:
        yield


async def test_an_append_whose_reply_is_lost_can_be_repeated(own_url: str, tmp_path: Path) -> None:
    is_swallowing = asyncio.Event()
    async with (
        swallowing(own_url, tmp_path / "s", is_swallowing),
        connected(f"unix://{tmp_path}/s") as store,
    ):
        journal = RedisJournal(store, "c")
        assert await journal.claim(TASK, OWNER)
        await journal.append(TASK, 1, 1, [b"1"])  # the server learns the script
        for index in range(2, 21):
            appended = [b"%d" % index]
            is_swallowing.set()
            with pytest.raises(StoreUnavailable, match="can't be reached"):
                await journal.append(TASK, 1, index, appended, is_final=index == 20)
            is_swallowing.clear()
            assert (await journal.read(TASK))[index - 1 :] == (appended[0],)  # it had taken effect
            await journal.append(TASK, 1, index, appended, is_final=index == 20)
        assert await journal.read(TASK) == tuple(b"%d" % index for index in range(1, 21))
        assert await journal.open_tasks() == {}


async def storm(url: str) -> None:
    """Cancel appends and reads anywhere; nobody may read another's reply, no connection stays."""
    rng = random.Random(7)
    async with connected(url) as store, Redis.from_url(url) as admin:
        journal = RedisJournal(store, "storm")
        tasks = [TaskId(f"{number:08x}") for number in range(48)]

        async def echo(task: TaskId) -> None:
            claim = await journal.claim(task, OWNER)
            assert claim is not None
            assert set(claim.entries) <= {task.encode()}
            await journal.append(task, claim.term, len(claim.entries) + 1, [task.encode()] * 3)
            assert await journal.read(task) == claim.entries + (task.encode(),) * 3
            assert await store.get_many([f"nonce/{task}"]) == [task.encode()]

        await store.put_many({f"nonce/{task}": task.encode() for task in tasks})
        cut = whole = 0
        for _ in range(30):
            echoes = [asyncio.create_task(echo(task)) for task in tasks]
            for victim in rng.sample(echoes, 36):
                for _ in range(rng.randrange(6)):
                    await asyncio.sleep(0)
                victim.cancel()
            for outcome in await asyncio.gather(*echoes, return_exceptions=True):
                cut += isinstance(outcome, asyncio.CancelledError)
                whole += outcome is None
        assert cut + whole == 30 * len(tasks)
        assert cut > 0
        assert whole > 0
        for task in tasks:
            entries = await journal.read(task)
            assert len(entries) % 3 == 0
            assert set(entries) <= {task.encode()}
        async with asyncio.timeout(60):
            while len(await admin.client_list()) > CONNECTIONS_MAX + 1:
                pass  # those that were cut off are closed in the background
        assert await asyncio.gather(*(store.ping() for _ in range(4 * CONNECTIONS_MAX)))


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_storm_of_cancellations_mixes_up_no_replies_and_leaves_no_connection(
    loop: Callable[[], asyncio.AbstractEventLoop], own_url: str
) -> None:
    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(storm(own_url))


async def test_a_server_that_takes_no_more_refuses_an_append_as_a_whole(own_url: str) -> None:
    async with connected(own_url) as store, Redis.from_url(own_url) as admin:
        journal = RedisJournal(store, "full")
        await journal.claim(TASK, OWNER)
        await journal.append(TASK, 1, 1, [b"one"])
        await admin.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailable, match=r"is full \(its maxmemory is used up\)"):
            await journal.append(TASK, 1, 2, [b"two", b"end"], is_final=True)
        with pytest.raises(StoreUnavailable, match=r"is full \(its maxmemory is used up\)"):
            await journal.claim(TASK, OWNER)
        assert await journal.read(TASK) == (b"one",)
        await admin.config_set("maxmemory", 0)
        assert {task: held.term for task, held in (await journal.open_tasks()).items()} == {TASK: 1}
        await journal.append(TASK, 1, 2, [b"two", b"end"], is_final=True)
        assert await journal.read(TASK) == (b"one", b"two", b"end")
