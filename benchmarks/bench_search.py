"""Search over knowledge: how often the right passage is among the first five, and how fast.

XQuAD's 240 English passages, one file each, learned into a store in memory and asked all of its
1,190 questions with default settings; beside it the same by words alone and by vectors alone. Then
both ways and both together on manuals in six languages.
Without the data (`../shared/data` beside the checkout) nothing is measured, and that is said.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.harness import Figure, Goal, not_run, percentile, sample_figure, wilson_interval
from benchmarks.manual_corpora import LANGUAGES, manual
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


class _Hits(NamedTuple):
    """Of each question, whether its passage was found."""

    hybrid: list[bool]
    words: list[bool]
    vectors: list[bool]


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
    if is_quick:
        return figures
    return [*figures, *asyncio.run(_halves(xquad)), *asyncio.run(_manuals())]


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
    _, by_words, by_vectors = await _three_ways(xquad.passages, xquad.questions)
    return [
        _recall("search.xquad_recall5_words_only", by_words),
        _recall("search.xquad_recall5_vectors_only", by_vectors),
    ]


async def _three_ways(passages: list[str], questions: Sequence[tuple[str, int]]) -> _Hits:
    """Ask every question by words and vectors together, by words and by vectors alone."""
    embedder = WordLlamaEmbedder()
    vectors = await embedder.embed(passages)
    index = DeltaIndex(embedder.dimensions)
    for number, text in enumerate(passages):
        chunk = Chunk(number, number, text)
        index.add(Put(number + 1, "", "", "", "", "", [chunk], vectors[number : number + 1]))
    view = KnowledgeView(1, 0, [DeltaPart(index)])
    asked = await embedder.embed([question for question, _ in questions])
    nothing = np.zeros(embedder.dimensions, dtype=np.float32)
    hits = _Hits([], [], [])
    for (question, number), vector in zip(questions, asked, strict=True):
        found = (
            view.search(question, vector, FIRST),
            view.search(question, nothing, FIRST),
            view.nearest(vector, FIRST),
        )
        for ways, passages_found in zip(hits, found, strict=True):
            ways.append(any(each.start_line == number for each in passages_found))
    return hits


async def _manuals() -> list[Figure]:
    """Ask manuals in several languages, which say nothing of what they should be asked."""
    figures = []
    for language in LANGUAGES:
        try:
            read = manual(language)
        except (OSError, subprocess.SubprocessError) as error:
            figures.append(not_run(f"search.manual_{language}", "", f"no manual: {error}"))
            continue
        rest = [section.rest for section in read.sections]
        whole = [f"{section.first} {section.rest}" for section in read.sections]
        headings = [(each.heading, number) for number, each in enumerate(read.sections)]
        sentences = [(each.first, number) for number, each in enumerate(read.sections)]
        figures += [
            *_against_halves(
                f"search.manual_{language}.headings", await _three_ways(whole, headings)
            ),
            *_against_halves(
                f"search.manual_{language}.sentences", await _three_ways(rest, sentences)
            ),
        ]
    return figures


def _against_halves(name: str, hits: _Hits) -> list[Figure]:
    """Return the three recalls, and by how much both together are worse than the better one."""
    recalls = [
        _recall(f"{name}.{way}", each) for way, each in zip(_Hits._fields, hits, strict=True)
    ]
    asked = len(hits.hybrid)
    worse = (max(sum(hits.words), sum(hits.vectors)) - sum(hits.hybrid)) / asked
    goal = Goal("<=", 0.01)
    verdict = goal.verdict(worse, worse)
    return [
        *recalls,
        Figure(f"{name}.worse_by", worse, "share", goal=str(goal), n=asked, note=verdict),
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
