"""What `cluster.memory.store.redis` has a server do in one step, and how it is sent there.

A script takes effect as a whole, whoever else writes. Its text is sent only to a server that
doesn't know it yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any

from hiredis import pack_command
from redis.asyncio import ConnectionPool
from redis.exceptions import NoScriptError

# KEYS: the keys. ARGV: their values in the same order, then the time to live in milliseconds.
PUT_MANY = """
for i, key in ipairs(KEYS) do
  redis.call('SET', key, ARGV[i], 'PX', ARGV[#KEYS + 1])
end
"""

# KEYS: counter of the name, lease, set of leases. ARGV: epoch, value, milliseconds. A counter
# that is behind the epoch belongs to a store that has lost it; it is raised, lest the same epoch
# be given out twice.
PUT_LEASE = """
local newest = tonumber(redis.call('GET', KEYS[1]) or '0')
local epoch = tonumber(ARGV[1])
if newest > epoch then return 0 end
if newest < epoch then redis.call('SET', KEYS[1], ARGV[1]) end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('SADD', KEYS[3], KEYS[2])
return 1
"""

# KEYS: counter of the name, key, fence. ARGV: epoch, value, milliseconds, how high the fence may
# be.
PUT_ONCE = """
local newest = tonumber(redis.call('GET', KEYS[1]) or '0')
local epoch = tonumber(ARGV[1])
if tonumber(redis.call('GET', KEYS[3]) or '0') > tonumber(ARGV[4]) then return 0 end
if newest > epoch or not redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3], 'NX') then return 0 end
if newest < epoch then redis.call('SET', KEYS[1], ARGV[1]) end
return 1
"""

# KEYS: set of leases. Returns keys and values in turn; those that ran out leave the set.
LEASES = """
local held = {}
for _, key in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local value = redis.call('GET', key)
  if value then
    held[#held + 1] = key
    held[#held + 1] = value
  else
    redis.call('SREM', KEYS[1], key)
  end
end
return held
"""

# KEYS: counter of the name, lease. ARGV: epoch.
DROP_LEASE = """
if tonumber(redis.call('GET', KEYS[1]) or '0') > tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[2])
return 1
"""


async def run(
    connections: ConnectionPool,
    script: str,
    keys: Sequence[str],
    arguments: Sequence[bytes | int | str],
) -> Any:
    """Run a Lua script, sending its text only to a server that doesn't know it yet."""
    named = (len(keys), *keys, *arguments)
    try:
        return await ask(connections, "EVALSHA", _digest(script), *named)
    except NoScriptError:
        return await ask(connections, "EVAL", script, *named)


async def ask(connections: ConnectionPool, *command: bytes | int | str) -> Any:
    """Return the reply to a command as it comes, over one of the connections that are free.

    For what a task waits for: redis-py's client would take half as much CPU again.
    """
    connection: Any = connections.get_available_connection()  # type: ignore[no-untyped-call]
    try:
        if not connection.is_connected or await connection.can_read():
            await connection.disconnect()  # else a reply to another command may be read
            await connection.connect()
        # In C: redis-py's own takes eight times as long. Its stub means tuples of length 1.
        packed = pack_command(command)  # type: ignore[arg-type]
        await connection.send_packed_command(packed, check_health=False)
        return await connection.read_response()
    finally:
        await connections.release(connection)


@cache
def _digest(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
