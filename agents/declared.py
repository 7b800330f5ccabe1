"""What a handler declares that its results depend on: `handles(Assignment, reads=...)`.

Called by `agents.agent`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from cluster.kernel.errors import UsageError
from cluster.kernel.reads import Reads


class ReadSource(Enum):
    """What can be read beside fields of shared state."""

    KNOWLEDGE = "knowledge"
    RESULTS = "results"


knowledge = ReadSource.KNOWLEDGE
"""In ``reads``: the documents that the result cites."""
results = ReadSource.RESULTS
"""In ``reads``: the results of the steps that this one needs. They matter where a step begins
before these have ended, as it does under ``coherence = "broadcast"``."""


@dataclass(frozen=True, slots=True)
class DeclaredReads:
    """Where a change has a step done again; a change of anything else that it read does not."""

    fields: frozenset[tuple[str, str]]
    """Names of classes of shared state, each with that of a field."""
    sources: frozenset[ReadSource]

    @classmethod
    def of(cls, reads: Iterable[object]) -> DeclaredReads:
        """Check what a handler declares.

        Raises:
            UsageError: it is neither a field of shared state nor `knowledge` nor `results`.
        """
        fields, sources = [], []
        for each in reads:
            if isinstance(each, ReadSource):
                sources.append(each)
                continue
            # By their form: whoever shares nothing need not import pydantic.
            state, name = getattr(each, "state", None), getattr(each, "name", None)
            if not (isinstance(state, type) and isinstance(name, str)):
                raise UsageError(
                    f"reads=(..., {each!r}) of @handles names no field of shared state, such as"
                    " Board.facts, nor `knowledge` or `results`"
                )
            fields.append((state.__name__, name))
        return cls(frozenset(fields), frozenset(sources))

    def narrow(self, reads: Reads) -> None:
        """Let only these reads of a turn count."""
        reads.narrow(
            self.fields, knowledge=knowledge in self.sources, results=results in self.sources
        )
