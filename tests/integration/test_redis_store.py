"""The Redis store where the server is slow, gone, refusing, or not Redis at all."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis

from cluster.kernel.errors import StoreUnavailable, UsageError
from cluster.memory.store.redis import RedisStore

pytestmark = pytest.mark.integration

SECRET = "s3cret/word"
QUOTED_SECRET = "s3cret%2Fword"


@pytest.fixture
async def admin(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@asynccontextmanager
async def server_that_says(reply: bytes | None, socket: Path) -> AsyncIterator[None]:
    """Serve one fixed reply to whatever comes, or only listen."""
    hung = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            if reply is None:
                await hung.wait()
                break
            writer.write(reply)
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, socket)
    try:
        yield
    finally:
        hung.set()
        server.close()
        await server.wait_closed()


def whole_report(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("unix:///nowhere/redis.sock", "unix:///nowhere/redis.sock"),
        ("redis://127.0.0.1:1/3", "redis://127.0.0.1:1/3"),
        (f"redis://user:{QUOTED_SECRET}@127.0.0.1:1", "redis://127.0.0.1:1/0"),
        ("rediss://127.0.0.1:1", "rediss://127.0.0.1:1/0"),
    ],
)
async def test_a_store_that_is_not_there_is_named_without_its_password(
    url: str, address: str
) -> None:
    with pytest.raises(StoreUnavailable, match="can't be reached") as caught:
        await RedisStore.connect(url)
    assert f"the store at {address} " in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None
    assert SECRET not in whole_report(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "localhost:6379",
        "",
        f"redis://user:{SECRET}@localhost",
        "unix://relative.sock",
        f"unix:///s.sock?password={QUOTED_SECRET}&decode=yes",
        "redis://localhost?db=first",
        "redis://localhost?socket_timeout=1",
        "redis://localhost?ssl_ca_certs=/ca",
        "rediss://localhost?ssl_ca_cert=/ca",
        "rediss://localhost?ssl_ca_certs=/none/ca.pem",
        "rediss://localhost?ssl_keyfile=key.pem",
    ],
)
async def test_a_url_that_makes_no_sense_is_a_usage_error_that_does_not_quote_it(url: str) -> None:
    with pytest.raises(UsageError, match="the Redis URL") as caught:
        await RedisStore.connect(url)
    report = whole_report(caught.value)
    assert SECRET not in report
    assert "s3cret" not in report


async def test_a_server_that_hangs_is_given_up_when_the_time_is_over(tmp_path: Path) -> None:
    async with server_that_says(None, tmp_path / "s"):
        with pytest.raises(StoreUnavailable, match=r"did not answer within 0.05 s"):
            await RedisStore.connect(f"unix://{tmp_path}/s", timeout_s=0.05)


async def test_a_server_that_is_not_redis_is_named(tmp_path: Path) -> None:
    async with server_that_says(b"HTTP/1.1 400 Bad Request\r\n\r\n", tmp_path / "s"):
        with pytest.raises(StoreUnavailable, match="can't be reached"):
            await RedisStore.connect(f"unix://{tmp_path}/s")


async def test_a_server_that_reads_its_data_is_said_to(tmp_path: Path) -> None:
    async with server_that_says(b"-LOADING Redis is loading the dataset\r\n", tmp_path / "s"):
        with pytest.raises(StoreUnavailable, match="has just been started and reads its data"):
            await RedisStore.connect(f"unix://{tmp_path}/s")


async def test_a_wrong_password_is_said_to_be_refused(redis_url: str, admin: Redis) -> None:
    await admin.config_set("requirepass", "right")
    try:
        for url in (redis_url, f"{redis_url}?password={QUOTED_SECRET}"):
            with pytest.raises(StoreUnavailable, match="refused the user name or password"):
                await RedisStore.connect(url)
        store = await RedisStore.connect(f"{redis_url}?password=right")
        await store.close()
    finally:
        await admin.config_set("requirepass", "")


async def test_a_server_that_quotes_the_password_is_not_quoted(tmp_path: Path) -> None:
    reply = f"-ERR unknown command `AUTH`, with args beginning with: `{SECRET}`\r\n".encode()
    async with server_that_says(reply, tmp_path / "s"):
        with pytest.raises(StoreUnavailable, match=r"`\*\*\*`") as caught:
            await RedisStore.connect(f"unix://{tmp_path}/s?password={QUOTED_SECRET}")
    assert "refused a command" in str(caught.value)
    assert SECRET not in whole_report(caught.value)


async def test_what_the_server_refuses_is_said_and_not_done(
    redis_store: RedisStore, admin: Redis
) -> None:
    many: list[Callable[[], Awaitable[None]]] = [
        lambda: redis_store.put_many({"a": b"1"}),
        lambda: redis_store.put_many({"a": b"1"}, ttl_s=60.0),
    ]
    await admin.config_set("maxmemory", 1)
    try:
        for put in many:
            with pytest.raises(StoreUnavailable, match=r"is full \(its maxmemory is used up\)"):
                await put()
    finally:
        await admin.config_set("maxmemory", 0)
    assert await redis_store.get_many(["a"]) == [None]


async def test_a_late_reply_is_not_taken_for_the_next_one(
    redis_url: str, redis_prefix: str, redis_store: RedisStore, admin: Redis
) -> None:
    await redis_store.put_many({"a": b"1", "b": b"2"})
    hasty = await RedisStore.connect(redis_url, redis_prefix, timeout_s=1.0, connections_max=1)
    await admin.client_pause(60_000, all=False)  # holds up what writes
    with pytest.raises(StoreUnavailable, match="did not answer"):
        await hasty.next_epoch("name")
    await admin.client_unpause()
    assert await hasty.get_many(["b"]) == [b"2"]
    await hasty.close()


async def test_the_next_in_line_gets_the_connection_when_the_first_is_cancelled(
    redis_url: str, redis_prefix: str
) -> None:
    store = await RedisStore.connect(redis_url, redis_prefix, timeout_s=60.0, connections_max=1)

    async def hold_and_cancel_next() -> None:
        await store.ping()
        first.cancel()  # it has been woken by now, and has not run yet

    for _ in range(20):
        holder = asyncio.create_task(hold_and_cancel_next())
        first, second = (asyncio.create_task(store.ping()) for _ in range(2))
        assert await second >= 0.0
        await holder
        assert first.cancelled()
    await store.close()


async def test_a_cut_connection_is_replaced(redis_store: RedisStore, admin: Redis) -> None:
    await redis_store.put_many({"a": b"1"})
    for _ in range(10):
        await admin.client_kill_filter(_type="normal", skipme=True)
        await admin.ping()
        assert await redis_store.get_many(["a"]) == [b"1"]


async def test_scripts_that_the_server_has_forgotten_are_sent_again(
    redis_store: RedisStore, admin: Redis
) -> None:
    epoch = await redis_store.next_epoch("name")
    for _ in range(2):
        await admin.script_flush()
        assert await redis_store.put_lease("name", "key", epoch, b"here", 60.0)


async def test_clusters_with_different_prefixes_see_nothing_of_each_other(redis_url: str) -> None:
    one = await RedisStore.connect(redis_url, "one:")
    other = await RedisStore.connect(redis_url, "o*:")
    await one.put_many({"a": b"1"})
    assert await one.next_epoch("name") == 1
    assert await other.items("") == {}
    assert await other.get_many(["a"]) == [None]
    assert await other.next_epoch("name") == 1
    await one.close()
    await other.close()


async def test_a_closed_store_says_so(redis_url: str, redis_prefix: str) -> None:
    store = await RedisStore.connect(redis_url, redis_prefix)
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable, match="has been closed"):
        await store.ping()
