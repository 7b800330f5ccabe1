"""Who is woken by a topic, by what it has got since, and what acting on that is called."""

from __future__ import annotations

import pytest

from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.registration import Registration
from cluster.kernel.state.edits import Entry, Seal, Withdrawal
from cluster.kernel.state.values import Value
from cluster.kernel.tasks.topics import (
    SUBSCRIPTIONS_MAX,
    Subscription,
    known_values,
    news_of,
    published_values,
    published_version,
    subscriptions,
)
from cluster.kernel.topic_news import TopicNews
from cluster.state.editing import Editing
from cluster.state.topic import Topic
from tests.support.boards import BoardLog

PRICES = Subscription("prices", "trader")


def registered(agent: str, *topics: str) -> Registration:
    return Registration(AgentId(agent), "", 1, subscribes=topics)


class TopicLog(BoardLog):
    """The log of a topic."""

    def __init__(self) -> None:
        super().__init__(Topic)

    def publish(self, writer: str, value: int) -> None:
        """Add a value."""
        editing = Editing(Topic, self.fields)
        editing.model.values.append(value)
        self.append(writer, editing.finish())


def test_a_role_with_many_replicas_subscribes_once() -> None:
    found = subscriptions([registered("trader-0", "prices"), registered("trader-1", "prices")])
    assert found == [Subscription("prices", "trader")]


def test_an_agent_of_an_older_version_subscribes_to_nothing() -> None:
    assert subscriptions([registered("trader-0")]) == []


def test_a_task_has_so_many_subscriptions_at_most() -> None:
    many = registered("trader-0", *(f"topic {number}" for number in range(100)))
    assert len(subscriptions([many])) == SUBSCRIPTIONS_MAX


def test_what_two_roles_do_with_one_version_are_two_steps() -> None:
    steps = {Subscription("prices", role).step(3) for role in ("trader", "broker")}
    assert steps == {"topic/prices/trader@3", "topic/prices/broker@3"}


def test_a_topic_without_a_value_wakes_nobody() -> None:
    assert published_version(TopicLog().fold) == 0


def test_the_latest_value_counts_and_no_upkeep_of_the_log() -> None:
    log = TopicLog()
    log.publish("a", 1)
    log.publish("b", 2)
    before = published_version(log.fold)
    log.fold.extend([Entry(3, Seal(2))])
    assert before == published_version(log.fold) == 2


def test_a_value_that_was_taken_back_does_not_count() -> None:
    log = TopicLog()
    log.publish("a", 1)
    log.publish("b", 2)
    log.fold.extend([Entry(3, Withdrawal(TaskId("t"), StepId("b"), 2))])
    assert published_version(log.fold) == 1


def test_what_came_since_a_subscriber_has_acted_is_new_to_it() -> None:
    log = TopicLog()
    log.publish("a", 7)
    seen = published_values(log.fold)
    log.publish("b", 7)
    log.publish("b", 9)
    news = news_of(PRICES, 3, published_values(log.fold), seen)
    assert news == TopicNews(StepId("topic/prices/trader@3"), "prices", 3, 1, ("7", "9"))


def test_what_a_step_publishes_when_it_is_done_again_is_new_and_the_rest_is_not() -> None:
    log = TopicLog()
    log.publish("a", 1)
    log.publish("b", 2)
    seen = published_values(log.fold)
    log.fold.extend([Entry(3, Withdrawal(TaskId("t"), StepId("a"), 2))])
    log.publish("b", 3)
    assert published_values(log.fold) == (2, 3)
    assert known_values(seen, (2, 3)) == 1


@pytest.mark.parametrize(
    ("seen", "values", "known"),
    [
        ((), (), 0),
        ((), (1, 2), 0),
        ((1, 2), (1, 2), 2),
        ((1, 2, 3), (1, 3), 2),
        ((1, 2), (2, 1), 1),
        ((1,), (1, 1), 1),
        ((1,), (True,), 0),
        ((1, 2), (3,), 0),
    ],
)
def test_values_are_known_in_the_order_in_which_they_were_seen(
    seen: tuple[Value, ...], values: tuple[Value, ...], known: int
) -> None:
    assert known_values(seen, values) == known


def test_a_topic_in_which_nothing_was_published_has_no_values() -> None:
    assert published_values(TopicLog().fold) == ()
