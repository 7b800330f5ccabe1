"""What a Redis server says of itself, and what follows for who relies on it.

Not among the unit tests: the module imports the client.
"""

from __future__ import annotations

import pytest

from cluster.memory.store.redis_server import warning_of, why_unfit


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"role": "master", "maxmemory": 0, "maxmemory_policy": "allkeys-lru"},
        {"role": "master", "maxmemory": 1_000, "maxmemory_policy": "noeviction"},
    ],
)
def test_a_server_that_keeps_everything_is_fit(told: dict[str, object]) -> None:
    assert (why_unfit(told), warning_of(told)) == ("", "")


def test_a_server_that_evicts_is_warned_of_with_what_to_set() -> None:
    told = {"maxmemory": 1_000, "maxmemory_policy": "volatile-lru"}

    assert "(maxmemory-policy volatile-lru)" in warning_of(told)
    assert warning_of(told).endswith("set it to noeviction")


def test_a_replica_is_unfit_and_its_primary_is_named() -> None:
    told = {"role": "slave", "master_host": "10.0.0.1"}

    assert why_unfit(told) == "is a replica of 10.0.0.1: name that one as the store"
