"""A knowledge base of a few passages, and a sandbox that runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cluster.kernel.errors import ClusterError
from cluster.kernel.lookup import Lookup
from cluster.kernel.vocabulary import Passage, Run


class FakeKnowledge:
    """Finds all its passages for every question; examples are those of kind ``code``."""

    def __init__(self, *passages: Passage) -> None:
        self.passages = passages
        self.queries: list[str] = []
        self.stale_s = 0.0
        self.version = 7

    async def search(self, collection: str, query: str, limit: int = 5) -> Lookup:
        self.queries.append(query)
        found = self._of(collection, "text")[:limit]
        return Lookup(found, version=self.version, stale_s=self.stale_s, namespace=collection)

    def is_current(self, found: Lookup) -> bool:
        return found.version == self.version and not self.stale_s

    async def examples(self, collection: str, query: str, limit: int = 3) -> Lookup:
        self.queries.append(query)
        found = self._of(collection, "code")[:limit]
        return Lookup(found, version=self.version, namespace=collection)

    def _of(self, collection: str, kind: str) -> tuple[Passage, ...]:
        return tuple(each for each in self.passages if each.kind == kind and collection)


class FakeSandbox:
    """Ends every program as the test says; ``ran`` holds their sources."""

    def __init__(
        self,
        outcome: Callable[[str], Run | ClusterError] = lambda source: Run(0, "42\n", ""),
        *,
        unavailable_because: str = "",
        libraries: Sequence[str] = (),
    ) -> None:
        self._outcome = outcome
        self.unavailable_because = unavailable_because
        self.libraries = libraries
        self.ran: list[str] = []
        self.warmed = 0
        self.is_closed = False

    async def warm(self) -> None:
        self.warmed += 1

    async def run(self, source: str, timeout_s: float) -> Run:
        self.ran.append(source)
        outcome = self._outcome(source)
        if isinstance(outcome, ClusterError):
            raise outcome
        return outcome

    async def close(self) -> None:
        self.is_closed = True
