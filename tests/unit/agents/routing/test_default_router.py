"""The default router never lets a task wait for its training, and then knows easy goals."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agents.routing.default_router import DefaultRouter
from agents.routing.intents import Intent
from cluster.kernel.routing import TEAM, Effort
from cluster.memory.knowledge.embedder import WordLlamaEmbedder
from tests.unit.agents.routing.letters import embed_letters

GREETING = Intent("chat", "A greeting.", "chat", Effort.QUICK, ["hello you", "hello there"] * 4)
REFUND = Intent("refund", "Money back.", "pay_back", Effort.QUICK, ["refund it", "money back"] * 4)
GOALS = {
    "How do I find the three largest numbers of a list? Show a program.": {"code"},
    "How do I find the three largest numbers of a list in Python without sorting all of it? "
    "Show a program that does it.": {"code"},
    "Compare lists with heaps. Show a program.": {"code", "research"},
    "Compare sorting with heaps: what is each good for? Show a program.": {"code", "research"},
    "How do I get the largest numbers of a list?": {"question", "lookup", "code"},
    "How do I get the largest numbers of a list with heapq?": {"question", "lookup", "code"},
    "What is a heap?": {"question", "lookup"},
    "What is a heap, in one sentence?": {"question", "lookup"},
    "How does nlargest work?": {"question", "lookup"},
    "How does binary search work?": {"question", "lookup"},
    "What is the median of a list?": {"question", "lookup"},
    "What is lists good for, and what does it cost?": {"question", "lookup"},
    "What is there to say of the bridge?": {"research"},
    "Write a program that prints the three largest numbers of a list with heapq.nlargest.": {
        "code"
    },
}
"""Of README.md, the Makefile and the examples, with the intents that are no mistake."""


@pytest.fixture(scope="module")
def router() -> DefaultRouter:
    """Trained on what ships."""
    router = DefaultRouter(WordLlamaEmbedder().embed_here)
    router.warm().result()
    return router


@pytest.mark.parametrize(("goal", "fitting"), GOALS.items())
def test_a_goal_of_the_readme_is_not_misrouted(
    router: DefaultRouter, goal: str, fitting: set[str]
) -> None:
    decision = router.decide(goal)

    assert decision.route == TEAM or decision.intent in fitting


@pytest.mark.parametrize(
    ("goal", "route"),
    [
        ("what is 17 % of 2,340?", "arithmetic"),
        ("Thank you very much!", "chat"),
        ("What is the capital of Portugal?", "researcher"),
        ("Why is the sea salty?", "researcher"),
        ("Write a program that sorts a list.", TEAM),
        ("Compare three banks and write a report with sources.", TEAM),
        ("Cancel my order and send me a mail.", TEAM),
        ("qwrtz plmk vvv", TEAM),
        ("", TEAM),
    ],
)
def test_easy_goals_know_their_way(router: DefaultRouter, goal: str, route: str) -> None:
    assert router.decide(goal).route == route


def test_before_it_has_learned_the_team_gets_everything() -> None:
    decision = DefaultRouter(embed_letters).decide("hello")

    assert (decision.intent, decision.route, decision.confidence) == ("", TEAM, 0)


def test_it_warms_up_once() -> None:
    read: list[int] = []

    def intents() -> Sequence[Intent]:
        read.append(1)
        return [GREETING]

    router = DefaultRouter(embed_letters, [REFUND], intents=intents)

    assert router.warm() is router.warm()
    router.warm().result()
    assert len(read) == 1


def test_an_intent_of_the_user_is_learned_beside_the_default_ones() -> None:
    router = DefaultRouter(embed_letters, [REFUND], intents=lambda: [GREETING])
    router.warm().result()

    assert router.decide("refund it").intent == "refund"


def test_a_training_that_fails_leaves_everything_to_the_team() -> None:
    router = DefaultRouter(embed_letters, intents=list)

    assert isinstance(router.warm().exception(), ValueError)
    assert router.decide("hello").route == TEAM
