"""A topic: a document to which agents only add, and whose subscribers are woken by it.

Written by `cluster.runtime.sharing.publishing`, read by `agents.subscribing`.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, JsonValue

from cluster.kernel.errors import Overloaded, UsageError
from cluster.kernel.state.values import Value, canonical, checked, copied
from cluster.state import merge
from cluster.state.shared_state import SharedState

TOPIC_VALUES_MAX: Final = 1_000
"""Of a topic within a task: each subscriber is shown all of them."""
VALUE_BYTES_MAX: Final = 64 * 1024


class Topic(SharedState):
    """All that was published, in the order that everybody sees."""

    values: Annotated[list[JsonValue], merge.append]


def published(value: object) -> Value:
    """Return a value as it is published: a plain one, that nobody else changes.

    Raises:
        UsageError: it is no plain value and no pydantic model, or too large.
    """
    plain = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    kept = copied(checked(plain))
    size = len(canonical(kept))
    if size > VALUE_BYTES_MAX:
        raise UsageError(
            f"a published value has at most {VALUE_BYTES_MAX} bytes, and this one {size}"
        )
    return kept


def check_room(topic: str, values: int) -> None:
    """Raise Overloaded where a topic has as many values as it may."""
    if values >= TOPIC_VALUES_MAX:
        raise Overloaded(
            f"topic {topic} has {TOPIC_VALUES_MAX} values, and takes no more in this task"
        )
