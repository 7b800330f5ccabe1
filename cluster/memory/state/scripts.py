r"""The Lua scripts of `cluster.memory.state.redis`, one for each method of the port.

Of a document there are three keys. Its head is a hash: ``version``, ``bytes`` (of all entries ever
written), ``incarnation``, ``deleted`` where it was, and of the snapshot ``at`` (its version),
``at_bytes`` (of all entries up to it) and ``data``. Its log is a stream: entry v, after which b
bytes were written, has the id ``v-b``, so the size of any part of the log is a difference of two
ids; what a snapshot stands for stays in the stream as history. Its open steps, those that are not
settled, are a sorted set by the version of the first entry of their latest attempt.

Of a task there is one key, a hash: ``generation:STEP``, ``documents:STEP`` (what the step has
written to, packed), ``edits:STEP\0DOCUMENT`` (the latest edit: generation, ordinal, version, and
incarnation of the document), ``settled:STEP`` where it is, and ``ended`` where the task has; those
that have begun a step and have not ended are a set. Of all documents there are their names, a
sorted set in the order of the bytes; those that expire, by the time when they do, so that names of
what is gone are found; and the feed.

Each script writes first what Redis may refuse for want of memory: a script that is refused there
has changed nothing, one that has begun to write is not refused any more. Numbers stay under 14
digits, of which Lua's own text of a number has no more; an incarnation has more, and stays text.
"""

from __future__ import annotations

from typing import Final

from cluster.memory.namespaces.redis_feed import NEWS_MAX
from cluster.memory.state.limits import (
    DELETED_KEPT_S,
    HISTORY_BYTES_MAX,
    HISTORY_MAX,
    PAGE_BYTES_MAX,
    PAGE_ENTRIES_MAX,
    PERSON_KEPT_S,
    STEPS_KEPT_S,
)

ENTRIES_PER_LOOK: Final = 32
"""How many entries the server reads before it looks whether a page is full."""
FORGOTTEN_AT_ONCE: Final = 100
"""Names of documents that have expired, which are forgotten as another one is written."""

# Every script but `HEADS`, `NAMES` and `BEGUN` has as KEYS: head, log, and open steps of the
# document; facts of the task; names, names of what expires, feed; beginning of all keys.

# Cleans up after documents that have expired: nothing else says that they are gone.
_FORGET: Final = f"""
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function forget()
  local due = redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', now_ms(),
                         'LIMIT', 0, {FORGOTTEN_AT_ONCE})
  for _, name in ipairs(due) do
    if redis.call('EXISTS', KEYS[8] .. 'head:' .. name) == 0 then
      redis.call('ZREM', KEYS[5], name)
      redis.call('ZREM', KEYS[6], name)
    end
  end
end
"""

# A step whose task has ended, or isn't known any more, counts as settled.
_SETTLED: Final = """
local function settled(version)
  local at = 0
  while true do
    local open = redis.call('ZRANGE', KEYS[3], at, at, 'WITHSCORES')
    if #open == 0 then return version end
    local task = KEYS[8] .. 'task:' .. string.match(open[1], '^([^%z]*)')
    if redis.call('EXISTS', task) == 1 and redis.call('HEXISTS', task, 'ended') == 0 then
      return math.min(version, tonumber(open[2]) - 1)
    end
    at = at + 1
  end
end
"""

# Notes that a task has begun a step, so that its end is not forgotten.
_BEGUN: Final = """
local function begun()
  redis.call('SADD', KEYS[8] .. 'begun', string.sub(KEYS[4], #KEYS[8] + #'task:' + 1))
end
"""

# KEYS: also the step's record and its latest attempt, or none of both. ARGV: step, milliseconds
# that the attempt stays there. Returns its generation and what earlier ones have written to.
BEGIN: Final = f"""{_BEGUN}
if redis.call('HEXISTS', KEYS[4], 'ended') == 1 then return 'ended' end
if redis.call('HEXISTS', KEYS[4], 'settled:' .. ARGV[1]) == 1 then return 'done' end
if KEYS[9] and redis.call('EXISTS', KEYS[9]) == 1 then return 'done' end
local generation = redis.call('HINCRBY', KEYS[4], 'generation:' .. ARGV[1], 1)
begun()
redis.call('PEXPIRE', KEYS[4], {round(STEPS_KEPT_S * 1000)})
if KEYS[10] then redis.call('SET', KEYS[10], generation, 'PX', ARGV[2]) end
local documents = redis.call('HGET', KEYS[4], 'documents:' .. ARGV[1])
return {{generation, documents and cmsgpack.unpack(documents) or {{}}}}
"""

# ARGV: step, its name among the open ones.
SETTLE: Final = """
if redis.call('HEXISTS', KEYS[4], 'generation:' .. ARGV[1]) == 0 then return end
redis.call('HSET', KEYS[4], 'settled:' .. ARGV[1], 1)
local documents = redis.call('HGET', KEYS[4], 'documents:' .. ARGV[1])
for _, document in ipairs(documents and cmsgpack.unpack(documents) or {}) do
  redis.call('ZREM', KEYS[8] .. 'open:' .. document, ARGV[2])
end
"""

