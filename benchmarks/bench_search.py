"""Search over knowledge: how often the right passage is among the first five, and how fast.

XQuAD's 240 English passages, one file each, learned into a store in memory and asked all of its
1,190 questions with default settings; beside it the same by words alone and by vectors alone.
Without the data (`../shared/data` beside the checkout) nothing is measured, and that is said.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.harness import Figure, Goal, not_run, percentile, sample_figure, wilson_interval
from cluster.kernel.clock import SystemClock
from cluster.memory.cache.delta import DeltaIndex, DeltaPart
from cluster.memory.cache.knowledge_cache import KnowledgeCache
from cluster.memory.cache.puts import Put
from cluster.memory.cache.view import KnowledgeView
from cluster.memory.knowledge.embedder import WordLlamaEmbedder
from cluster.memory.knowledge.learning import learn
from cluster.memory.knowledge.records import Chunk
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.store.local import LocalStore

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
XQUAD = "xquad.en.json"
RECALL_GOAL = Goal(">=", 0.985)
FIRST = 5


@dataclass(frozen=True, slots=True)
class Xquad:
    """The passages, and the questions with the number of the passage that answers each."""

    passages: list[str]
    questions: list[tuple[str, int]]

    @classmethod
    def read(cls, path: Path) -> Xquad:
        """Read a file in SQuAD's format."""
        passages: list[str] = []
        questions: list[tuple[str, int]] = []
        for article in json.loads(path.read_text(encoding="utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                questions += [(each["question"], len(passages)) for each in paragraph["qas"]]
                passages.append(paragraph["context"])
        return cls(passages, questions)


def run(*, is_quick: bool = False, data: Path = DATA) -> list[Figure]:
    """Measure; with ``is_quick`` without words alone and vectors alone."""
    path = data / XQUAD
    if not path.exists():
        return [not_run("search.xquad_recall5", str(RECALL_GOAL), f"there is no {path.name}")]
    xquad = Xquad.read(path)
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(_measure(xquad, Path(folder)))
    return figures if is_quick else [*figures, *asyncio.run(_halves(xquad))]


async def _measure(xquad: Xquad, folder: Path) -> list[Figure]:
    for number, passage in enumerate(xquad.passages):
        (folder / _file(number)).write_text(passage, encoding="utf-8")
    clock = SystemClock()
    namespaces = LocalNamespaces(LocalStore(clock), clock)
    first_s, again_s = [await _learn_s(namespaces, folder) for _ in range(2)]
    hits, latencies_ms = await _ask(namespaces, folder, xquad)
    return [
        _recall("search.xquad_recall5", hits, RECALL_GOAL),
        sample_figure("search.query_ms", "ms", latencies_ms, note="one question, embedded"),
        Figure("search.learn_s", first_s, "s", n=1, note=f"{len(xquad.passages)} files"),
        Figure("search.learn_again_s", again_s, "s", n=1, note="the same files, nothing embedded"),
    ]


def _file(number: int) -> str:
    """Return a file's name without a word that a question could have."""
    return f"p{number}.txt"


async def _learn_s(namespaces: LocalNamespaces, folder: Path) -> float:
    started = time.perf_counter()
    await learn(namespaces, [folder])
    return time.perf_counter() - started


async def _ask(
    namespaces: LocalNamespaces, folder: Path, xquad: Xquad
) -> tuple[list[bool], list[float]]:
    """Ask every question the way an agent does; a hit is a passage of the right file."""
    collection = (await learn(namespaces, [folder])).collection
    knowledge = KnowledgeCache(namespaces)
    await knowledge.search(collection, "load everything")
    hits = []
    latencies_ms = []
    for question, number in xquad.questions:
        started = time.perf_counter()
        found = await knowledge.search(collection, question, FIRST)
        latencies_ms.append((time.perf_counter() - started) * 1000)
        hits.append(any(Path(each.source).name == _file(number) for each in found.passages))
    await knowledge.close()
    return hits, latencies_ms


async def _halves(xquad: Xquad) -> list[Figure]:
    """Ask every question by words alone and by vectors alone, over the whole passages."""
    embedder = WordLlamaEmbedder()
    vectors = await embedder.embed(xquad.passages)
    index = DeltaIndex(embedder.dimensions)
    for number, text in enumerate(xquad.passages):
        chunk = Chunk(number, number, text)
        index.add(Put(number + 1, "", "", "", "", "", [chunk], vectors[number : number + 1]))
    view = KnowledgeView(1, 0, [DeltaPart(index)])
    asked = await embedder.embed([question for question, _ in xquad.questions])
    nothing = np.zeros(embedder.dimensions, dtype=np.float32)
    by_words, by_vectors = [], []
    for (question, number), vector in zip(xquad.questions, asked, strict=True):
        words = view.search(question, nothing, FIRST)
        near = view.nearest(vector, FIRST)
        by_words.append(any(each.start_line == number for each in words))
        by_vectors.append(any(each.start_line == number for each in near))
    return [
        _recall("search.xquad_recall5_words_only", by_words),
        _recall("search.xquad_recall5_vectors_only", by_vectors),
    ]


def _recall(name: str, hits: Sequence[bool], goal: Goal | None = None) -> Figure:
    """Return a share of hits with Wilson's 95 % interval."""
    samples = [float(hit) for hit in hits]
    n, share = len(hits), sum(samples) / len(hits)
    low, high = wilson_interval(share, n)
    return Figure(
        name=name,
        value=share,
        unit="share",
        goal=str(goal) if goal else "",
        n=n,
        median=percentile(samples, 0.5),
        ci95=(low, high),
        parts={"hits": [sum(samples)], "questions": [float(n)]},
        samples=samples,
        note="" if goal is None else ("met" if goal.is_met(low, high) else "NOT met"),
    )
