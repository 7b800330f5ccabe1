"""Namespaces on Redis: a script for each method, run through the `RedisStore` it is given.

Of a namespace there are four keys: its version, a sorted set of its sources by the version of
their latest entry, a hash of what is put (document id, then record), and its digest. A removed
source is in the sorted set alone. Who appends adds the namespace's name to a stream, the feed,
which keeps its latest entries. Documents are ordinary values of the store; a hash counts by how
many entries each is named, and one that isn't has a time to live, so that Redis itself collects the
garbage.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import uuid4

from cluster.memory.namespaces.digest import DIGEST_MODULUS
from cluster.memory.namespaces.port import (
    DOCUMENT_CHARS,
    DOCUMENTS_BYTES_MAX,
    NO_DOCUMENTS,
    UNNAMED_KEPT_S,
    Applied,
    Head,
    NamespaceLog,
    SourceChange,
    SourceEntry,
    document_key,
)
from cluster.memory.namespaces.redis_feed import NEWS_MAX, RedisFeed
from cluster.memory.store.redis import RedisStore

ENTRIES_PER_READ = 1_000
DOCUMENTS_PER_LOOK = 5_000

_NAMES: Final = "knowledge:names"
_COUNTS: Final = "knowledge:counts"
_FEED: Final = "knowledge:feed"
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

# The digest is kept with the version that it is of: a program of an earlier version appends without
# it, and then it is made anew from all live entries, by whoever next appends. '%.0f': Lua's own
# text of a number has 14 digits.
_DIGEST_AT: Final = """
local function digest_at(key, version)
  local told = redis.call('GET', key) or '0 0'
  local at, digest = string.match(told, '^(%d+) (%d+)$')
  return tonumber(at) == version and tonumber(digest)
end
"""
_DIGEST_OF: Final = f"""
local function digest_of(key, version, document)
  if document == '' then return 0 end
  local text = key .. '\\0' .. string.format('%.0f', version) .. '\\0' .. document
  return tonumber(string.sub(redis.sha1hex(text), 1, 12), 16)
end
local function digest_of_all(order, live, length)
  local sum = 0
  local found = redis.call('ZRANGE', order, 0, -1, 'WITHSCORES')
  for i = 1, #found, 2 do
    local put = redis.call('HGET', live, found[i]) or ''
    local document = string.sub(put, 1, length)
    sum = (sum + digest_of(found[i], tonumber(found[i + 1]), document)) % {DIGEST_MODULUS}
  end
  return sum
