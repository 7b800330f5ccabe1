"""The feed on Redis: a stream for each task, and one Lua script for each method but `wait`.

Its scripts run through the `RedisStore` it is given, as those of `cluster.memory.journal.redis` do.
Entry ``term.number`` has the stream id ``term-number``, so a cursor is a place of the stream. A
hash beside it has what the stream can't tell: how far the feed has got, were all of it trimmed, and
which entry was trimmed last. Redis 6.2 is enough: it has ranges that exclude their beginning.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from cluster.kernel.errors import StoreUnavailable
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

# KEYS: those of several feeds in turn. ARGV: entries a feed may have, then for each feed: term,
# number, index, 1 where it is the end or "", milliseconds to keep it, how many entries, and these.
# Returns what came of each. It writes first what Redis may refuse for want of memory: a script that
# is refused there has changed nothing, and one that has written is refused nothing.
_APPEND: Final = """
local at = 2
local function append(facts_key, stream_key)
  local term, number, kept_ms = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 4]
  local index, final, entries = tonumber(ARGV[at + 2]), ARGV[at + 3], tonumber(ARGV[at + 5])
  local begin = at + 6
  at = begin + entries
  local facts = redis.call('HMGET', facts_key, 'term', 'number', 'index', 'final', 'begun')
  local newest, reached = tonumber(facts[1] or '0'), tonumber(facts[2] or '0')
  local last, ours = number + entries - 1, tonumber(term)
  if ours == newest and last <= reached then return 'done' end
  if ours < math.max(newest, tonumber(facts[5] or '0')) or facts[4] then return 'superseded' end
  if number ~= (ours == newest and reached or 0) + 1 then return 'gap' end
  for i = 0, entries - 1 do
    redis.call('XADD', stream_key, term .. '-' .. (number + i), 'e', ARGV[begin + i])
  end
  index = math.max(index, tonumber(facts[3] or '0'))
  redis.call('HSET', facts_key, 'term', term, 'number', last, 'index', index)
  if final ~= '' then redis.call('HSET', facts_key, 'final', 1) end
  local excess = redis.call('XLEN', stream_key) - tonumber(ARGV[1])
  if excess > 0 then
    local gone = redis.call('XRANGE', stream_key, '-', '+', 'COUNT', excess)
    redis.call('HSET', facts_key, 'trimmed', gone[#gone][1])
    redis.call('XTRIM', stream_key, 'MAXLEN', ARGV[1])
  end
  redis.call('PEXPIRE', facts_key, kept_ms)
  redis.call('PEXPIRE', stream_key, kept_ms)
  return 'done'
end
local outcomes = {}
for i = 1, #KEYS, 2 do outcomes[#outcomes + 1] = append(KEYS[i], KEYS[i + 1]) end
return outcomes
"""

APPENDS_MAX: Final = 256
"""Of one script: the server does nothing else while it runs."""
APPENDED_BYTES_MAX: Final = 1_000_000
"""Of the entries of one script; a single append may have more."""

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


_CLOSED: Final = StoreUnavailable("the feed has been closed here")


@dataclass(frozen=True, slots=True)
class _QueuedAppend:
    """What is added to one feed, as the script takes it."""

    keys: list[str]
    arguments: tuple[bytes | int | str, ...]
    size: int
    """Bytes."""
    outcome: asyncio.Future[bytes]


class _Appends:
    """Has all appends that come while one is under way sent together, as a log commits in groups.

    The owner of two hundred tasks adds to all their feeds at the same moments. One by one they
    would hold every connection to the store, and have it sync its file for each, while the journal
    of a task that has just begun waits.
    """

    def __init__(self, store: RedisStore) -> None:
        self._store = store
        self._waiting: deque[_QueuedAppend] = deque()  # one for each caller, who waits for it
        self._work: asyncio.Task[None] | None = None

    async def append(self, keys: list[str], arguments: tuple[bytes | int | str, ...]) -> bytes:
        """Return what came of one append; raises `StoreUnavailable`."""
        outcome: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        size = sum(len(each) for each in arguments if isinstance(each, bytes))
        self._waiting.append(_QueuedAppend(keys, arguments, size, outcome))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._send_all(), name="feed appends")
        return await outcome

    async def _send_all(self) -> None:
        while group := self._next_group():
            try:
                await self._send(group)
            except StoreUnavailable as error:
                # Those that wait would wait for as long again.
                _fail([*group, *self._waiting], error)
                self._waiting.clear()
            finally:  # where this is cancelled, they have not been answered
                _fail(group, _CLOSED)

    async def _send(self, group: Sequence[_QueuedAppend]) -> None:
        keys = [key for each in group for key in each.keys]
        arguments = [argument for each in group for argument in each.arguments]
        outcomes = await self._store.run_script(_APPEND, keys, [ENTRIES_MAX, *arguments])
        for each, outcome in zip(group, outcomes, strict=True):
            if not each.outcome.done():
                each.outcome.set_result(outcome)

    def _next_group(self) -> list[_QueuedAppend]:
        group: list[_QueuedAppend] = []
        size = 0
        while self._waiting and len(group) < APPENDS_MAX:
            each = self._waiting[0]
            if group and size + each.size > APPENDED_BYTES_MAX:
                break
            self._waiting.popleft()
            if not each.outcome.done():  # else its caller has gone
                group.append(each)
                size += each.size
        return group

    async def close(self) -> None:
        """End; callers that wait are told that the store is not there."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        _fail(self._waiting, _CLOSED)
        self._waiting.clear()


def _fail(appends: Iterable[_QueuedAppend], error: StoreUnavailable) -> None:
    for each in appends:
        if not each.outcome.done():
            each.outcome.set_exception(StoreUnavailable(str(error)))


class RedisTaskFeed:
    """`cluster.memory.feed.port.TaskFeed` on the server of a `RedisStore`.

    Args:
        store: whose connections are used, but for `wait`; it stays its owner's.
        scope: of this cluster; those with other ones on the same server see none of its tasks.
    """

    def __init__(self, store: RedisStore, scope: str) -> None:
        self._store = store
        self._appends = _Appends(store)
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
        facts = (first.term, first.number, index, 1 if is_final else "", kept_ms, len(entries))
        outcome = await self._appends.append(self._keys(task), (*facts, *entries))
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
        await self._appends.close()
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
