"""A classifier goes by its examples, is sure where it may be, and gives doubts to the team."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agents.routing.classifier import Classifier, Validation
from agents.routing.intents import Intent
from cluster.kernel.routing import TEAM, Effort
from tests.unit.agents.routing.letters import embed_letters

EXAMPLES = {
    "greeting": [f"hello dear {name}" for name in ("Tom", "Ann", "Kim", "Lee", "Bob", "Eve")],
    "refund": [f"refund my {thing}" for thing in ("shoes", "ticket", "book", "hat", "car", "bag")],
}
REFUND = Intent("refund", "Money back.", "pay_back", Effort.QUICK, EXAMPLES["refund"])


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """Knows two intents, of which one has a route."""
    trained = Classifier.train(EXAMPLES, embed_letters).routed([REFUND])
    return replace(trained, confidence_min=0.6)


def test_an_utterance_like_the_examples_goes_to_its_function(classifier: Classifier) -> None:
    decision = classifier.decide("please refund my coat")

    assert (decision.intent, decision.route, decision.effort) == (
        "refund",
        "pay_back",
        Effort.QUICK,
    )
    assert 0.6 <= decision.confidence <= 1
    assert decision.seconds > 0


def test_a_doubt_is_the_teams(classifier: Classifier) -> None:
    decision = replace(classifier, confidence_min=1.1).decide("refund my coat")

    assert (decision.intent, decision.route, decision.effort) == ("refund", TEAM, Effort.DEEP)


def test_an_intent_without_a_route_is_the_teams(classifier: Classifier) -> None:
    decision = classifier.decide("hello dear Jim")

    assert (decision.intent, decision.route) == ("greeting", TEAM)


@pytest.mark.parametrize("text", ["", " ", "?", "\x00", "😀" * 10_000, "word " * 50_000])
def test_any_text_gets_a_decision(classifier: Classifier, text: str) -> None:
    assert 0 <= classifier.decide(text).confidence <= 1


def test_the_same_examples_make_the_same_classifier(classifier: Classifier) -> None:
    again = Classifier.train(EXAMPLES, embed_letters)

    assert np.array_equal(again.weights, classifier.weights)
    assert again.calibration == classifier.calibration


def test_what_is_outside_of_all_intents_makes_it_less_sure() -> None:
    outside = ["refund the moon", "hello world program", "my dear shoes", "hello my book"] * 3
    sure = Classifier.train(EXAMPLES, embed_letters, validation=Validation(EXAMPLES))
    unsure = Classifier.train(EXAMPLES, embed_letters, validation=Validation(EXAMPLES, outside))

    assert unsure.guess("refund my hat").confidence < sure.guess("refund my hat").confidence


@pytest.mark.parametrize("examples", [{}, {"one": ["a", "b"]}, {"one": ["a"], "two": ["b", "c"]}])
def test_too_few_examples_are_refused(examples: dict[str, list[str]]) -> None:
    with pytest.raises(ValueError, match="two intents"):
        Classifier.train(examples, embed_letters)
