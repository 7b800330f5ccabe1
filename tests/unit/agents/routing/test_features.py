"""A row of features: alike in training and when asked, blind to numbers, bounded in time."""

from __future__ import annotations

import numpy as np

from agents.routing.features import CHARS_MAX, Features, tokens
from tests.unit.agents.routing.letters import embed_letters

UTTERANCES = ["what is a heap", "restart the server", "2 + 2"]


def test_all_numbers_are_one_word() -> None:
    assert tokens("Add 19.99 and 4") == ["add", "0", "and", "0"]


def test_a_sign_of_writing_without_blanks_is_a_word() -> None:
    assert tokens("重启server吗?") == ["重", "启", "server", "吗", "?"]


def test_an_utterance_scores_as_its_row_does() -> None:
    features = Features.of(embed_letters, UTTERANCES)
    rows = features.matrix(UTTERANCES)
    weights = np.random.default_rng(0).normal(size=(rows.shape[1], 3)).astype(np.float32)

    asked = [features.scores(text, weights) for text in UTTERANCES]

    assert np.allclose(np.array(asked), rows @ weights, atol=1e-4)


def test_only_the_beginning_of_a_goal_is_read() -> None:
    features = Features.of(embed_letters, UTTERANCES)
    long = "a" * CHARS_MAX

    assert np.array_equal(features.matrix([long]), features.matrix([long + " and more"]))


def test_an_empty_text_has_a_row_too() -> None:
    features = Features.of(embed_letters, UTTERANCES)

    assert np.isfinite(features.matrix([""])).all()
