"""The journal on Redis: a stream for each task, and one Lua script for each method.

It has no connections of its own: `RedisJournal` runs its scripts through the `RedisStore` it is
given, with that store's deadlines and errors. Entry n, written in term t, has the stream id
``n-t``: so an id says whether an append is a repetition, and the length is the newest number, since
nothing is ever trimmed (redis#6199: trimming drops what nobody has acknowledged). Redis 6.2 is
enough: no Functions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, cast

from cluster.kernel.ids import AgentId, TaskId
from cluster.kernel.tasks.ownership import Owner
from cluster.memory.journal.port import (
    ACKNOWLEDGED_KEPT_S,
    ENDED_KEPT_S,
    OpenTask,
    Ownership,
    checked_entries,
    conflict,
    fenced,
)
from cluster.memory.store.redis import RedisStore

# Every script has as KEYS: the task's facts (a hash: `term`, `final` once it has ended, and
# `acknowledged` once its driver knows), its stream, the open tasks (a hash: `term epoch agent`),
# and those that have ended and were not recorded (a sorted set, by when, in milliseconds).
# Each writes first what Redis may refuse for want of memory: a script that is refused there has
# changed nothing, one that has begun to write is not refused any more.

# ARGV: task, epoch, agent, expected term or "". Returns the term and the stream, or nil.
_CLAIM: Final = """
local term = tonumber(redis.call('HGET', KEYS[1], 'term') or '0')
if ARGV[4] ~= '' and tonumber(ARGV[4]) ~= term then return false end
redis.call('HSET', KEYS[1], 'term', term + 1)
if redis.call('HEXISTS', KEYS[1], 'final') == 0 then
  redis.call('HSET', KEYS[3], ARGV[1], (term + 1) .. ' ' .. ARGV[2] .. ' ' .. ARGV[3])
end
return {term + 1, redis.call('XRANGE', KEYS[2], '-', '+')}
"""

# ARGV: task, epoch, agent, entries. Returns 1 where they are the journal's first, in term 1.
_ACCEPT: Final = """
local owner, before = '1 ' .. ARGV[2] .. ' ' .. ARGV[3], 3
if redis.call('EXISTS', KEYS[1]) == 1 then
  local is_ours = redis.call('HGET', KEYS[3], ARGV[1]) == owner
  return is_ours and redis.call('XLEN', KEYS[2]) == #ARGV - before and 1 or 0
end
redis.call('HSET', KEYS[1], 'term', 1)
redis.call('HSET', KEYS[3], ARGV[1], owner)
for i = before + 1, #ARGV do
  redis.call('XADD', KEYS[2], (i - before) .. '-1', 'e', ARGV[i])
end
return 1
"""

# ARGV: task, term, index, milliseconds to keep it if this is its end or "", entries.
_APPEND: Final = """
local facts = redis.call('HMGET', KEYS[1], 'term', 'final')
if facts[1] ~= ARGV[2] then return 'fenced' end
local index, kept_ms, before = tonumber(ARGV[3]), ARGV[4], 4
local last = index + #ARGV - before - 1
local length = redis.call('XLEN', KEYS[2])
if index <= length then
  local id = ARGV[3] .. '-' .. ARGV[2]
  local was_written = last <= length and #redis.call('XRANGE', KEYS[2], id, id) == 1
  local is_the_end = kept_ms == '' or tonumber(facts[2] or '0') == last
  return was_written and is_the_end and 'done' or 'conflict'
end
if facts[2] then return 'fenced' end
if index ~= length + 1 then return 'conflict' end
for i = before + 1, #ARGV do
  redis.call('XADD', KEYS[2], (index + i - before - 1) .. '-' .. ARGV[2], 'e', ARGV[i])
end
if kept_ms ~= '' then
  redis.call('HSET', KEYS[1], 'final', last)
  redis.call('PEXPIRE', KEYS[1], kept_ms)
  redis.call('PEXPIRE', KEYS[2], kept_ms)
  redis.call('HDEL', KEYS[3], ARGV[1])
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now_ms - tonumber(kept_ms))
  redis.call('ZADD', KEYS[4], now_ms, ARGV[1])
  redis.call('PEXPIRE', KEYS[4], kept_ms)
