"""The embedder's promises on the fake, and that the real one loads nothing before it must."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conformance.embedder_contract import PROMISES, Promise
from tests.support.hashing_embedder import HashingEmbedder


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
async def test_the_fake_keeps_the_promise_that(promise: Promise) -> None:
    await promise(HashingEmbedder())


def test_making_the_real_embedder_imports_neither_its_model_nor_numpy() -> None:
    heavy = ("numpy", "tokenizers", "wordllama", "faiss")
    program = (
        "import sys\n"
        "from cluster.memory.knowledge.learning import learn\n"
        "from cluster.memory.cache.knowledge_cache import KnowledgeCache\n"
        "from cluster.memory.knowledge.embedder import WordLlamaEmbedder\n"
        "WordLlamaEmbedder()\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )

    assert done.stdout.strip() == "[]"