end
"""

# KEYS: version, order, live, digest, names, counts, feed, beginning of the documents' keys. ARGV:
# name, milliseconds, length of an id, entries of the feed, number of changes, then key, base,
# document, record of each, then documents and bytes. What Redis may refuse for want of memory comes
# first: a script that is refused there has changed nothing. A document is set without a time to
# live, since whatever sets it is named: by this change, or already.
_APPLY: Final = f"""{_DIGEST_AT}{_DIGEST_OF}
local version = tonumber(redis.call('GET', KEYS[1]) or '0')
local first, length = version, tonumber(ARGV[3])
local digest = digest_at(KEYS[4], version)
local refused, missing = {{}}, {{}}
local changes_end = 5 + 4 * tonumber(ARGV[5])
local given = {{}}
for i = changes_end + 1, #ARGV, 2 do given[ARGV[i]] = ARGV[i + 1] end
for i = 6, changes_end, 4 do
  local key, document = ARGV[i], ARGV[i + 2]
  local before = redis.call('HGET', KEYS[3], key) or ''
  local seen = tonumber(redis.call('ZSCORE', KEYS[2], key) or '0')
  local holds = before == document .. ARGV[i + 3]
  local is_late = not holds and seen > tonumber(ARGV[i + 1])
  if given[document] and not is_late then
    redis.call('SET', KEYS[8] .. document, given[document])
    given[document] = nil
  end
  if not holds then
    if is_late then
      refused[#refused + 1] = key
    elseif document ~= '' and redis.call('EXISTS', KEYS[8] .. document) == 0 then
      missing[#missing + 1] = document
    else
      digest = digest or digest_of_all(KEYS[2], KEYS[3], length)
      version = version + 1
      redis.call('SET', KEYS[1], version)
      redis.call('ZADD', KEYS[2], version, key)
      if document == '' then
        redis.call('HDEL', KEYS[3], key)
      else
        redis.call('HSET', KEYS[3], key, document .. ARGV[i + 3])
        redis.call('HINCRBY', KEYS[6], document, 1)
        redis.call('PERSIST', KEYS[8] .. document)
      end
      local last = string.sub(before, 1, length)
      digest = digest + digest_of(key, version, document) - digest_of(key, seen, last)
      digest = digest % {DIGEST_MODULUS}
      if last ~= '' and redis.call('HINCRBY', KEYS[6], last, -1) < 1 then
        redis.call('HDEL', KEYS[6], last)
        redis.call('PEXPIRE', KEYS[8] .. last, ARGV[2])
      end
    end
  end
end
if version > first then
  redis.call('SET', KEYS[4], string.format('%.0f %.0f', version, digest))
  redis.call('XADD', KEYS[7], 'MAXLEN', '~', ARGV[4], '*', 'name', ARGV[1])
end
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('ZREM', KEYS[5], ARGV[1])
else
  redis.call('ZADD', KEYS[5], redis.call('TIME')[1], ARGV[1])
end
return {{version, refused, missing}}
"""

# KEYS: beginning of the documents' keys. ARGV: documents.
_MISSING: Final = """
local missing = {}
for _, document in ipairs(ARGV) do
  if redis.call('EXISTS', KEYS[1] .. document) == 0 then missing[#missing + 1] = document end
end
return missing
"""

# KEYS: version, order, live, digest, beginning of the documents' keys. ARGV: version that is known,
# how many entries at most, how many documents, and of how many bytes.
_ENTRIES: Final = f"""{_DIGEST_AT}
local version = tonumber(redis.call('GET', KEYS[1]) or '0')
local found = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES',
                         'LIMIT', 0, ARGV[2])
local documents, wanted, left = {{}}, tonumber(ARGV[3]), tonumber(ARGV[4])
for i = 1, #found, 2 do
  local put = redis.call('HGET', KEYS[3], found[i]) or ''
  found[i + 1] = {{found[i + 1], put}}
  if wanted > 0 and put ~= '' then
    local document = string.sub(put, 1, {DOCUMENT_CHARS})
    local size = redis.call('STRLEN', KEYS[5] .. document)
    wanted = wanted - 1
    if size > 0 and size <= left then
      left = left - size
      documents[#documents + 1] = document
      documents[#documents + 1] = redis.call('GET', KEYS[5] .. document)
    end
  end
end
return {{version, digest_at(KEYS[4], version), found, documents}}
"""

# KEYS: version, order, live, digest of each namespace. Returns versions and digests in turn.
_HEADS: Final = f"""{_DIGEST_AT}
local heads = {{}}
for i = 1, #KEYS, 4 do
  local version = tonumber(redis.call('GET', KEYS[i]) or '0')
  heads[#heads + 1] = version
  heads[#heads + 1] = digest_at(KEYS[i + 3], version)
end
return heads
"""

_LIST: Final = "return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')"


# KEYS: id of the store. ARGV: what it becomes where there is none.
_STORE_ID: Final = """
redis.call('SET', KEYS[1], ARGV[1], 'NX')
return redis.call('GET', KEYS[1])
"""


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
        self,
        name: str,
        changes: Sequence[SourceChange],
        *,
        documents: Mapping[str, bytes] = NO_DOCUMENTS,
        kept_s: float = UNNAMED_KEPT_S,
    ) -> Applied:
        """Append those changes whose conditions hold, in their order and in one step."""
        arguments: list[bytes | int | str] = [
            name,
            _milliseconds(kept_s),
            DOCUMENT_CHARS,
            NEWS_MAX,
            len(changes),
        ]
        for each in changes:
            arguments += (each.key, each.base, each.document, each.record)
        for document, data in documents.items():
            arguments += (document, data)
        keys = [*_keys(name), _NAMES, _COUNTS, _FEED, _DOCUMENTS]
        version, refused, missing = await self._store.run_script(_APPLY, keys, arguments)
        return Applied(
            version,
            frozenset(each.decode() for each in refused),
            frozenset(each.decode() for each in missing),
        )

    async def entries(self, name: str, after: int = 0, *, documents_max: int = 0) -> NamespaceLog:
        """Return where a namespace is, and its entries newer than ``after`` in their order.

        It reads in pages. A source that is changed meanwhile comes again on a later page: that of
        the last one counts, and all is as it was at the moment of that page.
        """
        entries: dict[str, SourceEntry] = {}
        documents: dict[str, bytes] = {}
        keys = [*_keys(name), _DOCUMENTS]
        while True:
            arguments = [after, ENTRIES_PER_READ, documents_max, DOCUMENTS_BYTES_MAX]
            version, digest, found, told = await self._store.run_script(_ENTRIES, keys, arguments)
            page = [_entry(key, *put) for key, put in zip(found[::2], found[1::2], strict=True)]
            for each in page:
                entries.pop(each.key, None)
                entries[each.key] = each
            documents |= zip(map(bytes.decode, told[::2]), told[1::2], strict=True)
            if len(page) < ENTRIES_PER_READ:
                return NamespaceLog(version, digest, list(entries.values()), documents)
            after, documents_max = page[-1].version, 0

    async def heads(self, names: Sequence[str]) -> dict[str, Head]:
        """Return where namespaces are, all at one moment; 0 and 0 where nobody has written."""
        keys = [key for name in names for key in _keys(name)]
        told = await self._store.run_script(_HEADS, keys, []) if names else []
        heads = map(Head, told[::2], told[1::2])
        return dict(zip(names, heads, strict=True))

    async def names(self) -> dict[str, float]:
        """Return the namespaces with sources, each with the Unix time of the last `apply` to it."""
        found = await self._store.run_script(_LIST, [_NAMES], [])
        return {
            name.decode(): float(score) for name, score in zip(found[::2], found[1::2], strict=True)
        }

    async def store_id(self) -> str:
        """Return what tells this store from others and from itself after it was emptied."""
        told = await self._store.run_script(_STORE_ID, ["knowledge:store"], [uuid4().hex])
        return str(told.decode())

    async def feed(self) -> RedisFeed:
        """Open a feed, which is the caller's to close; it hears of everything from now on."""
        return await RedisFeed.open(self._store, _FEED)


def _keys(name: str) -> list[str]:
    return [f"knowledge:{part}:{name}" for part in ("version", "order", "live", "digest")]


def _entry(key: bytes, score: bytes, put: bytes) -> SourceEntry:
    document, record = put[:DOCUMENT_CHARS].decode(), put[DOCUMENT_CHARS:]
    return SourceEntry(key.decode(), int(float(score)), document, record)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
