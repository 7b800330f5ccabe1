"""The ports of the agents' tools: what they need of a knowledge base and of a sandbox.

The knowledge base is `cluster.memory.cache.knowledge_cache` (handed in by the factory's caller),
the sandbox `agents.tools.sandbox.bubblewrap`; unit tests pass small fakes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cluster.kernel.lookup import Lookup
from cluster.kernel.vocabulary import Run


class Knowledge(Protocol):
    """Search over one collection of passages."""

    async def search(self, collection: str, query: str, limit: int = 5) -> Lookup:
        """Return the best passages, best first; none for an empty collection id.

        Raises:
            StoreUnavailable: the collection could not be loaded.
        """
        ...

    def is_current(self, found: Lookup) -> bool:
        """Say, without waiting, whether a look-up of a while ago would find the same now."""
        ...

    async def examples(self, collection: str, query: str, limit: int = 3) -> Lookup:
        """Return runnable Python examples of the collection (``kind`` is ``code``), best first."""
        ...


class Sandbox(Protocol):
    """Runs untrusted programs."""

    @property
    def unavailable_because(self) -> str:
        """Why nothing can be run here and how to change it; empty where programs can run.

        To find that out may block.
        """
        ...

    @property
    def libraries(self) -> Sequence[str]:
        """Libraries that programs can import beside the standard one, as a model is told them."""
        ...

    async def warm(self) -> None:
        """Get ready for the next program, so that it has less to wait for; raises nothing."""
        ...

    async def run(self, source: str, timeout_s: float) -> Run:
        """Run one Python program and return how it ended; limits and time-outs end it as a Run.

        Raises:
            ClusterError: the sandbox itself could not be started.
        """
        ...

    async def close(self) -> None:
        """Kill what still runs."""
        ...
