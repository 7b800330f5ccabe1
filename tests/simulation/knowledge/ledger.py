"""The books of a run: what each namespace has been, and whether look-ups show that.

Judged here, as it happens: K1 (what was acknowledged is there), K2 (nothing that was removed, or
never was, comes back), K3 (a host doesn't go back in time), K4 (who wrote it reads it), K5 (where
nothing but the feed fails, what was written is found in time).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cluster.kernel.lookup import Lookup
from cluster.memory.namespaces.port import SourceChange, SourceEntry
from tests.simulation.knowledge.library import by_id, sources

GRACE_S = 4.0
"""So long after a store went back, a host that isn't stale may still show what was lost there."""

Found = frozenset[tuple[str, str, int]]
"""Source, document, and line of each passage."""


@dataclass(slots=True)
class Epoch:
    """A namespace from a beginning of the store, or its going back, to the next."""

    began_at: float
    entries: list[SourceEntry] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def version(self) -> int:
        """How far it came."""
        return self.entries[-1].version if self.entries else 0

    def state(self, version: int) -> dict[str, SourceEntry]:
        """Return the latest entry of each source at a version, removals too."""
        return {each.key: each for each in self.entries if each.version <= version}

    def shows(self, version: int, found: Found) -> bool:
        """Say whether a look-up at a version may find just that.

        What was removed or changed since may be missing already, and what was put since be there:
        a host that is behind shows what it has read.
        """
        if version > self.version:
            return False
        then, last = self.state(version), self.state(self.version)
        least = [each for key, each in then.items() if last[key] is each]
        later = [each for each in self.entries if each.version > version]
        documents = {(source, document) for source, document, _ in found}
        is_one_each = len(documents) == len({source for source, _ in documents})
        return is_one_each and passages(least) <= found <= passages([*then.values(), *later])

    def version_at(self, time: float) -> int:
        """Return how far it had come at a time."""
        came = sum(at <= time for at in self.times)
        return self.entries[came - 1].version if came else 0


def passages(entries: Iterable[SourceEntry]) -> Found:
    """Return the passages of some entries."""
    paths = _paths()
    return frozenset(
        (paths[each.key], each.document, line)
        for each in entries
        if each.document
        for line in range(1, by_id()[each.document].passages + 1)
    )


def _paths() -> dict[str, str]:
    return {each.key: each.path for each in sources()}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reader had to read at least: a version of a namespace, in an epoch of it."""

    name: str
    version: int = 0
    epoch: int = 0


@dataclass(slots=True)
class _Shown:
    """What a host process has shown of a namespace."""

    versions: list[tuple[float, int]] = field(default_factory=list)
    """Each with the time when it was shown."""
    returns: int = 0
    """How often it went back to an older version."""

    def version_at(self, time: float) -> int:
        """Return what was shown last at a time."""
        return next((shown for at, shown in reversed(self.versions) if at <= time), 0)


class KnowledgeLedger:
    """What the world knows of its knowledge."""

    def __init__(self, names: Sequence[str]) -> None:
        self.violations: list[str] = []
        self.tallies: Counter[str] = Counter()
        self.histories = {name: [Epoch(0.0)] for name in names}
        self.written: dict[str, list[Asked]] = {name: [Asked(name)] for name in names}
        """Acknowledged writes."""
        self.visible_s: float | None = None
        """Within what a write is to be found everywhere; None where the store may fail."""
        self._shown: dict[tuple[object, str], _Shown] = {}

    def violate(self, oracle: str, what: str) -> None:
        """Note that an oracle was violated."""
        self.violations.append(f"{oracle}: {what}")

    # ---- the store -------------------------------------------------------------------------

    def on_written(
        self, name: str, changes: Sequence[SourceChange], new: Sequence[SourceEntry], now: float
    ) -> None:
        """Take what the store has appended for some changes."""
        epoch = self.histories[name][-1]
        bases = {change.key: change for change in changes}
        for entry in new:
            before = epoch.state(epoch.version).get(entry.key)
            change = bases[entry.key]
            if before is not None and before.version > change.base:
                self.violate("K2", f"{name}@{entry.version} overwrote what its writer never saw")
            epoch.entries.append(entry)
            epoch.times.append(now)
        self.tallies["writes"] += len(new)

    def on_return(self, name: str, version: int, now: float) -> None:
        """Take that the store has gone back to an older version, maybe the same."""
        epoch = self.histories[name][-1]
        kept = sum(each.version <= version for each in epoch.entries)
        self.histories[name].append(Epoch(now, epoch.entries[:kept], epoch.times[:kept]))

    def on_acknowledged(
        self, name: str, key: str, document: str, version: int, since: float
    ) -> None:
        """K1: what the store acknowledges is there, or was until it went back."""
        epochs = self.histories[name]
        for number in reversed(range(len(epochs))):
            entry = epochs[number].state(version).get(key)
            has_document = entry.document if entry is not None else ""
            if has_document == document and version <= epochs[number].version:
                self.written[name].append(Asked(name, version, number))
                self.tallies["acknowledged"] += 1
                return
            if epochs[number].began_at < since:
                break
        self.violate("K1", f"{name}@{version} was acknowledged and is not there")

    # ---- look-ups --------------------------------------------------------------------------

    def on_lookup(
        self, host: object, asked: Asked, lookup: Lookup, started: float, now: float
    ) -> None:
        """Judge what a host has found of everything."""
        name, version = asked.name, lookup.version
        self.tallies[f"look-ups {lookup.tier}"] += 1
        found = frozenset((p.source, p.document, p.start_line) for p in lookup.passages)
        epochs = self.histories[name]
        matching = [at for at, each in enumerate(epochs) if each.shows(version, found)]
        if not matching:
            self.violate("K2", f"{host} shows at {name}@{version} what there never was: {found}")
            return
        at = matching[-1]
        newest_at = epochs[-1].began_at
        is_excused = lookup.stale_s > 0 or now - newest_at < GRACE_S
        if version < asked.version or (at < asked.epoch and not is_excused):
            self.violate("K4", f"{host} shows {name}@{version} and was asked for {asked}")
        if at < len(epochs) - 1 and not is_excused:
            self.violate("K2", f"{host} shows {name}@{version}, which the store has lost")
        self._go_on(host, name, version, started, now)
        self._in_time(host, name, lookup, started)

    def _go_on(self, host: object, name: str, version: int, started: float, now: float) -> None:
        shown = self._shown.setdefault((host, name), _Shown())
        before = shown.version_at(started)
        # One that went on at the same time may have gone back already.
        if version < min(before, shown.versions[-1][1] if shown.versions else 0):
            shown.returns += 1
            if shown.returns >= len(self.histories[name]):
                self.violate("K3", f"{host} went back from {name}@{before} to {version}")
        shown.versions.append((now, version))

    def _in_time(self, host: object, name: str, lookup: Lookup, started: float) -> None:
        if self.visible_s is None:
            return
        due = self.histories[name][-1].version_at(started - self.visible_s)
        if lookup.version < due:
            self.violate("K5", f"{host} shows {name}@{lookup.version} long after version {due}")
        if lookup.stale_s:
            self.violate("K5", f"{host} says it is stale, and the store has never failed")
