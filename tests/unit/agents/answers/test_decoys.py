"""False sentences that a model is to see through."""

from __future__ import annotations

from agents.answers.decoys import DECOYS, decoys
from cluster.kernel.vocabulary import Passage

PASSAGE = Passage(
    "a.md",
    1,
    9,
    "The cache keeps every entry in main memory.\n\n```\nentries = load(everything, from_disk)\n```"
    "\n\nWhatever was requested longest ago is evicted first. Writes are buffered while the disk is"
    " being formatted again.",
)


def test_a_decoy_is_a_sentence_of_a_passage_with_one_word_of_another() -> None:
    made = decoys([PASSAGE])

    assert made == decoys([PASSAGE])
    assert len(made) == DECOYS
    assert all(decoy not in " ".join(PASSAGE.text.split()) for decoy in made)
    assert "Whatever was evicted" not in made
    assert not any("=" in decoy for decoy in made)


def test_there_are_none_where_no_word_can_be_told() -> None:
    chinese = Passage(
        "a.md", 1, 1, "\u7f13\u5b58\u4fdd\u5b58\u4e94\u767e\u4e2a\u6761\u76ee\u3002" * 5
    )

    assert decoys([]) == decoys([chinese]) == []
