"""A replica that follows the logs it reads is the namespace, or knows that it isn't."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest

from cluster.memory.cache.replica import Followed, Replica
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.namespaces.port import NamespaceLog, SourceChange
from cluster.memory.store.local import LocalStore
from tests.support.clock import ManualClock

ONE, TWO = "1" * 32, "2" * 32


@pytest.fixture
async def namespaces() -> LocalNamespaces:
    return await empty_namespaces()


async def empty_namespaces() -> LocalNamespaces:
    clock = ManualClock()
    opened = LocalNamespaces(LocalStore(clock), clock)
    await opened.store_documents({ONE: b"one", TWO: b"two"})
    await opened.apply("kept", [SourceChange("one", 0, ONE), SourceChange("two", 0, TWO)])
    return opened


async def put(namespaces: LocalNamespaces, keys: Iterable[str], document: str = ONE) -> None:
    await namespaces.apply("n", [SourceChange(key, 1_000, document) for key in keys])


async def remove(namespaces: LocalNamespaces, *keys: str) -> None:
    await namespaces.apply("n", [SourceChange(key, 1_000) for key in keys])


async def follow(replica: Replica, namespaces: LocalNamespaces) -> Followed:
    return replica.follow(await namespaces.entries("n", replica.version))


async def followed(namespaces: LocalNamespaces) -> Replica:
    replica = Replica()
    await follow(replica, namespaces)
    return replica


async def assert_equal(replica: Replica, namespaces: LocalNamespaces) -> None:
    log = await namespaces.entries("n")
    assert (replica.version, replica.digest) == (log.version, log.digest)
    live = {each.key: (each.version, each.document) for each in log.entries if each.document}
    assert {key: found for key in "abcdef" if (found := replica.find(key))} == live


async def test_puts_and_what_they_replace_are_told(namespaces: LocalNamespaces) -> None:
    await put(namespaces, "abc")
    replica = await followed(namespaces)
    await put(namespaces, "ad", TWO)
    await remove(namespaces, "b")

    told = await follow(replica, namespaces)

    assert [(each.key, each.version) for each in told.puts] == [("a", 4), ("d", 5)]
    assert (told.gone, told.is_torn) == ([1, 2], False)
    await assert_equal(replica, namespaces)


async def test_what_came_and_went_since_is_not_told(namespaces: LocalNamespaces) -> None:
    replica = await followed(namespaces)
    await put(namespaces, "a")
    await remove(namespaces, "a")

    assert await follow(replica, namespaces) == Followed()
    await assert_equal(replica, namespaces)


async def test_a_repeated_log_changes_nothing(namespaces: LocalNamespaces) -> None:
    replica = Replica()
    await put(namespaces, "ab")
    log = await namespaces.entries("n")

    assert len(replica.follow(log).puts) == 2
    assert replica.follow(log) == Followed()
    await assert_equal(replica, namespaces)


async def test_a_log_that_leaves_some_out_is_torn_and_changes_nothing(
    namespaces: LocalNamespaces,
) -> None:
    await put(namespaces, "a")
    replica = await followed(namespaces)
    before = replica.version, replica.digest, replica.find("a"), replica.find("b")
    await put(namespaces, "bc")

    told = replica.follow(await namespaces.entries("n", 2))

    assert told.is_torn
    after = replica.version, replica.digest, replica.find("a"), replica.find("b")
    assert after == before


async def test_a_version_that_went_back_is_torn(namespaces: LocalNamespaces) -> None:
    await put(namespaces, "ab")
    replica = await followed(namespaces)
    flushed = await empty_namespaces()
    await put(flushed, "a")

    assert (await follow(replica, flushed)).is_torn
    await assert_equal(replica, namespaces)


async def test_another_history_of_the_same_length_is_torn(namespaces: LocalNamespaces) -> None:
    await put(namespaces, "ab")
    replica = await followed(namespaces)
    other = await empty_namespaces()
    await put(other, "ac")

    assert (await follow(replica, other)).is_torn
    await assert_equal(replica, namespaces)


async def test_a_whole_log_that_lost_entries_while_it_was_read_is_torn(
    namespaces: LocalNamespaces,
) -> None:
    replica = Replica()
    await put(namespaces, "abc")
    log = await namespaces.entries("n")

    assert replica.follow(replace(log, entries=log.entries[:2])).is_torn
    assert replica.find("a") is None


async def test_without_a_digest_the_version_alone_is_believed(namespaces: LocalNamespaces) -> None:
    await put(namespaces, "a")
    replica = await followed(namespaces)
    await put(namespaces, "b")

    told = replica.follow(replace(await namespaces.entries("n", 1), digest=None))

    assert [each.key for each in told.puts] == ["b"]
    assert replica.follow(NamespaceLog(1, None, [])).is_torn
    await assert_equal(replica, namespaces)


async def change_at_random(namespaces: LocalNamespaces, chance: random.Random) -> None:
    keys = chance.choices("abcdef", k=chance.randint(0, 3))
    if chance.random() < 0.4:
        await remove(namespaces, *keys)
    else:
        await put(namespaces, keys, chance.choice([ONE, TWO]))


@pytest.mark.parametrize("seed", range(50))
async def test_logs_that_are_lost_and_repeated_end_in_the_namespace(
    namespaces: LocalNamespaces, seed: int
) -> None:
    chance = random.Random(seed)
    replica = Replica()
    told_live: set[int] = set()
    late = [await namespaces.entries("n")]
    for _ in range(60):
        await change_at_random(namespaces, chance)
        late.append(await namespaces.entries("n", chance.choice([0, replica.version])))
        if chance.random() < 0.02:
            namespaces = await empty_namespaces()
        told = replica.follow(chance.choice(late[-3:]))
        if told.is_torn:
            replica, told_live = Replica(), set()
            told = await follow(replica, namespaces)
        told_live = (told_live - set(told.gone)) | {each.version for each in told.puts}
        found = [replica.find(key) for key in "abcdef"]
        assert told_live == {version for version, _ in filter(None, found)}
    if (await follow(replica, namespaces)).is_torn:
        replica = await followed(namespaces)
    await assert_equal(replica, namespaces)


async def test_a_replica_goes_on_from_what_it_is_given(namespaces: LocalNamespaces) -> None:
    await put(namespaces, "ab")
    base = await followed(namespaces)
    replica = Replica(base, base.version, base.digest)
    await put(namespaces, "c")
    await remove(namespaces, "a")

    told = await follow(replica, namespaces)

    assert ([each.key for each in told.puts], told.gone) == (["c"], [1])
    await assert_equal(replica, namespaces)
