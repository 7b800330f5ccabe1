"""The records on Redis: a hash for each task, sorted sets that list them, a script for each method.

Its scripts run through the `RedisStore` it is given, as those of `cluster.memory.journal.redis` do.
A task is listed in four sorted sets: among all, those of its status, those of its owner, and those
of both; so a list reads no task that it doesn't show. All have the same score and are in the order
of their ids. Every key has a time to live, or a scope that nobody uses any more would stay.
"""

from __future__ import annotations

from typing import Final

from cluster.kernel.feed import TaskRecord, TaskSummary
from cluster.kernel.ids import TaskId
from cluster.memory.store.redis import RedisStore
from cluster.memory.task_records.port import (
    KEY_KEPT_S,
    RECORD_KEPT_S,
    TOKENS_KEPT_S,
    KeyUse,
    TaskFilter,
    checked_filter,
    day_of,
)
from cluster.memory.task_records.wire import (
    record_from_bytes,
    record_to_bytes,
    summary_from_bytes,
    summary_to_bytes,
)

# Every script has as KEYS the beginning of all others: `task:` and an id is a hash (`summary`,
# `record` and `ended` once it has, `listed`), `listed` a sorted set of all that are listed, each as
# `id status owner`, by when that ends. What goes by its time to live leaves the lists at the next
# writes, and where it is met. The server's own clock counts, so that all replicas have the same.
_LISTING: Final = """
local function indexes(status, owner)
  local all, of = KEYS[1] .. 'all:', KEYS[1] .. 'of:'
  return {all, all .. status, of .. ':' .. owner, of .. status .. ':' .. owner}
end
local function unlist(listed)
  local task, status, owner = string.match(listed, '^(%S+) (%S*) (.*)$')
  for _, index in ipairs(indexes(status, owner)) do redis.call('ZREM', index, task) end
  redis.call('ZREM', KEYS[1] .. 'listed', listed)
end
local function now_ms()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end
local function list(task, status, owner, kept_ms)
  local listed = task .. ' ' .. status .. ' ' .. owner
  local before = redis.call('HGET', KEYS[1] .. 'task:' .. task, 'listed')
  if before and before ~= listed then unlist(before) end
  redis.call('HSET', KEYS[1] .. 'task:' .. task, 'listed', listed)
  redis.call('PEXPIRE', KEYS[1] .. 'task:' .. task, kept_ms)
  for _, index in ipairs(indexes(status, owner)) do
    redis.call('ZADD', index, 0, task)
    redis.call('PEXPIRE', index, kept_ms)
  end
  local all, now = KEYS[1] .. 'listed', now_ms()
  redis.call('ZADD', all, now + kept_ms, listed)
  redis.call('PEXPIRE', all, kept_ms)
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', all, '-inf', now, 'LIMIT', 0, 100)) do
    unlist(gone)
  end
end
"""

# ARGV: task, status, owner, milliseconds, summary.
_BEGAN: Final = f"""{_LISTING}
local key = KEYS[1] .. 'task:' .. ARGV[1]
if redis.call('HEXISTS', key, 'ended') == 1 then return end
redis.call('HSET', key, 'summary', ARGV[5])
list(ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]))
"""

# ARGV: task, status, owner, milliseconds, summary, record, tokens, day, milliseconds to keep them.
_ENDED: Final = f"""{_LISTING}
local key = KEYS[1] .. 'task:' .. ARGV[1]
if redis.call('HEXISTS', key, 'ended') == 1 then return end
redis.call('HSET', key, 'summary', ARGV[5], 'record', ARGV[6], 'ended', 1)
list(ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]))
local used = KEYS[1] .. 'tokens:' .. ARGV[8] .. ':' .. ARGV[3]
redis.call('INCRBY', used, ARGV[7])
redis.call('PEXPIRE', used, ARGV[9])
redis.call('ZREM', KEYS[1] .. 'running:' .. ARGV[3], ARGV[1])
"""

# ARGV: task.
_RECORD: Final = "return redis.call('HMGET', KEYS[1] .. 'task:' .. ARGV[1], 'summary', 'record')"

# ARGV: end of the index's key, task to begin after or "", how many at most.
_TASKS: Final = """
local index, found, wanted = KEYS[1] .. ARGV[1], {}, tonumber(ARGV[3])
local top = ARGV[2] == '' and '+' or '(' .. ARGV[2]
repeat
  local asked = wanted - #found
  local page = redis.call('ZREVRANGEBYLEX', index, top, '-', 'LIMIT', 0, asked)
  for _, task in ipairs(page) do
    local summary = redis.call('HGET', KEYS[1] .. 'task:' .. task, 'summary')
    if summary then found[#found + 1] = summary else redis.call('ZREM', index, task) end
    top = '(' .. task
  end
until #found == wanted or #page < asked
return found
"""

# ARGV: task.
_FORGET: Final = f"""{_LISTING}
local key = KEYS[1] .. 'task:' .. ARGV[1]
local told = redis.call('HMGET', key, 'ended', 'listed')
if not told[1] then return end
unlist(told[2])
redis.call('DEL', key)
"""

