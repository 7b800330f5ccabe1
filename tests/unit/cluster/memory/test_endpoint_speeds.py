"""What is known of endpoints outlives the process that has seen it, and counts once."""

from __future__ import annotations

import pytest

from cluster.kernel.errors import StoreUnavailable
from cluster.kernel.ids import AgentId
from cluster.kernel.tail.endpoint_speed import EndpointSpeed
from cluster.memory.endpoint_speeds import StoredSpeeds
from cluster.memory.store.local import LocalStore
from tests.support.clock import ManualClock

ONE, TWO = AgentId("researcher-0"), AgentId("coder-0")


def speed(calls: int, first_s: float) -> EndpointSpeed:
    made = EndpointSpeed()
    for _ in range(calls):
        made.first_s.add(first_s)
        made.answered(1, 0.0)
    return made


@pytest.fixture
def store() -> LocalStore:
    return LocalStore(ManualClock())


def kept(store: LocalStore, own: AgentId) -> StoredSpeeds:
    return StoredSpeeds(store, own, [ONE, TWO])


async def test_the_next_process_knows_what_the_last_one_saw(store: LocalStore) -> None:
    await kept(store, ONE).save({"m": speed(50, 0.5)})

    new = EndpointSpeed()
    await kept(store, ONE).load({"m": new})

    assert new.first_within_s(0.5) == pytest.approx(0.5, rel=0.03)


async def test_the_account_that_rests_on_the_most_calls_counts_and_no_other(
    store: LocalStore,
) -> None:
    await kept(store, ONE).save({"m": speed(50, 0.5)})
    await kept(store, TWO).save({"m": speed(80, 2.0)})

    new = EndpointSpeed()
    await kept(store, ONE).load({"m": new})

    assert new.calls == 80
    assert new.first_within_s(0.01) == pytest.approx(2.0, rel=0.03)


async def test_of_another_endpoint_nothing_is_known(store: LocalStore) -> None:
    await kept(store, ONE).save({"m": speed(50, 0.5)})

    new = EndpointSpeed()
    await kept(store, ONE).load({"n": new})

    assert not new.is_known


async def test_what_is_no_account_is_passed_over(store: LocalStore) -> None:
    await store.put_many({"speed/researcher-0": b'{"m": 3}', "speed/coder-0": b"\xff"})

    new = EndpointSpeed()
    await kept(store, ONE).load({"m": new})

    assert not new.is_known


async def test_a_store_that_is_away_loses_the_account_and_nothing_else(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(store, "put_many", away)
    monkeypatch.setattr(store, "get_many", away)

    await kept(store, ONE).save({"m": speed(1, 0.5)})
    await kept(store, ONE).load({"m": EndpointSpeed()})
