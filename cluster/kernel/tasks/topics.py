"""Who is woken by what was published, and what that is called. Pure.

`cluster.runtime.tasks.topics` follows the topics of a task, and does what is said here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cluster.kernel.ids import StepId
from cluster.kernel.registration import Registration
from cluster.kernel.state.attempts import Fate
from cluster.kernel.state.edits import Edit
from cluster.kernel.state.folding import Fold

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
