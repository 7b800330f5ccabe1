"""What may be published, and under which names."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from cluster.kernel.errors import Overloaded, UsageError
from cluster.state.topic import (
    TOPIC_VALUES_MAX,
    VALUE_BYTES_MAX,
    check_room,
    published,
)


class Price(BaseModel):
    amount: float
    currency: str


def test_a_model_is_published_as_a_plain_value() -> None:
    assert published(Price(amount=2.5, currency="EUR")) == {"amount": 2.5, "currency": "EUR"}


def test_a_value_that_is_changed_afterwards_is_published_as_it_was() -> None:
    prices = [1]
    kept = published(prices)
    prices.append(2)
    assert kept == [1]


@pytest.mark.parametrize("value", [object(), float("nan"), {1: 2}, "x" * VALUE_BYTES_MAX])
def test_what_can_t_be_published_is_refused(value: object) -> None:
    with pytest.raises(UsageError):
        published(value)


def test_a_topic_that_is_full_takes_no_more() -> None:
    check_room("prices", TOPIC_VALUES_MAX - 1)
    with pytest.raises(Overloaded, match="topic prices has 1000 values"):
        check_room("prices", TOPIC_VALUES_MAX)
