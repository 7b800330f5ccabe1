"""What is known of an endpoint's speed: from when on, merged, stored."""

from __future__ import annotations

import json

import pytest

from cluster.kernel.tail.endpoint_speed import KNOWN_MIN, EndpointSpeed


def speed_of(first_s: float, calls: int) -> EndpointSpeed:
    speed = EndpointSpeed()
    for _ in range(calls):
        speed.first_s.add(first_s)
        speed.answered(tokens=101, seconds=2.0)
        speed.reading.read(400, first_s)
        speed.bytes_per_token.add(4.0)
    return speed


def test_a_few_calls_make_nothing_known() -> None:
    assert speed_of(1.0, KNOWN_MIN - 1).first_within_s(0.93) is None
    assert speed_of(1.0, KNOWN_MIN).first_within_s(0.93) == pytest.approx(1.0, rel=0.021)


def test_it_says_how_long_an_answer_usually_takes() -> None:
    assert speed_of(1.0, KNOWN_MIN).expected_s(100) == pytest.approx(3.0, rel=0.021)
    assert EndpointSpeed().expected_s(100) is None


def test_failures_are_a_share_of_the_last_calls() -> None:
    speed = speed_of(1.0, 300)
    assert speed.failure_share == 0

    for _ in range(300):
        speed.failed()

    assert speed.failure_share > 0.8


def test_what_two_have_seen_merges_in_any_order() -> None:
    one, other = speed_of(1.0, 30), speed_of(4.0, 10)
    other.failed()

    merged = one.merged(other)

    assert merged.to_mapping() == other.merged(one).to_mapping()
    assert (merged.first_s.count, merged.calls) == (40, 41)
    assert (merged.bytes_per_token.count, merged.reading.to_list()[0]) == (40, 40.0)


def test_what_was_stored_is_known_at_once() -> None:
    speed = EndpointSpeed()

    speed.absorb(speed_of(4.0, KNOWN_MIN))

    assert speed.first_within_s(0.93) == pytest.approx(4.0, rel=0.021)
    assert speed.calls == KNOWN_MIN


def test_it_comes_back_from_the_store_and_from_less_than_that() -> None:
    stored = json.loads(json.dumps(speed_of(1.0, 30).to_mapping()))

    assert EndpointSpeed.from_mapping(stored).to_mapping() == stored
    without = {"first_s": stored["first_s"], "calls": 30}
    assert EndpointSpeed.from_mapping(without).reading.to_list() == [0.0] * 6
    assert not EndpointSpeed.from_mapping({}).is_known
