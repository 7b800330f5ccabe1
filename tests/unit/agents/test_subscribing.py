"""A method that subscribes to a topic is woken by its news, and sees all that was published."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TypeVar

import pytest

from agents import Agent, TopicView, Turn, subscribes
from agents.agent import Parts
from cluster.kernel.errors import UsageError
from cluster.kernel.ids import StepId
from cluster.kernel.topic_news import TopicActedOn, TopicNews
from tests.support.fake_tools import FakeKnowledge, FakeSandbox
from tests.support.recording_turn import RecordingTurn
from tests.support.scripted_model import ScriptedModel

State = TypeVar("State")


class Trader(Agent):
    """Looks at prices."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.seen: list[TopicView] = []

    @subscribes("prices")
    async def look(self, topic: TopicView, turn: Turn) -> None:
        """Remember what it has seen."""
        self.seen.append(topic)


class TopicTurn(RecordingTurn):
    """Has one topic open."""

    async def open(self, of: type[State], *, key: str = "", scope: str | None = None) -> State:
        assert key == "prices"
        return SimpleNamespace(values=[1, {"gold": 2}, 3])  # type: ignore[return-value]


PARTS = Parts(ScriptedModel({}), FakeKnowledge(), FakeSandbox())
NEWS = TopicNews(StepId("topic/prices/trader@7"), "prices", 7, 1, ('{"gold":2}',))


async def test_a_subscriber_sees_what_was_published_up_to_its_wake_up_and_what_is_new() -> None:
    trader = Trader(PARTS)
    said = await trader.handle(NEWS, TopicTurn("trader-0"))
    assert trader.seen == [TopicView("prices", (1, {"gold": 2}), 7, ({"gold": 2},))]
    assert said == TopicActedOn("prices", 7)


async def test_news_of_another_topic_is_refused() -> None:
    other = TopicNews(StepId("topic/weather/trader@1"), "weather", 1)
    with pytest.raises(UsageError, match="was sent TopicNews"):
        await Trader(PARTS).handle(other, TopicTurn("trader-0"))


def test_an_agent_says_which_topics_wake_it_and_its_bases() -> None:
    class Careful(Trader):
        @subscribes("rules")
        async def read(self, topic: TopicView, turn: Turn) -> None:
            """Read rules."""

    assert Trader.subscribes() == ("prices",)
    assert Careful.subscribes() == ("prices", "rules")


def test_two_methods_for_one_topic_are_refused() -> None:
    with pytest.raises(UsageError, match='Twice has two methods for topic "prices": a and b'):

        class Twice(Agent):
            @subscribes("prices")
            async def a(self, topic: TopicView, turn: Turn) -> None:
                """One."""

            @subscribes("prices")
            async def b(self, topic: TopicView, turn: Turn) -> None:
                """Another."""


def test_a_method_of_another_form_is_refused() -> None:
    async def look(self: object, topic: TopicView) -> None:
        """Has no turn."""

    with pytest.raises(UsageError, match=r"has to be `async def` and take \(self, topic, turn\)"):
        subscribes("prices")(look)  # type: ignore[arg-type]


def test_a_topic_without_a_name_is_refused() -> None:
    with pytest.raises(UsageError, match="needs the name of a topic"):
        subscribes("")


def test_a_topic_that_nobody_can_publish_to_is_refused_when_the_class_is_written() -> None:
    with pytest.raises(UsageError, match="a topic has no / and no control characters: 'a/b'"):
        subscribes("a/b")