end
return 'done'
"""

# ARGV: term.
_CONFIRM: Final = """
local facts = redis.call('HMGET', KEYS[1], 'term', 'final')
return facts[1] == ARGV[1] and not facts[2] and 1 or 0
"""

_READ: Final = "return redis.call('XRANGE', KEYS[2], '-', '+')"

_OPEN: Final = "return redis.call('HGETALL', KEYS[3])"

_UNRECORDED: Final = "return redis.call('ZRANGE', KEYS[4], 0, -1)"

# ARGV: tasks.
_RECORDED: Final = "redis.call('ZREM', KEYS[4], unpack(ARGV))"

# ARGV: index, milliseconds. Only the first acknowledgement counts: later ones prolong nothing.
_ACKNOWLEDGE: Final = """
local final = redis.call('HGET', KEYS[1], 'final')
if not final or tonumber(ARGV[1]) < tonumber(final) then return end
if redis.call('HSETNX', KEYS[1], 'acknowledged', 1) == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
"""

AT_ONCE_MAX = 1_000
"""Tasks named in one call: Lua unpacks no more than some thousands."""

_StreamEntry = tuple[bytes, tuple[bytes, bytes]]
"""The id, and one field: its name and its value."""


class RedisJournal:
    """`cluster.memory.journal.port.Journal` on the server of a `RedisStore`.

    Args:
        store: whose connections are used; it stays its owner's, to be closed by them.
        scope: of this cluster; those with other ones on the same server see none of its tasks.
    """

    def __init__(self, store: RedisStore, scope: str) -> None:
        self._store = store
        self._prefix = f"journal:{scope}:"

    async def claim(
        self, task: TaskId, owner: Owner, *, expected_term: int | None = None
    ) -> Ownership | None:
        """Take the ownership of a task, new or not; the older owner is fenced off from now on."""
        expected = "" if expected_term is None else expected_term
        arguments = (task, owner.epoch, owner.agent, expected)
        reply = await self._store.run_script(_CLAIM, self._keys(task), arguments)
        return None if reply is None else Ownership(reply[0], _entries(reply[1]))

    async def accept(self, task: TaskId, owner: Owner, entries: Sequence[bytes]) -> bool:
        """Claim a task that nobody has claimed, and begin its journal with some entries."""
        checked_entries(task, 1, entries)
        arguments: list[bytes | int | str] = [task, owner.epoch, owner.agent, *entries]
        return bool(await self._store.run_script(_ACCEPT, self._keys(task), arguments))

    async def append(
        self,
        task: TaskId,
        term: int,
        index: int,
        entries: Sequence[bytes],
        *,
        is_final: bool = False,
    ) -> None:
        """Add entries as number ``index`` and following (the first ever is 1), all or none."""
        checked_entries(task, index, entries)
        kept_ms = round(ENDED_KEPT_S * 1000) if is_final else ""
        arguments = (task, term, index, kept_ms, *entries)
        outcome = await self._store.run_script(_APPEND, self._keys(task), arguments)
        if outcome == b"fenced":
            raise fenced(task, term)
        if outcome != b"done":
            raise conflict(task, index)

    async def confirm(self, task: TaskId, term: int) -> None:
        """Return where an append of this term would be taken now; nothing changes."""
        if not await self._store.run_script(_CONFIRM, self._keys(task), [term]):
            raise fenced(task, term)

    async def read(self, task: TaskId) -> tuple[bytes, ...]:
        """Return all entries; none for a task that is not known, or no longer."""
        return _entries(await self._store.run_script(_READ, self._keys(task), []))

    async def open_tasks(self) -> dict[TaskId, OpenTask]:
        """Return every task that was claimed and has no final entry."""
        told = await self._store.run_script(_OPEN, self._keys(TaskId("")), [])
        return {
            TaskId(task.decode()): _open_task(claimed)
            for task, claimed in zip(told[::2], told[1::2], strict=True)
        }

    async def unrecorded(self) -> frozenset[TaskId]:
        """Return the tasks that have ended, of which `recorded` was not told."""
        told = await self._store.run_script(_UNRECORDED, self._keys(TaskId("")), [])
        return frozenset(TaskId(task.decode()) for task in told)

    async def recorded(self, tasks: Collection[TaskId]) -> None:
        """The ends of some tasks have been written where people look for them."""
        named = list(tasks)
        for first in range(0, len(named), AT_ONCE_MAX):
            some = named[first : first + AT_ONCE_MAX]
            await self._store.run_script(_RECORDED, self._keys(TaskId("")), some)

    async def acknowledge(self, task: TaskId, index: int) -> None:
        """The driver has seen everything up to ``index``."""
        arguments = [index, round(ACKNOWLEDGED_KEPT_S * 1000)]
        await self._store.run_script(_ACKNOWLEDGE, self._keys(task), arguments)

    def _keys(self, task: TaskId) -> list[str]:
        return [
            f"{self._prefix}facts:{task}",
            f"{self._prefix}stream:{task}",
            f"{self._prefix}open",
            f"{self._prefix}unrecorded",
        ]


def _entries(stream: object) -> tuple[bytes, ...]:
    return tuple(entry for _, (_, entry) in cast("Sequence[_StreamEntry]", stream))


def _open_task(claimed: bytes) -> OpenTask:
    term, epoch, agent = claimed.decode().split(" ", 2)
    return OpenTask(Owner(AgentId(agent), int(epoch)), int(term))
