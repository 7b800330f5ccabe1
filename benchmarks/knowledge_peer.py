"""What the cache of knowledge is compared with: exact search, and bare hnswlib.

Used by `benchmarks.bench_knowledge`.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import percentile
from benchmarks.knowledge_corpus import passages
from cluster.memory.knowledge.embedder import WordLlamaEmbedder
from cluster.memory.knowledge.vectors import Vectors

ASKED = 1_000
K = 8

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts with their vectors: those that are stored, and others that are asked for."""

    texts: Sequence[str]
    vectors: Vectors
    questions: Sequence[str]
    asked: Vectors

    @classmethod
    async def of(cls, count: int) -> Corpus:
        """Read and embed it: 60 s for 100,000."""
        embedder = WordLlamaEmbedder()
        texts = passages(count + ASKED)
        questions = [text.split(". ")[0][:300] for text in texts[count:]]
        return cls(
            texts[:count],
            await embedder.embed(texts[:count]),
            questions,
            await embedder.embed(questions),
        )


def exact(corpus: Corpus) -> list[Ids]:
    """Return the nearest texts of each question, by comparing all."""
    rows = []
    for vector in corpus.asked:
        cosines = corpus.vectors @ vector
        rows.append(np.argpartition(-cosines, K)[:K])
    return rows


def recall_of(found: Sequence[Ids], truth: Sequence[Ids]) -> float:
    """Return the share of the nearest that were found."""
    hits = [len(np.intersect1d(one, two)) for one, two in zip(found, truth, strict=True)]
    return sum(hits) / (K * len(truth))


class Hnswlib:
    """Bare hnswlib over the same vectors, with the smallest `ef` of at least a recall."""

    EFS = (16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256, 320, 400)
    LINKS = (16, 32)

    def __init__(self, corpus: Corpus, truth: Sequence[Ids], recall: float, links: int) -> None:
        library: Any = importlib.import_module("hnswlib")
        self.links = links
        self._index = library.Index("ip", corpus.vectors.shape[1])
        self._index.init_index(len(corpus.vectors), M=links, ef_construction=200, random_seed=1)
        self._index.add_items(corpus.vectors, num_threads=1)
        self._index.set_num_threads(1)
        for ef in self.EFS:
            self.ef = ef
            self._index.set_ef(ef)
            self.recall = recall_of([self.ask(each) for each in corpus.asked], truth)
            if self.recall >= recall:
                break
        self.median_us = percentile([sync_us(self.ask, each) for each in corpus.asked], 0.5)

    @classmethod
    def quickest(cls, corpus: Corpus, truth: Sequence[Ids], recall: float) -> Self:
        """Return the quickest graph of those that reach a recall, or else come nearest."""
        graphs = [cls(corpus, truth, recall, links) for links in cls.LINKS]
        return min(graphs, key=lambda each: (max(0.0, recall - each.recall), each.median_us))

    def ask(self, vector: Any) -> Ids:
        """Return the nearest."""
        labels, _ = self._index.knn_query(vector[None, :], k=K)
        ids: Ids = labels[0].astype(np.int64)
        return ids


def sync_us(ask: Callable[..., Any], *arguments: Any) -> float:
    """Return the microseconds that a call takes."""
    started = time.perf_counter()
    ask(*arguments)
    return (time.perf_counter() - started) * 1e6
