"""What a task may take: which values are none, and that a sentence says so."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from cluster.kernel.errors import UsageError
from cluster.settings.bounds import (
    TOKENS_MAX,
    check_cost,
    check_deadline,
    check_port,
    check_replicas,
    check_share,
    check_tokens,
)

Check = Callable[[object, str], None]


@pytest.mark.parametrize(
    ("check", "value"),
    [(check_tokens, 1), (check_cost, 0.001), (check_cost, 3), (check_deadline, 0.5)],
)
def test_a_bound_above_zero_is_taken(check: Check, value: object) -> None:
    check(value, "--flag")


@pytest.mark.parametrize("check", [check_tokens, check_cost, check_deadline])
@pytest.mark.parametrize("value", [0, -1, True, math.nan, math.inf, "3", None])
def test_what_bounds_nothing_is_refused_with_its_origin(check: Check, value: object) -> None:
    with pytest.raises(UsageError, match=r"^--flag: .* above 0$"):
        check(value, "--flag")


def test_more_tokens_than_a_message_can_say_are_refused() -> None:
    check_tokens(TOKENS_MAX, "--flag")

    with pytest.raises(UsageError, match=r"^--flag: 9007199254740993 is too many"):
        check_tokens(TOKENS_MAX + 1, "--flag")


@pytest.mark.parametrize("value", ["-0.1", "1.1", "all"])
def test_a_share_is_from_zero_to_one(value: str) -> None:
    with pytest.raises(UsageError, match="no share from 0 to 1"):
        check_share(value, "OTEL")


@pytest.mark.parametrize(("check", "value"), [(check_port, 65_535), (check_replicas, 1)])
def test_a_port_and_a_number_of_replicas_are_taken(check: Check, value: object) -> None:
    check(value, "--flag")


@pytest.mark.parametrize("check", [check_port, check_replicas])
@pytest.mark.parametrize("value", [0, -1, True, "8000", 1.5, 1 << 16])
def test_what_is_no_port_or_number_of_replicas_is_refused(check: Check, value: object) -> None:
    with pytest.raises(UsageError, match="--flag"):
        check(value, "--flag")
