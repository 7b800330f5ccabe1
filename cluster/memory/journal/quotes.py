"""Removes the journals of ended tasks that quote what is to be forgotten, of all clusters.

Called by `fleetmind forget --purge` on the store it has: the journals of earlier clusters, whose
scopes nobody knows any more, are there too. A source's name is found in an entry, wherever it
stands, as protobuf writes a text: its length, then its bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cluster.memory.store.redis import RedisStore

KEYS_PER_LOOK = 200
_DIGIT = 128
"""A varint has numbers below it, the lowest first, and adds it to all but the last."""

# KEYS: beginning of all journals' keys; beginning of the recorded steps' keys. ARGV: cursor, keys
# to look at, sources as they stand in entries. Returns the next cursor, and how many journals were
# removed, and left since their tasks run.
_PURGE: Final = """
local function quotes(text)
  for i = 3, #ARGV do
    if string.find(text, ARGV[i], 1, true) then return true end
  end
  return false
end
local function after(beginning, key)
  return string.sub(key, 1, #beginning) == beginning and string.sub(key, #beginning + 1) or ''
end
local function runs(scope, task)
  local facts = KEYS[1] .. scope .. ':facts:' .. task
  return redis.call('EXISTS', facts) == 1 and redis.call('HEXISTS', facts, 'final') == 0
end
local removed, running = 0, 0
local page = redis.call('SCAN', ARGV[1], 'COUNT', ARGV[2])
for _, key in ipairs(page[2]) do
  local scope, task = string.match(after(KEYS[1], key), '^(.-):stream:(.*)$')
  if scope then
    local found = false
    for _, entry in ipairs(redis.call('XRANGE', key, '-', '+')) do
      found = found or quotes(entry[2][2])
    end
    if found and runs(scope, task) then
      running = running + 1
    elseif found then
      redis.call('DEL', key, KEYS[1] .. scope .. ':facts:' .. task)
      removed = removed + 1
    end
  end
  scope, task = string.match(after(KEYS[2], key), '^(.-)/(.-)/')
  if scope and not runs(scope, task) and quotes(redis.call('GET', key) or '') then
    redis.call('DEL', key)
  end
end
return {page[1], removed, running}
"""


@dataclass(frozen=True, slots=True)
class PurgedJournals:
    """What became of the journals that quote something."""

    removed: int
    running: int
    """Left, since their tasks haven't ended."""


async def purge_quotes(store: RedisStore, sources: Sequence[str]) -> PurgedJournals:
    """Remove the journals, and the recorded steps, of ended tasks that cite one of some sources.

    It walks over every key of the server, a page at a time.

    Raises:
        StoreUnavailable: the store does not answer; it may be repeated.
    """
    removed = running = 0
    wanted = [as_written(source) for source in sources]
    cursor = b"0" if wanted else b""
    while cursor:
        arguments: list[bytes | int] = [cursor, KEYS_PER_LOOK, *wanted]
        cursor, more, left = await store.run_script(_PURGE, ["journal:", "key:record/"], arguments)
        removed += more
        running += left
        cursor = b"" if cursor == b"0" else cursor
    return PurgedJournals(removed, running)


def as_written(text: str) -> bytes:
    """Return a text as protobuf writes it behind the number of its field."""
    data = text.encode()
    length, prefix = len(data), bytearray()
    while length >= _DIGIT:
        prefix.append(length % _DIGIT + _DIGIT)
        length //= _DIGIT
    return bytes([*prefix, length]) + data
