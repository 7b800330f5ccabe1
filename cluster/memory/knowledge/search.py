"""Hybrid search over passages: the words they share with a question, and what both are about.

Used by `cluster.memory.knowledge.stored`. Everything here computes and blocks; who calls it decides
where that may happen.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cluster.kernel.vocabulary import Passage
from cluster.memory.knowledge.bm25 import Lexicon
from cluster.memory.knowledge.vectors import Vectors, cosines

CANDIDATES = 100
"""Passages whose words are counted; those beyond share too little with the question."""
VECTOR_WEIGHT = 0.2
"""Weight of a cosine beside the share of the question's words (benchmark search.xquad_recall5).

Where passages are much alike, vectors of averaged words tell them apart badly and words do well:
on COVID-QA in 3,190 chunks, recall@5 is 0.751 by words, 0.465 by vectors, and 0.729 where both
have equal weight. With this weight it is 0.750 there, and 0.993 on XQuAD (0.988 by words).
"""
_SEPARATORS = re.compile(r"[/._-]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """A passage and what it may be found by besides its text."""

    passage: Passage
    context: str = ""


class HybridIndex:
    """Passages that can be searched by words and by vectors together.

    Args:
        entries: n passages.
        vectors: float32[n, dimensions], unit L2 norm, in the passages' order.
    """

    def __init__(self, entries: Sequence[Entry], vectors: Vectors) -> None:
        self._passages = [entry.passage for entry in entries]
        self._vectors = vectors
        self._lexicon = Lexicon(_searchable(entry) for entry in entries)

    def __len__(self) -> int:
        """Return the number of passages."""
        return len(self._passages)

    def search(self, question: str, vector: NDArray[np.float32], limit: int) -> list[Passage]:
        """Return the best passages, best first, with their scores; fewer where none is related.

        Args:
            question: any text; none of it is query syntax.
            vector: float32[dimensions], unit L2 norm; where it is all zeros only words count.
            limit: how many at most.
        """
        limit = min(limit, len(self._passages))
        if limit < 1:
            return []
        scores = VECTOR_WEIGHT * cosines(self._vectors, vector)
        positions, shares = self._lexicon.best(question, max(CANDIDATES, limit))
        scores[positions] += shares
        best = np.argpartition(-scores, limit - 1)[:limit]
        best = best[np.lexsort((best, -scores[best]))]
        return [
            replace(self._passages[position], score=float(scores[position]))
            for position in best.tolist()
            if scores[position] > 0
        ]


def _searchable(entry: Entry) -> str:
    """Return the words a passage is found by: its own, those above it, its file's name."""
    passage = entry.passage
    name = _SEPARATORS.sub(" ", passage.source)
    return html.unescape(f"{name}\n{passage.title}\n{entry.context}\n{passage.text}")
