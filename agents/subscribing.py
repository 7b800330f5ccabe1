"""Agents that act on what others publish: which method is woken by which topic.

Read by `agents.agent`. A method ``@subscribes("prices")`` is called after a value was published to
that topic within a task: soon, once for all values that came meanwhile, and again where more came.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from cluster.kernel.errors import UsageError
from cluster.kernel.state.names import checked_topic
from cluster.kernel.topic_news import TopicActedOn, TopicNews
from cluster.kernel.turn import Turn

SubscriberT = TypeVar("SubscriberT")
_MARK = "__fleetmind_subscribes__"


@dataclass(frozen=True, slots=True)
class TopicView:
    """A topic as a subscriber finds it."""

    name: str
    values: tuple[Any, ...]
    """All that was published to it up to this version, in the order that everybody sees."""
    version: int
    """Which wake-up this is; each has a later one than that before it."""
    new: tuple[Any, ...] = ()
    """Those values, the last ones, that came since the subscriber last acted on the topic.

    A wake-up that is tried again has the same ones. They come once more where it failed for good,
    and where another Manager has taken over the task.
    """


_Act = Callable[[SubscriberT, TopicView, Turn], Coroutine[Any, Any, None]]


def subscribes(topic: str) -> Callable[[_Act[SubscriberT]], _Act[SubscriberT]]:
    """Mark a method ``async def m(self, topic, turn)`` as the one that a topic wakes.

    What it has to say it writes with ``turn.state`` or publishes; what it returns goes nowhere.

    Raises:
        UsageError: the method has another form, or the topic no name that one can publish to.
    """
    if not topic or not isinstance(topic, str):
        raise UsageError('@subscribes needs the name of a topic, as in @subscribes("prices")')
    checked_topic(topic)

    def mark(method: _Act[SubscriberT]) -> _Act[SubscriberT]:
        if not _takes_a_topic(method):
            raise UsageError(
                f'{method.__qualname__} is marked with @subscribes("{topic}"), so it has to be '
                "`async def` and take (self, topic, turn)"
            )
        setattr(method, _MARK, topic)
        return method

    return mark


def _takes_a_topic(method: Callable[..., object]) -> bool:
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if not inspect.iscoroutinefunction(method):
        return False
    parameters = inspect.signature(method).parameters.values()
    return [parameter.kind in positional for parameter in parameters] == [True] * 3


def subscribing_methods(owner: type) -> Mapping[str, str]:
    """Return the topics that wake a class's own methods, and these.

    Raises:
        UsageError: two methods subscribe to the same topic.
    """
    found: dict[str, str] = {}
    for name, method in vars(owner).items():
        topic = getattr(method, _MARK, None)
        if topic is not None and found.setdefault(topic, name) != name:
            raise UsageError(
                f'{owner.__name__} has two methods for topic "{topic}": {found[topic]} and {name}'
            )
    return found


async def woken(
    method: Callable[[TopicView, Turn], Coroutine[Any, Any, None]], news: TopicNews, turn: Turn
) -> TopicActedOn:
    """Let a method act on a topic as it was when it was woken."""
    from cluster.state.topic import Topic  # an agent that shares nothing can do without pydantic

    topic = await turn.open(Topic, key=news.topic)
    new = tuple([json.loads(each) for each in news.new])
    values = (*topic.values[: news.known], *new)  # it may have got more meanwhile
    await method(TopicView(news.topic, values, news.version, new), turn)
    return TopicActedOn(news.topic, news.version)
