"""The embedder's promises on the fake, and that the real one loads nothing before it must."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from cluster.memory.knowledge.embedder import WordLlamaEmbedder
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


def test_a_text_alone_has_the_vector_it_has_among_others() -> None:
    embedder = WordLlamaEmbedder()
    texts = ["What is a heap?", "", "重启服务器"]

    together = embedder.embed_here(texts)

    assert np.allclose(together, np.concatenate([embedder.embed_here([each]) for each in texts]))
