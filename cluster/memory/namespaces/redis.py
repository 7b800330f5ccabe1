"""Namespaces on Redis: a script for each method, run through the `RedisStore` it is given.

Of a namespace there are three keys: its version, a sorted set of its sources by the version of
their latest entry, and a hash of what is put (document id, then record). A removed source is in the
sorted set alone. Documents are ordinary values of the store; a hash counts by how many entries each
is named, and one that isn't has a time to live, so that Redis itself collects the garbage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cluster.memory.namespaces.port import (
    DOCUMENT_CHARS,
    UNNAMED_KEPT_S,
    Applied,
    SourceChange,
    SourceEntry,
    document_key,
)
from cluster.memory.store.redis import RedisStore

ENTRIES_PER_READ = 1_000
DOCUMENTS_PER_LOOK = 5_000

_NAMES: Final = "knowledge:names"
_COUNTS: Final = "knowledge:counts"
_DOCUMENTS: Final = f"key:{document_key('')}"
"""What the keys of documents begin with; the store puts the cluster's prefix before it."""

# KEYS: counts, beginning of the documents' keys. ARGV: milliseconds, then documents and bytes.
_STORE: Final = """
for i = 2, #ARGV, 2 do
  local key = KEYS[2] .. ARGV[i]
  if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then
    redis.call('SET', key, ARGV[i + 1])
  else
    redis.call('SET', key, ARGV[i + 1], 'PX', ARGV[1])
  end
end
"""

# KEYS: version, order, live, names, counts, beginning of the documents' keys. ARGV: name,
# milliseconds, length of an id, then key, base, document, record of each change. What Redis may
# refuse for want of memory comes first: a script that is refused there has changed nothing.
_APPLY: Final = """
local version = tonumber(redis.call('GET', KEYS[1]) or '0')
local refused, missing = {}, {}
for i = 4, #ARGV, 4 do
  local key, document = ARGV[i], ARGV[i + 2]
  local before = redis.call('HGET', KEYS[3], key) or ''
  local seen = redis.call('ZSCORE', KEYS[2], key) or '0'
  if before ~= document .. ARGV[i + 3] then
    if tonumber(seen) > tonumber(ARGV[i + 1]) then
      refused[#refused + 1] = key
    elseif document ~= '' and redis.call('EXISTS', KEYS[6] .. document) == 0 then
      missing[#missing + 1] = document
    else
      version = version + 1
      redis.call('SET', KEYS[1], version)
      redis.call('ZADD', KEYS[2], version, key)
      if document == '' then
        redis.call('HDEL', KEYS[3], key)
      else
        redis.call('HSET', KEYS[3], key, document .. ARGV[i + 3])
        redis.call('HINCRBY', KEYS[5], document, 1)
        redis.call('PERSIST', KEYS[6] .. document)
      end
      local last = string.sub(before, 1, tonumber(ARGV[3]))
      if last ~= '' and redis.call('HINCRBY', KEYS[5], last, -1) < 1 then
        redis.call('HDEL', KEYS[5], last)
        redis.call('PEXPIRE', KEYS[6] .. last, ARGV[2])
      end
    end
  end
end
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('ZREM', KEYS[4], ARGV[1])
else
  redis.call('ZADD', KEYS[4], redis.call('TIME')[1], ARGV[1])
end
return {version, refused, missing}
"""

# KEYS: beginning of the documents' keys. ARGV: documents.
_MISSING: Final = """
local missing = {}
for _, document in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[1] .. document) == 0 then missing[#missing + 1] = document end
end
return missing
"""

# KEYS: version, order, live. ARGV: version that is known, how many entries at most.
_ENTRIES: Final = """
local version = redis.call('GET', KEYS[1]) or '0'
local found = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES',
                         'LIMIT', 0, ARGV[2])
for i = 1, #found, 2 do
  found[i + 1] = {found[i + 1], redis.call('HGET', KEYS[3], found[i]) or ''}
end
return {tonumber(version), found}
"""