# ARGV: document, step, its name among the open ones or "", generation, milliseconds or "",
# incarnation or "", bytes that the log may have, then ordinal and data of each edit. Returns the
# version of the last, how many were new, and the incarnation there is.
APPEND: Final = f"""{_FORGET}{_BEGUN}
local document, step, open, ttl_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[5]
local generation, first_edit = tonumber(ARGV[4]), 8
local edits = 'edits:' .. step .. '\\0' .. document
local known = redis.call('HMGET', KEYS[4], 'ended', 'generation:' .. step, edits)
local newest = tonumber(known[2] or '0')
if known[1] or newest > generation then return 'overtaken' end
local head = redis.call('HMGET', KEYS[1], 'version', 'bytes', 'at_bytes', 'incarnation', 'deleted')
if head[5] then return 'deleted' end
if ARGV[6] ~= '' and ARGV[6] ~= head[4] then return {{0, 0, head[4] or '0'}} end
local version, bytes = tonumber(head[1] or '0'), tonumber(head[2] or '0')
local is_new, incarnation = version == 0, head[4]
local last, last_version = 0, 0
if known[3] then
  local of, ordinal, at, written = string.match(known[3], '^(%d+) (%d+) (%d+) (%d+)$')
  if tonumber(of) == generation and written == incarnation then
    last, last_version = tonumber(ordinal), tonumber(at)
  end
end

while first_edit < #ARGV and tonumber(ARGV[first_edit]) <= last do first_edit = first_edit + 2 end
if first_edit > #ARGV then return {{last_version, 0, incarnation}} end
local size = 0
for i = first_edit, #ARGV, 2 do size = size + #ARGV[i + 1] end
if bytes - tonumber(head[3] or '0') + size > tonumber(ARGV[7]) then return 'overfull' end

if is_new then
  local time = redis.call('TIME')
  incarnation = time[1] .. string.format('%06d', time[2])
  -- They expire with the head, but maybe a moment later.
  if redis.call('EXISTS', KEYS[2], KEYS[3]) > 0 then redis.call('UNLINK', KEYS[2], KEYS[3]) end
end
local first = version + 1
for i = first_edit, #ARGV, 2 do
  version, bytes = version + 1, bytes + #ARGV[i + 1]
  redis.call('XADD', KEYS[2], version .. '-' .. bytes, 'e', ARGV[i + 1])
end
redis.call('HSET', KEYS[1], 'version', version, 'bytes', bytes)
local mark = generation .. ' ' .. ARGV[#ARGV - 1] .. ' ' .. version .. ' ' .. incarnation
redis.call('HSET', KEYS[4], edits, mark)
redis.call('XADD', KEYS[7], 'MAXLEN', '~', {NEWS_MAX}, '*', 'name', document)
if is_new then
  redis.call('HSET', KEYS[1], 'incarnation', incarnation)
  redis.call('ZADD', KEYS[5], 0, document)
  redis.call('ZREM', KEYS[6], document)
  forget()
end

if newest < generation then redis.call('HSET', KEYS[4], 'generation:' .. step, generation) end
if open == '' then
  redis.call('PEXPIRE', KEYS[4], {round(PERSON_KEPT_S * 1000)})
elseif last == 0 then
  begun()
  if redis.call('PTTL', KEYS[4]) == -1 then
    redis.call('PEXPIRE', KEYS[4], {round(STEPS_KEPT_S * 1000)})
  end
  local packed = redis.call('HGET', KEYS[4], 'documents:' .. step)
  local documents, is_named = packed and cmsgpack.unpack(packed) or {{}}, false
  for _, each in ipairs(documents) do is_named = is_named or each == document end
  if not is_named then
    documents[#documents + 1] = document
    redis.call('HSET', KEYS[4], 'documents:' .. step, cmsgpack.pack(documents))
  end
  -- With it all that earlier attempts have written is withdrawn, for good.
  redis.call('ZADD', KEYS[3], first, open)
  local left = redis.call('PTTL', KEYS[1])
  if left > 0 then redis.call('PEXPIRE', KEYS[3], left) end
end
if ttl_ms ~= '' then
  for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ttl_ms) end
  redis.call('ZADD', KEYS[6], now_ms() + tonumber(ttl_ms), document)
end
return {{version, (#ARGV - first_edit + 1) / 2, incarnation}}
"""

