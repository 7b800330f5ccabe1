"""What the owner of a task and the subscribers of its topics say to each other.

They cross processes as the values of `cluster.kernel.vocabulary` do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cluster.kernel.ids import StepId


@dataclass(frozen=True, slots=True)
class TopicNews:
    """Wakes whoever subscribes to a topic: something was published that they have not acted on."""

    step: StepId
    """What acting on it is called; whoever has done that answers as before."""
    topic: str
    version: int
    """That of the topic's document with the latest value."""
    known: int = 0
    """So many values stand before those that are new to the subscriber."""
    new: tuple[str, ...] = ()
    """The others, each as JSON: the document may be another one by the time it is read."""
    redo: ClassVar[int] = 0
    """As of an `Assignment`, which it is kept like: it is never done again, and needs no step."""
    missing: ClassVar[tuple[StepId, ...]] = ()


@dataclass(frozen=True, slots=True)
class TopicActedOn:
    """Answers a `TopicNews`; what was made of it is written by then."""

    topic: str
    version: int
