"""Who is woken by a topic, by what it has got since, and what acting on that is called."""

from __future__ import annotations

from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.registration import Registration
from cluster.kernel.state.edits import Entry, Seal, Withdrawal
from cluster.kernel.tasks.topics import (
    SUBSCRIPTIONS_MAX,
    Subscription,
    published_version,
    subscriptions,
)
from cluster.state.editing import Editing
from cluster.state.topic import Topic
from tests.support.boards import BoardLog


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