# ARGV: version that is known, "history" where entries before the snapshot are wanted as well.
READ: Final = f"""{_SETTLED}
local head = redis.call('HMGET', KEYS[1], 'version', 'incarnation', 'deleted', 'at')
local version, at, after = tonumber(head[1] or '0'), tonumber(head[4] or '0'), tonumber(ARGV[1])
local snapshot, entries, size = '', {{}}, 0
if ARGV[2] == 'history' then
  at = 0
elseif at > after then
  after, snapshot = at, redis.call('HGET', KEYS[1], 'data')
else
  at = 0
end
local is_full = false
while not is_full do
  local found = redis.call('XRANGE', KEYS[2], after + 1, '+', 'COUNT', {ENTRIES_PER_LOOK})
  for _, entry in ipairs(found) do
    if not is_full then
      entries[#entries + 1] = entry
      size = size + #entry[2][2]
      is_full = size >= {PAGE_BYTES_MAX} or #entries >= {PAGE_ENTRIES_MAX}
    end
  end
  if #found < {ENTRIES_PER_LOOK} then break end
  after = tonumber(string.match(found[#found][1], '^%d+'))
end
return {{version, head[2] or '0', head[3] and 1 or 0, settled(version), at, snapshot, entries}}
"""

# ARGV: incarnation, version, data. Returns whether it was taken. What then is too old, or too much,
# for the history leaves the stream.
PUT_SNAPSHOT: Final = f"""{_SETTLED}
local head = redis.call('HMGET', KEYS[1], 'version', 'incarnation', 'deleted', 'at')
local version, at = tonumber(head[1] or '0'), tonumber(ARGV[2])
if head[2] ~= ARGV[1] or head[3] or at <= tonumber(head[4] or '0') or at > settled(version) then
  return 0
end
local function bytes_up_to(entry) return tonumber(string.match(entry[1], '%d+$')) end
local at_bytes = bytes_up_to(redis.call('XRANGE', KEYS[2], at, at)[1])
redis.call('HSET', KEYS[1], 'at', at, 'at_bytes', at_bytes, 'data', ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', at)
local first = version - redis.call('XLEN', KEYS[2]) + 1
first = math.max(first, at - {HISTORY_MAX} + 1)
while first <= at do
  local entry = redis.call('XRANGE', KEYS[2], first, first)[1]
  if at_bytes - bytes_up_to(entry) + #entry[2][2] <= {HISTORY_BYTES_MAX} then break end
  first = first + 1
end
redis.call('XTRIM', KEYS[2], 'MAXLEN', version - first + 1)
return 1
"""

# KEYS: heads.
HEADS: Final = """
local heads = {}
for i, key in ipairs(KEYS) do
  heads[i] = redis.call('HMGET', key, 'version', 'incarnation', 'deleted')
end
return heads
"""

# KEYS: names, beginning of all keys. ARGV: from where, up to where, how many. Returns the names
# that were looked at, and of each whether there is a document.
NAMES: Final = """
local names = redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
local are_there = {}
for i, name in ipairs(names) do
  are_there[i] = redis.call('EXISTS', KEYS[2] .. 'head:' .. name)
end
return {names, are_there}
"""

# KEYS: the tasks that have begun a step, and have not ended; beginning of all keys. Those of which
# nothing is known any more leave it.
BEGUN: Final = """
local begun = {}
for _, task in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  if redis.call('EXISTS', KEYS[2] .. 'task:' .. task) == 1 then
    begun[#begun + 1] = task
  else
    redis.call('SREM', KEYS[1], task)
  end
end
return begun
"""

# ARGV: document. What frees memory comes first: a full server then takes the rest as well.
DELETE: Final = f"""
local head = redis.call('HMGET', KEYS[1], 'version', 'incarnation', 'deleted')
if head[1] and not head[3] then
  redis.call('UNLINK', KEYS[2], KEYS[3])
  redis.call('HDEL', KEYS[1], 'at', 'at_bytes', 'data')
  redis.call('HSET', KEYS[1], 'version', head[1] + 1, 'deleted', 1)
  redis.call('PEXPIRE', KEYS[1], {round(DELETED_KEPT_S * 1000)})
  redis.call('ZREM', KEYS[5], ARGV[1])
  redis.call('ZREM', KEYS[6], ARGV[1])
  redis.call('XADD', KEYS[7], 'MAXLEN', '~', {NEWS_MAX}, '*', 'name', ARGV[1])
end
return redis.call('HMGET', KEYS[1], 'version', 'incarnation', 'deleted')
"""

# ARGV: milliseconds, from where to where the names of the task's documents are.
EXPIRE: Final = f"""{_FORGET}
redis.call('HSET', KEYS[4], 'ended', 1)
redis.call('SREM', KEYS[8] .. 'begun', string.sub(KEYS[4], #KEYS[8] + #'task:' + 1))
redis.call('PEXPIRE', KEYS[4], ARGV[1])
for _, name in ipairs(redis.call('ZRANGEBYLEX', KEYS[5], ARGV[2], ARGV[3])) do
  for _, part in ipairs({{'head:', 'log:', 'open:'}}) do
    redis.call('PEXPIRE', KEYS[8] .. part .. name, ARGV[1])
  end
  redis.call('ZADD', KEYS[6], now_ms() + tonumber(ARGV[1]), name)
end
forget()
"""
