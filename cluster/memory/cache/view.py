"""A namespace as it is at a version, searched by words and by vectors together.

Published by `cluster.memory.cache.shelf` whenever something has changed, and never changed itself:
who has one may search it in any thread. Everything here computes and blocks; who calls it decides
where that may happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cluster.kernel.vocabulary import Passage
from cluster.memory.cache.bm25 import WantedWords, WordPart
from cluster.memory.cache.filters import EVERYTHING, Filter
from cluster.memory.cache.rows import Allowed, Origin
from cluster.memory.cache.words import LINKING, tokens_of
from cluster.memory.knowledge.names import cited_name
from cluster.memory.knowledge.vectors import Rows, Scores, Vector

QUESTION_CHARS_MAX = 4_000
CANDIDATES = 100
"""Passages of each half that are compared exactly; those beyond are too far from the question."""
VECTOR_WEIGHT = 0.2
"""Weight of a cosine beside the share of the question's words (benchmark search.xquad_recall5).

Where passages are much alike, vectors of averaged words tell them apart badly and words do well:
on COVID-QA in 3,190 chunks, recall@5 is 0.751 by words, 0.465 by vectors, and 0.729 where both
have equal weight. With this weight it is 0.750 there, and 0.993 on XQuAD (0.988 by words).
"""


class IndexPart(Protocol):
    """Passages that are searched together."""

    @property
    def words(self) -> WordPart:
        """Their words."""
        ...

    def allowed(self, where: Filter) -> Allowed:
        """Return the rows that may be found: alive, and what the filter asks for."""
        ...

    def near(self, vector: Vector, count: int, allowed: Allowed) -> Rows:
        """Return allowed rows that are near a vector, ``count`` of them or more if there are."""
        ...

    def cosines(self, rows: Rows, vector: Vector) -> Scores:
        """Return the exact cosines of some rows and a vector: float32[rows]."""
        ...

    def origin(self, row: int) -> Origin:
        """Return what a passage is of."""
        ...

    def passage(self, row: int, source: str, document: str, score: float) -> Passage:
        """Return a passage as it is cited."""
        ...

    def has_later(self, origin: Origin) -> bool:
        """Say whether a later source that is alive has the same name."""
        ...


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class KnowledgeView:
    """Parts of a namespace, together all that it has at a version."""

    version: int
    digest: int
    parts: Sequence[IndexPart]

    @property
    def passages(self) -> int:
        """How many are searched, dead ones included."""
        return sum(len(part.words.norms) for part in self.parts)

    def search(
        self, question: str, vector: Vector, limit: int, where: Filter = EVERYTHING
    ) -> list[Passage]:
        """Return the best passages, best first, with their scores; fewer where none is related.

        Args:
            question: any text; none of it is query syntax.
            vector: float32[dimensions], unit L2 norm; where it is all zeros only words count.
            limit: how many at most.
            where: what they must be.
        """
        asked = tokens_of(question[:QUESTION_CHARS_MAX])
        wanted = WantedWords.of(asked, [part.words for part in self.parts], LINKING)
        count = max(CANDIDATES, limit)
        is_embedded = bool(vector.any())
        hits = []
        for number, part in enumerate(self.parts):
            allowed = part.allowed(where)
            scores = wanted.scores(number, len(allowed.mask)) * allowed.mask
            rows, scores = _top(*_positive(scores), count)
            scores = scores + wanted.pair_scores(part.words, rows)
            if is_embedded:
                near = part.near(vector, count, allowed)
                rows, scores = _joined(rows, scores, near, len(allowed.mask))
                scores = scores + np.float32(VECTOR_WEIGHT) * part.cosines(rows, vector)
            hits.append((part, rows, scores))
        return self._best(hits, limit)

    def nearest(self, vector: Vector, limit: int, where: Filter = EVERYTHING) -> list[Passage]:
        """Return the passages of the largest cosines with a vector, the largest first.

        Args:
            vector: float32[dimensions], unit L2 norm.
            limit: how many at most.
            where: what they must be.
        """
        hits = []
        for part in self.parts:
            rows = part.near(vector, limit, part.allowed(where))
            hits.append((part, rows, part.cosines(rows, vector)))
        return self._best(hits, limit)

    def _best(self, hits: Sequence[tuple[IndexPart, Rows, Scores]], limit: int) -> list[Passage]:
        best = []
        for part, rows, scores in hits:
            rows, scores = _top(rows, scores, limit)  # noqa: PLW2901 - the best of them
            pairs = zip(scores.tolist(), rows.tolist(), strict=True)
            best += [(score, part, row) for score, row in pairs if score > 0]
        if len(hits) > 1:
            best.sort(key=lambda hit: -hit[0])
        return [self._passage(part, row, score) for score, part, row in best[:limit]]

    def _passage(self, part: IndexPart, row: int, score: float) -> Passage:
        """Cite a passage: of several sources of one name, the latest has it."""
        origin = part.origin(row)
        name = origin.source
        for each in self.parts:
            if each.has_later(origin):
                name = origin.path
        source = cited_name(name, origin.path)
        return part.passage(row, source, origin.document, score)


def _positive(scores: Scores) -> tuple[Rows, Scores]:
    rows = np.flatnonzero(scores)
    return rows, scores[rows]


def _joined(rows: Rows, scores: Scores, more: Rows, count: int) -> tuple[Rows, Scores]:
    """Add rows that have none of the words, of so many rows that there are."""
    is_there = np.zeros(count, dtype=np.bool_)
    is_there[rows] = True
    more = more[~is_there[more]]
    return np.concatenate((rows, more)), np.concatenate((scores, np.zeros(len(more), np.float32)))


def _top(rows: Rows, scores: Scores, count: int) -> tuple[Rows, Scores]:
    """Return the rows of the best scores, best first; of equal ones the earlier."""
    if len(rows) > count:
        some = np.argpartition(-scores, count - 1)[:count]
        rows, scores = rows[some], scores[some]
    order = np.lexsort((rows, -scores))
    return rows[order], scores[order]
