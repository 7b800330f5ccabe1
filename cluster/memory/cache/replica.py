"""What one reader has of a namespace, brought up to date by the logs that it reads.

Called by whoever keeps a cache of a namespace; no I/O happens here. A log that doesn't lead on from
what the reader has is known by its digest: a store that was flushed, or whose successor has missed
the latest writes, may be at the reader's version with other entries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from cluster.memory.namespaces.digest import DIGEST_MODULUS, entry_digest
from cluster.memory.namespaces.port import NamespaceLog, SourceEntry


@dataclass(frozen=True, slots=True)
class Followed:
    """What a log has changed."""

    puts: list[SourceEntry] = field(default_factory=list)
    """New ones, in the order of their versions."""
    gone: list[int] = field(default_factory=list)
    """Versions of puts that are dead now."""
    is_torn: bool = False
    """Nothing was changed: the log doesn't lead on from here, and the reader begins anew."""


class KnownPuts(Protocol):
    """Live puts of a namespace at a version, which need not be in memory."""

    def find(self, key: str) -> tuple[int, str] | None:
        """Return version and document of a source; None where it isn't put."""
        ...


class Replica:
    """The live entries of a namespace at a version, changed in place.

    To copy 100,000 entries for each of a thousand changes a second would take all the time there
    is; so `follow` takes as long as there are changes. It holds what has changed since it began.

    Args:
        base: what it begins with, at ``version`` with ``digest``; nothing, unless told.

    Attributes:
        version: how far it has read; the next log is that of the entries after it.
        digest: of the live entries, see `cluster.memory.namespaces.digest`.
    """

    def __init__(self, base: KnownPuts | None = None, version: int = 0, digest: int = 0) -> None:
        self.version = version
        self.digest = digest
        self._base = base
        self._latest: dict[str, tuple[int, str] | None] = {}
        """Version and document of what has changed since; None for what is removed."""

    def find(self, key: str) -> tuple[int, str] | None:
        """Return version and document of a source; None where it isn't put."""
        if key in self._latest:
            return self._latest[key]
        return self._base.find(key) if self._base is not None else None

    def follow(self, log: NamespaceLog) -> Followed:
        """Apply the log that was read after `version`; what was applied already is passed over.

        It is torn where the store's version went back, or its digest is another than this one's
        would be: then another replica, with nothing as its base, has to read the whole log.
        """
        if log.version < self.version:
            return Followed(is_torn=True)
        newer = [each for each in log.entries if each.version > self.version]
        puts = [each for each in newer if each.document]
        over = {each.key: known for each in newer if (known := self.find(each.key)) is not None}
        added = sum(entry_digest(each.key, each.version, each.document) for each in puts)
        taken = sum(entry_digest(key, *known) for key, known in over.items())
        digest = (self.digest + added - taken) % DIGEST_MODULUS
        if log.digest not in (None, digest):
            return Followed(is_torn=True)
        for each in newer:
            self._latest[each.key] = (each.version, each.document) if each.document else None
        self.version, self.digest = log.version, digest
        return Followed(puts, [version for version, _ in over.values()])
