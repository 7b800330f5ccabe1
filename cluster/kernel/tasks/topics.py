"""Who is woken by what was published, and what that is called. Pure.

`cluster.runtime.tasks.topics` follows the topics of a task, and does what is said here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cluster.kernel.ids import StepId
from cluster.kernel.registration import Registration
from cluster.kernel.state.attempts import Fate
from cluster.kernel.state.edits import Edit
from cluster.kernel.state.folding import Fold
from cluster.kernel.state.values import Value, canonical_text, is_same
from cluster.kernel.topic_news import TopicNews

SUBSCRIPTIONS_MAX = 64
"""Of a task: for each a document is followed."""
WAKES_MAX = 100
"""So often a subscriber is woken in one task: two that answer each other would go on for ever."""
VALUES = "values"
"""The field of a topic's document."""


@dataclass(frozen=True, slots=True, order=True)
class Subscription:
    """A role that is woken by a topic."""

    topic: str
    role: str

    def step(self, version: int) -> StepId:
        """Return what acting on a version of the topic is called: whoever is told again knows."""
        return StepId(f"topic/{self.topic}/{self.role}@{version}")


def subscriptions(registered: Iterable[Registration]) -> list[Subscription]:
    """Return who is to be woken by which topics; no more than a task may have."""
    found = {Subscription(topic, each.role) for each in registered for topic in each.subscribes}
    return sorted(found)[:SUBSCRIPTIONS_MAX]


def published_version(fold: Fold) -> int:
    """Return the version with which a topic got its latest value; 0 where it has none.

    Other entries make no difference: nobody is woken by the upkeep of a log.
    """
    logged = [
        each.entry.version
        for each in fold.history
        if each.fate is Fate.COUNTS
        and isinstance(each.entry.body, Edit)
        and VALUES in each.entry.body.fields
    ]
    sealed = [by.version for (field, _), by in fold.snapshot.writers.items() if field == VALUES]
    return max([*logged, *sealed], default=0)


def published_values(fold: Fold) -> tuple[Value, ...]:
    """Return what was published to a topic and still counts."""
    values = fold.fields.get(VALUES)
    return tuple(values) if isinstance(values, list) else ()


def news_of(
    subscription: Subscription, version: int, values: Sequence[Value], seen: Sequence[Value]
) -> TopicNews:
    """Return what a subscriber is woken with.

    Args:
        subscription: who is woken, and by what.
        version: with which the topic got its latest value.
        values: all there are at that version.
        seen: those that there were when the subscriber last acted on the topic.
    """
    known = known_values(seen, values)
    new = tuple([canonical_text(each) for each in values[known:]])
    return TopicNews(subscription.step(version), subscription.topic, version, known, new)


def known_values(seen: Sequence[Value], values: Sequence[Value]) -> int:
    """Return how many of a topic's values were there before; those behind them are new.

    Values only come at the end, but the values of a step that is done again go from anywhere.
    """
    left = iter(seen)
    for known, value in enumerate(values):
        if not any(is_same(value, each) for each in left):  # looks on from where it has found one
            return known
    return len(values)
