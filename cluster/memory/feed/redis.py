"""The feed on Redis: a stream for each task, and one Lua script for each method but `wait`.

Its scripts run through the `RedisStore` it is given, as those of `cluster.memory.journal.redis` do.
Entry ``term.number`` has the stream id ``term-number``, so a cursor is a place of the stream. A
hash beside it has what the stream can't tell: how far the feed has got, were all of it trimmed, and
which entry was trimmed last. Redis 6.2 is enough: it has ranges that exclude their beginning.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, cast

from cluster.kernel.feed import BEFORE_ALL, Cursor
from cluster.kernel.ids import TaskId
from cluster.memory.feed.port import (
    ENDED_KEPT_S,
    ENTRIES_MAX,
    SILENT_KEPT_S,
    FeedEntry,
    FeedPage,
    FeedTail,
    checked_append,
    leaves_gap,
    superseded,
)
from cluster.memory.store.redis import RedisStore

# Every script has as KEYS: the feed's facts (a hash: `term` and `number` of its last entry,
# `index`, `final` once it has ended, `trimmed`, and `begun`, the latest term that has begun before
# it has written), and its stream.

# ARGV: term, number, index, 1 where it is the end or "", milliseconds to keep it, entries it may
# have, the new ones. It writes first what Redis may refuse for want of memory: a script that is
# refused there has changed nothing.
_APPEND: Final = """
local facts = redis.call('HMGET', KEYS[1], 'term', 'number', 'index', 'final', 'begun')
local term, number, before = tonumber(ARGV[1]), tonumber(ARGV[2]), 6
local newest, reached = tonumber(facts[1] or '0'), tonumber(facts[2] or '0')
local last = number + #ARGV - before - 1
if term == newest and last <= reached then return 'done' end
if term < math.max(newest, tonumber(facts[5] or '0')) or facts[4] then return 'superseded' end
if number ~= (term == newest and reached or 0) + 1 then return 'gap' end
for i = before + 1, #ARGV do
  redis.call('XADD', KEYS[2], ARGV[1] .. '-' .. (number + i - before - 1), 'e', ARGV[i])
end
local index = math.max(tonumber(ARGV[3]), tonumber(facts[3] or '0'))
redis.call('HSET', KEYS[1], 'term', ARGV[1], 'number', last, 'index', index)
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'final', 1) end
local excess = redis.call('XLEN', KEYS[2]) - tonumber(ARGV[6])
if excess > 0 then
  local gone = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', excess)
  redis.call('HSET', KEYS[1], 'trimmed', gone[#gone][1])
  redis.call('XTRIM', KEYS[2], 'MAXLEN', ARGV[6])
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return 'done'
"""

_TAIL: Final = "return redis.call('HMGET', KEYS[1], 'term', 'number', 'index', 'final')"

# ARGV: the term, milliseconds to keep it. Returns what _TAIL does, or nothing where a later term
# has begun.
_BEGIN: Final = """
local facts = redis.call('HMGET', KEYS[1], 'term', 'number', 'index', 'final', 'begun')
local term = tonumber(ARGV[1])
if term < math.max(tonumber(facts[1] or '0'), tonumber(facts[5] or '0')) then return {} end
redis.call('HSET', KEYS[1], 'begun', ARGV[1])
if not facts[4] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return {facts[1], facts[2], facts[3], facts[4]}
"""

# ARGV: the stream id to begin after, how many at most. Returns what was trimmed last, and entries.
_READ: Final = """
local entries = redis.call('XRANGE', KEYS[2], '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
return {redis.call('HGET', KEYS[1], 'trimmed'), entries}
"""

_FORGET: Final = "redis.call('DEL', KEYS[1], KEYS[2])"

_StreamEntry = tuple[bytes, tuple[bytes, bytes]]
"""The id, and one field: its name and its value."""


class RedisTaskFeed:
    """`cluster.memory.feed.port.TaskFeed` on the server of a `RedisStore`.

    Args:
        store: whose connections are used, but for `wait`; it stays its owner's.
        scope: of this cluster; those with other ones on the same server see none of its tasks.
    """

    def __init__(self, store: RedisStore, scope: str) -> None:
        self._store = store
        self._waiting = store.apart()  # or all that wait would hold connections that others need
        self._prefix = f"feed:{scope}:"

    async def tail(self, task: TaskId) -> FeedTail:
        """Return how far a feed has got."""
        return _tail(await self._store.run_script(_TAIL, self._keys(task), []))

    async def begin_term(self, task: TaskId, term: int) -> FeedTail:
        """Refuse from now on what older terms append, and return how far the feed has got."""
        arguments = (term, round(SILENT_KEPT_S * 1000))
        told = await self._store.run_script(_BEGIN, self._keys(task), arguments)
        if not told:
            raise superseded(task, Cursor(term, 1))
        return _tail(told)

    async def append(
        self,
        task: TaskId,
        first: Cursor,
        entries: Sequence[bytes],
        *,
        index: int,
        is_final: bool = False,
    ) -> None:
        """Add entries at ``first`` and the following numbers, all or none; a repetition is once."""
        checked_append(task, first, entries)
        kept_ms = round((ENDED_KEPT_S if is_final else SILENT_KEPT_S) * 1000)
        final = 1 if is_final else ""
        arguments = (first.term, first.number, index, final, kept_ms, ENTRIES_MAX, *entries)
        outcome = await self._store.run_script(_APPEND, self._keys(task), arguments)
        if outcome == b"superseded":
            raise superseded(task, first)
        if outcome != b"done":
            raise leaves_gap(task, first)

    async def read(self, task: TaskId, after: Cursor, entries_max: int) -> FeedPage:
        """Return what follows a cursor; nothing of a task that is not known, or no longer."""
        arguments = (_stream_id(after), entries_max)
        trimmed, stream = await self._store.run_script(_READ, self._keys(task), arguments)
        entries = tuple(
            FeedEntry(_cursor(place), event)
            for place, (_, event) in cast("Sequence[_StreamEntry]", stream)
        )
        return FeedPage(entries, BEFORE_ALL if trimmed is None else _cursor(trimmed))

    async def wait(self, after: Mapping[TaskId, Cursor], timeout_s: float) -> frozenset[TaskId]:
        """Return those feeds that have more than the cursors, as soon as any has; none in time.

        All calls share one connection: one that is made while another waits, waits for that.
        """
        if not after:
            await asyncio.sleep(timeout_s)
            return frozenset()
        streams = {self._keys(task)[1]: task for task in after}
        places = {key: _stream_id(after[task]).encode() for key, task in streams.items()}
        told = await self._waiting.read_streams(places, wait_s=timeout_s, entries_max=1)
        return frozenset(streams[key] for key in told)

    async def forget(self, task: TaskId) -> None:
        """Remove a feed."""
        await self._store.run_script(_FORGET, self._keys(task), [])

    async def close(self) -> None:
        """Close the connection it waits on; the store stays open."""
        await self._waiting.close()

    def _keys(self, task: TaskId) -> list[str]:
        return [f"{self._prefix}facts:{task}", f"{self._prefix}stream:{task}"]


def _tail(told: Sequence[bytes | None]) -> FeedTail:
    term, number, index = (int(each or 0) for each in told[:3])
    return FeedTail(Cursor(term, number), index, told[3] is not None)


def _stream_id(cursor: Cursor) -> str:
    return f"{cursor.term}-{cursor.number}"


def _cursor(stream_id: bytes) -> Cursor:
    term, number = stream_id.split(b"-")
    return Cursor(int(term), int(number))
