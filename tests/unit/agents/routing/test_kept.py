"""A trained classifier as a file: it is found again, and nothing else is taken for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agents.routing import kept
from agents.routing.classifier import Classifier
from agents.routing.default_router import DefaultRouter
from agents.routing.intents import Intent, default_intents
from cluster.kernel.routing import Effort
from cluster.memory.knowledge.embedder import WordLlamaEmbedder

EXAMPLES = {"greet": ["hello", "good morning", "hi"], "sum": ["1 + 1", "2 plus 2", "add 3 to 4"]}
EMBEDDER = WordLlamaEmbedder()


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.train(EXAMPLES, EMBEDDER.embed_here)


def test_what_was_saved_decides_as_what_was_trained(classifier: Classifier, tmp_path: Path) -> None:
    kept.save(tmp_path / "new", "d" * 64, classifier.to_arrays())
    arrays = kept.load(tmp_path / "new", "d" * 64)

    assert arrays is not None
    again = Classifier.from_arrays(arrays, EMBEDDER.embed_here)
    for text in ("hello there", "5 plus 6", "what is it?"):
        assert again.guess(text).intent == classifier.guess(text).intent
        assert again.guess(text).confidence == pytest.approx(
            classifier.guess(text).confidence, abs=0.01
        )


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_a_file_that_is_none_is_passed_over(data: bytes, tmp_path: Path) -> None:
    (tmp_path / f"{'d' * 32}.npz").write_bytes(data)

    assert kept.load(tmp_path, "d" * 64) is None


def test_a_file_of_another_training_is_passed_over(classifier: Classifier, tmp_path: Path) -> None:
    kept.save(tmp_path, "d" * 64, classifier.to_arrays())

    assert kept.load(tmp_path, "d" * 32 + "e" * 32) is None


def test_a_file_that_would_run_something_is_passed_over(tmp_path: Path) -> None:
    with (tmp_path / f"{'d' * 32}.npz").open("wb") as file:
        np.savez(file, digest=np.array(["d" * 64], dtype=object))

    assert kept.load(tmp_path, "d" * 64) is None


def test_a_folder_that_cannot_be_written_costs_a_training_and_no_more(
    classifier: Classifier, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")

    kept.save(tmp_path / "file", "d" * 64, classifier.to_arrays())


def test_one_training_is_told_from_another_by_all_that_matters() -> None:
    same = kept.digest(EXAMPLES, "m")

    assert same == kept.digest(dict(reversed(EXAMPLES.items())), "m")
    assert same != kept.digest(EXAMPLES, "n")
    assert same != kept.digest(EXAMPLES | {"sum": ["1 + 1", "2 plus 2"]}, "m")


def test_what_ships_is_what_the_default_intents_make() -> None:
    """After a change of theirs: `python -m benchmarks.train_router`."""
    examples = {intent.name: intent.utterances for intent in default_intents()}

    assert kept.shipped(kept.digest(examples, EMBEDDER.name)) is not None


def test_what_was_trained_with_a_users_own_intents_is_kept_for_the_next_start(
    tmp_path: Path,
) -> None:
    def intents() -> list[Intent]:
        return [Intent(name, "", name, Effort.QUICK, said) for name, said in EXAMPLES.items()]

    for _ in range(2):
        router = DefaultRouter(EMBEDDER.embed_here, intents=intents, folder=tmp_path)
        router.warm().result()
        [file] = tmp_path.iterdir()

    assert file.suffix == ".npz"
