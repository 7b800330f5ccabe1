"""Knowledge with its real embedder: what the demo's pages answer, and what is loaded for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cluster.kernel.vocabulary import Passage
from cluster.memory.cache.knowledge_cache import KnowledgeCache
from cluster.memory.knowledge.embedder import WordLlamaEmbedder
from cluster.memory.knowledge.learning import learn
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.store.local import LocalStore
from tests.conformance.embedder_contract import PROMISES, Promise
from tests.support.clock import ManualClock

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "examples" / "knowledge"


@pytest.fixture
async def pages() -> AsyncIterator[tuple[KnowledgeCache, str]]:
    """The demo's pages, learned, and the version of their namespace."""
    namespaces = LocalNamespaces(LocalStore(ManualClock()), ManualClock())
    learned = await learn(namespaces, [PAGES])
    knowledge = KnowledgeCache(namespaces)
    yield knowledge, learned.collection
    await knowledge.close()


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_wordllama_keeps_the_promise_that(promise: Promise) -> None:
    await promise(WordLlamaEmbedder())


def test_the_vectors_are_those_of_wordllama_itself() -> None:
    # In a process of its own: the module configures the root logger when it is imported.
    program = """
import asyncio, pathlib, numpy, wordllama
from cluster.memory.knowledge.embedder import WordLlamaEmbedder

texts = ["", "how does a heap", "Gr\\u00fc\\u00dfe \\U0001f600", "a <s> b", "\\n\\ty " * 3000]
package = pathlib.Path(wordllama.__file__).parent
theirs = wordllama.WordLlama.load(cache_dir=package, disable_download=True).embed(texts)
norms = numpy.linalg.norm(theirs, axis=1, keepdims=True)
theirs = theirs / numpy.where(norms == 0, 1, norms)
ours = asyncio.run(WordLlamaEmbedder().embed(texts))
print(ours.shape, float(abs(ours - theirs).max()) < 1e-6)
"""

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=90, check=True
    )

    assert done.stdout.strip() == "(5, 256) True"


async def test_embedding_does_not_import_wordllama(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wordllama.wordllama", None)

    vectors = await WordLlamaEmbedder().embed(["load"])

    assert vectors.any()


@pytest.mark.parametrize(
    ("question", "page"),
    [
        ("How do I find the three largest numbers without sorting everything?", "heaps.md"),
        ("Is sorting in Python stable?", "sorting.md"),
        ("How can I detect an accidental change of my data?", "checksums.py"),
        ("Which words occur most often in a text?", "counting.html"),
        ("What is the 95th percentile of some values?", "averages.rst"),
        ("How many comparisons does binary search need?", "searching.txt"),
    ],
)
async def test_a_question_finds_its_page(
    pages: tuple[KnowledgeCache, str], question: str, page: str
) -> None:
    knowledge, collection = pages

    best, *_ = (await knowledge.search(collection, question)).passages

    assert Path(best.source).name == page
    assert_verbatim(best)


async def test_a_task_finds_a_program_that_does_it(pages: tuple[KnowledgeCache, str]) -> None:
    knowledge, collection = pages

    found = await knowledge.examples(collection, "print the three largest of some numbers")
    best, *_ = found.passages

    assert (best.start_line, best.end_line) == (14, 18)
    assert output_of(best.text) == "three largest: [99, 88, 71]\n"


def output_of(program: str) -> str:
    command = [sys.executable, "-I", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout


def assert_verbatim(passage: Passage) -> None:
    """Every run of a passage stands in the lines of its file."""
    lines = (PAGES / Path(passage.source).name).read_text(encoding="utf-8").split("\n")
    text = "\n".join(lines[passage.start_line - 1 : passage.end_line])
    assert all(run in text for run in passage.runs if run.strip())


def test_a_second_run_loads_neither_the_model_nor_numpy() -> None:
    program = f"""
import asyncio, sys
from cluster.memory.knowledge.embedder import WordLlamaEmbedder
from cluster.memory.knowledge.learning import learn
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.store.local import LocalStore
from tests.support.clock import ManualClock

async def main():
    namespaces = LocalNamespaces(LocalStore(ManualClock()), ManualClock())
    await learn(namespaces, [{str(PAGES)!r}])
    for name in [name for name in sys.modules if name.partition(".")[0] in HEAVY]:
        sys.modules[name] = None
    learned = await learn(
        namespaces, [{str(PAGES)!r}], name="another", embedder=WordLlamaEmbedder()
    )
    print(learned.embedded, learned.reused)

HEAVY = ("numpy", "tokenizers", "wordllama", "faiss")
asyncio.run(main())
"""

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )

    assert (done.stdout.strip(), done.stderr) == ("0 6", "")
