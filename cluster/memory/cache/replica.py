"""What one reader has of a namespace, brought up to date by the logs that it reads.

Called by whoever keeps a cache of a namespace; no I/O happens here. A log that doesn't lead on from
what the reader has is known by its digest: a store that was flushed, or whose successor has missed
the latest writes, may be at the reader's version with other entries.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cluster.memory.namespaces.digest import DIGEST_MODULUS, entry_digest
from cluster.memory.namespaces.port import NamespaceLog, SourceEntry


@dataclass(frozen=True, slots=True)
class Followed:
    """What a log has changed. What is gone goes first: a put may have the version of one gone."""

    puts: list[SourceEntry] = field(default_factory=list)
    """New ones, in the order of their versions."""
    gone: list[int] = field(default_factory=list)
    """Versions of puts that are dead now."""
    is_torn: bool = False
    """Nothing was changed: the log doesn't lead on from here, and all has to be read again."""


_TORN = Followed(is_torn=True)


class Replica:
    """The live entries of a namespace at a version, changed in place.

    To copy 100,000 entries for each of a thousand changes a second would take all the time there
    is; so `follow` takes as long as there are changes, and whoever looks at `live` sees them.

    Attributes:
        version: how far it has read; the next log is that of the entries after it.
        digest: of the live entries, see `cluster.memory.namespaces.digest`.
    """

    def __init__(self) -> None:
        self.version = 0
        self.digest = 0
        self._live: dict[str, SourceEntry] = {}

    @property
    def live(self) -> Mapping[str, SourceEntry]:
        """What is put, by its key and in the order of the versions; follows later changes."""
        return MappingProxyType(self._live)

    def follow(self, log: NamespaceLog) -> Followed:
        """Apply the log that was read after `version`; what was applied already is passed over.

        It is torn where the store's version went back, or its digest is another than this one's
        would be: then all entries are read, and given to `replace`.
        """
        if log.version < self.version:
            return _TORN
        newer = [each for each in log.entries if each.version > self.version]
        puts = [each for each in newer if each.document]
        over = [self._live[each.key] for each in newer if each.key in self._live]
        digest = self._digest_with(puts, over)
        if log.digest not in (None, digest):
            return _TORN
        for each in newer:
            self._live.pop(each.key, None)
        self._live.update({each.key: each for each in puts})
        self.version, self.digest = log.version, digest
        return Followed(puts, [each.version for each in over])

    def replace(self, log: NamespaceLog) -> Followed:
        """Become what a whole log says, and return the difference.

        It is torn where the store lost entries while they were read: then they are read again.
        """
        live = {each.key: each for each in log.entries if each.document}
        puts = [each for each in live.values() if not _is_among(each, self._live)]
        over = [each for each in self._live.values() if not _is_among(each, live)]
        digest = self._digest_with(puts, over)
        if log.digest not in (None, digest):
            return _TORN
        self._live = live
        self.version, self.digest = log.version, digest
        return Followed(puts, [each.version for each in over])

    def _digest_with(self, puts: Collection[SourceEntry], over: Collection[SourceEntry]) -> int:
        """Return what the digest is with some entries more, and some less."""
        return (self.digest + sum(map(_digest, puts)) - sum(map(_digest, over))) % DIGEST_MODULUS


def _digest(entry: SourceEntry) -> int:
    return entry_digest(entry.key, entry.version, entry.document)


def _is_among(entry: SourceEntry, live: Mapping[str, SourceEntry]) -> bool:
    """Say whether the same was put; the digest of entries doesn't know their records either."""
    other = live.get(entry.key)
    return other is not None and (entry.version, entry.document) == (other.version, other.document)
