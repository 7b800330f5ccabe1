"""The default intents are complete, and each of their utterances means one thing."""

from __future__ import annotations

import re
from collections import Counter

from agents.routing.intents import FILLINGS, default_intents, filled
from cluster.kernel.routing import TEAM


def test_the_default_intents_have_their_routes() -> None:
    assert {intent.name: intent.route for intent in default_intents()} == {
        "lookup": "researcher",
        "question": "researcher",
        "code": TEAM,
        "research": TEAM,
        "chat": "chat",
        "arithmetic": "arithmetic",
        "command": TEAM,
    }


def test_each_intent_has_a_definition_and_many_utterances() -> None:
    for intent in default_intents():
        assert intent.definition.endswith(".")
        assert len(set(intent.utterances)) >= 60


def test_no_utterance_has_two_intents() -> None:
    said = Counter(
        text for intent in default_intents() for text in {t.lower() for t in intent.utterances}
    )

    assert [text for text, count in said.items() if count > 1] == []


def test_no_slot_is_left_empty() -> None:
    said = [text for intent in default_intents() for text in intent.utterances]

    assert [text for text in said if re.search(r"\{\w+\}", text)] == []


def test_a_frame_is_said_with_one_word_after_the_other() -> None:
    found = filled(["open {thing}", "stop"], {"thing": ["it", "that", "all"]})

    assert found == ["open it", "open that", "open all", "open it", "stop"]
    assert len(found) == FILLINGS + 1