_VERSION: Final = "return tonumber(redis.call('GET', KEYS[1]) or '0')"

_LIST: Final = "return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')"


class RedisNamespaces:
    """`cluster.memory.namespaces.port.Namespaces` on the server of a `RedisStore`.

    Args:
        store: whose connections are used; it stays its owner's, to be closed by them.
    """

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    async def store_documents(self, documents: Mapping[str, bytes]) -> None:
        """Keep documents under their ids; for `UNNAMED_KEPT_S` only, unless they are named."""
        arguments: list[bytes | int | str] = [_milliseconds(UNNAMED_KEPT_S)]
        for document, data in documents.items():
            arguments += (document, data)
        await self._store.run_script(_STORE, [_COUNTS, _DOCUMENTS], arguments)

    async def documents(self, ids: Sequence[str]) -> list[bytes | None]:
        """Return documents in the order of their ids, None where there is none."""
        return await self._store.get_many([document_key(each) for each in ids])

    async def missing(self, ids: Sequence[str]) -> frozenset[str]:
        """Return those of some documents that are not in the store."""
        found: set[str] = set()
        for at in range(0, len(ids), DOCUMENTS_PER_LOOK):
            some = ids[at : at + DOCUMENTS_PER_LOOK]
            missing = await self._store.run_script(_MISSING, [_DOCUMENTS], some)
            found.update(each.decode() for each in missing)
        return frozenset(found)

    async def discard(self, ids: Sequence[str]) -> None:
        """Remove documents that can't be read, named or not, so that they are made anew."""
        await self._store.delete([document_key(each) for each in ids])

    async def apply(
        self, name: str, changes: Sequence[SourceChange], *, kept_s: float = UNNAMED_KEPT_S
    ) -> Applied:
        """Append those changes whose conditions hold, in their order and in one step."""
        arguments: list[bytes | int | str] = [name, _milliseconds(kept_s), DOCUMENT_CHARS]
        for each in changes:
            arguments += (each.key, each.base, each.document, each.record)
        keys = [*_keys(name), _NAMES, _COUNTS, _DOCUMENTS]
        version, refused, missing = await self._store.run_script(_APPLY, keys, arguments)
        return Applied(
            version,
            frozenset(each.decode() for each in refused),
            frozenset(each.decode() for each in missing),
        )

    async def entries(self, name: str, after: int = 0) -> tuple[int, list[SourceEntry]]:
        """Return the version of a namespace, and its entries newer than ``after`` in their order.

        It reads in pages. A source that is changed meanwhile comes again on a later page: that of
        the last one counts.
        """
        entries: dict[str, SourceEntry] = {}
        while True:
            arguments = [after, ENTRIES_PER_READ]
            version, found = await self._store.run_script(_ENTRIES, _keys(name), arguments)
            page = [_entry(key, *told) for key, told in zip(found[::2], found[1::2], strict=True)]
            for each in page:
                entries.pop(each.key, None)
                entries[each.key] = each
            if len(page) < ENTRIES_PER_READ:
                return version, list(entries.values())
            after = page[-1].version

    async def version(self, name: str) -> int:
        """Return the version of a namespace, 0 where nobody has written to it."""
        return int(await self._store.run_script(_VERSION, _keys(name), []))

    async def names(self) -> dict[str, float]:
        """Return the namespaces with sources, each with the Unix time of the last `apply` to it."""
        found = await self._store.run_script(_LIST, [_NAMES], [])
        return {
            name.decode(): float(score) for name, score in zip(found[::2], found[1::2], strict=True)
        }


def _keys(name: str) -> list[str]:
    return [f"knowledge:{part}:{name}" for part in ("version", "order", "live")]


def _entry(key: bytes, score: bytes, put: bytes) -> SourceEntry:
    document, record = put[:DOCUMENT_CHARS].decode(), put[DOCUMENT_CHARS:]
    return SourceEntry(key.decode(), int(float(score)), document, record)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
