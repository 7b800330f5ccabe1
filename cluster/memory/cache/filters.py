"""Which passages a look-up may find: their kind, and sources or folders they are of."""

from __future__ import annotations

from dataclasses import dataclass

from cluster.memory.knowledge.names import cited_name


@dataclass(frozen=True, slots=True)
class Filter:
    """What a passage must be to be found; all that is given has to hold."""

    kind: str = ""
    """``text`` or ``code``; empty for any."""
    sources: frozenset[str] = frozenset()
    """As citations call them; empty for any."""
    folder: str = ""
    """What the path of the source lies in: absolute; empty for any."""

    def has(self, source: str, path: str) -> bool:
        """Say whether a source may be found, by its name and path as the store has them."""
        if self.sources and cited_name(source, path) not in self.sources:
            return False
        return not self.folder or path.startswith(f"{self.folder.rstrip('/')}/")

    @property
    def is_of_sources(self) -> bool:
        """Whether it asks for more than a kind."""
        return bool(self.sources or self.folder)


EVERYTHING = Filter()