# ARGV: task, owner, milliseconds of Unix time, how many there may be. `running:` and an owner is a
# sorted set by until when each counts, and lives as long as its last one.
_ADMIT: Final = f"""{_LISTING}
local running = KEYS[1] .. 'running:' .. ARGV[2]
if redis.call('HEXISTS', KEYS[1] .. 'task:' .. ARGV[1], 'ended') == 1 then return 1 end
redis.call('ZREMRANGEBYSCORE', running, '-inf', now_ms())
if redis.call('ZSCORE', running, ARGV[1]) then return 1 end
if redis.call('ZCARD', running) >= tonumber(ARGV[4]) then return 0 end
redis.call('ZADD', running, ARGV[3], ARGV[1])
local last = redis.call('ZREVRANGE', running, 0, 0)[1]
redis.call('PEXPIREAT', running, redis.call('ZSCORE', running, last))
return 1
"""

# ARGV: task, owner.
_RELEASE: Final = "redis.call('ZREM', KEYS[1] .. 'running:' .. ARGV[2], ARGV[1])"

# ARGV: day and owner.
_TOKENS: Final = "return redis.call('GET', KEYS[1] .. 'tokens:' .. ARGV[1]) or '0'"

# ARGV: whose key, task and digest, milliseconds.
_USE_KEY: Final = """
local key = KEYS[1] .. 'key:' .. ARGV[1]
local before = redis.call('GET', key)
if before then return before end
redis.call('SET', key, ARGV[2], 'PX', ARGV[3])
return ARGV[2]
"""


class RedisTaskRecords:
    """`cluster.memory.task_records.port.TaskRecords` on the server of a `RedisStore`.

    Args:
        store: whose connections are used; it stays its owner's, to be closed by them.
        scope: of this cluster; those with other ones on the same server see none of its tasks.
    """

    def __init__(self, store: RedisStore, scope: str) -> None:
        self._store = store
        self._keys = [f"task_records:{scope}:"]

    async def began(self, summary: TaskSummary) -> None:
        """List a task that runs, for `RECORD_KEPT_S` from here; one that has ended stays so."""
        await self._store.run_script(_BEGAN, self._keys, _listed(summary))

    async def ended(self, record: TaskRecord, *, tokens: int) -> None:
        """Keep what has become of a task, for `RECORD_KEPT_S`; only the first end counts."""
        day = day_of(record.summary.ended_wall_s)
        kept_ms = round(TOKENS_KEPT_S * 1000)
        arguments = (*_listed(record.summary), record_to_bytes(record), tokens, day, kept_ms)
        await self._store.run_script(_ENDED, self._keys, arguments)

    async def record(self, task: TaskId) -> TaskRecord | None:
        """Return what is known of a task; without a report while it runs; None where nothing is."""
        summary, record = await self._store.run_script(_RECORD, self._keys, [task])
        if summary is None:
            return None
        known = summary_from_bytes(summary)
        return TaskRecord(known, "") if record is None else record_from_bytes(known, record)

    async def tasks(self, which: TaskFilter) -> tuple[TaskSummary, ...]:
        """Return a part of the list, the newest first."""
        checked_filter(which)
        owner, status = which.owner, which.status
        index = f"all:{status}" if owner is None else f"of:{status}:{owner}"
        arguments = (index, which.after, which.tasks_max)
        found = await self._store.run_script(_TASKS, self._keys, arguments)
        return tuple(summary_from_bytes(each) for each in found)

    async def forget(self, task: TaskId) -> None:
        """Remove a task from the list, and its record; one that runs stays."""
        await self._store.run_script(_FORGET, self._keys, [task])

    async def admit(self, task: TaskId, owner: str, until_wall_s: float, tasks_max: int) -> bool:
        """Count a task among its owner's that run, unless there are as many as there may be."""
        arguments = (task, owner, round(until_wall_s * 1000), tasks_max)
        return bool(await self._store.run_script(_ADMIT, self._keys, arguments))

    async def release(self, task: TaskId, owner: str) -> None:
        """Count a task no longer that was not begun after all."""
        await self._store.run_script(_RELEASE, self._keys, [task, owner])

    async def tokens_of_day(self, owner: str, wall_s: float) -> int:
        """Return what the owner's ended tasks have used on the day (UTC) of an instant."""
        arguments = [f"{day_of(wall_s)}:{owner}"]
        return int(await self._store.run_script(_TOKENS, self._keys, arguments))

    async def use_key(self, owner: str, key: str, use: KeyUse) -> KeyUse:
        """Let an idempotency key of an owner stand for a task, for `KEY_KEPT_S`."""
        # With the length of the name, no two owners' keys can be the same text.
        name = f"{len(owner)}:{owner}:{key}"
        arguments = (name, f"{use.task} {use.digest}", round(KEY_KEPT_S * 1000))
        told: bytes = await self._store.run_script(_USE_KEY, self._keys, arguments)
        task, digest = told.decode().split(" ", 1)
        return KeyUse(TaskId(task), digest)


def _listed(summary: TaskSummary) -> tuple[bytes | int | str, ...]:
    """Return the arguments that list a task."""
    kept_ms = round(RECORD_KEPT_S * 1000)
    data = summary_to_bytes(summary)
    return summary.task, summary.status, summary.owner, kept_ms, data
