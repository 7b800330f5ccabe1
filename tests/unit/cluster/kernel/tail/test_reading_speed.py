"""What is learned of how fast prompts are read: a line through noise, or nothing."""

from __future__ import annotations

import random

import pytest

from cluster.kernel.tail.reading_speed import READ_KNOWN_MIN, ReadingSpeed

SIZES = (200, 400, 800, 1_200, 1_600, 2_000, 2_400, 2_800)


def speed_of(
    tokens_per_s: float, overhead_s: float = 0.5, noise_s: float = 0.0, rounds: int = 1
) -> ReadingSpeed:
    rng = random.Random(7)
    speed = ReadingSpeed()
    for _ in range(rounds):
        for tokens in SIZES:
            noise = rng.expovariate(1 / noise_s) if noise_s else 0.0
            speed.read(tokens, overhead_s + tokens / tokens_per_s + noise)
    return speed


def test_what_can_be_read_in_a_time_follows_from_the_slope_and_the_overhead() -> None:
    speed = speed_of(60.0, overhead_s=0.5)

    assert speed.tokens_within(20.5) == pytest.approx(1_200, abs=1)
    assert speed.tokens_within(60.5) == pytest.approx(3_600, abs=1)


def test_no_time_at_all_reads_nothing() -> None:
    assert speed_of(60.0).tokens_within(0.1) == 0


def test_a_few_calls_make_nothing_known() -> None:
    speed = ReadingSpeed()
    for tokens in SIZES[: READ_KNOWN_MIN - 1]:
        speed.read(tokens, tokens / 60)

    assert speed.tokens_within(1.0) is None


def test_prompts_of_one_length_say_nothing_of_longer_ones() -> None:
    speed = ReadingSpeed()
    for _ in range(20):
        speed.read(500, 2.0)

    assert speed.tokens_within(1.0) is None


@pytest.mark.parametrize("rounds", [1, 4, 20])
def test_a_fast_endpoint_behind_a_slow_network_limits_nothing(rounds: int) -> None:
    speed = speed_of(20_000.0, overhead_s=1.0, noise_s=0.5, rounds=rounds)

    tokens = speed.tokens_within(5.0)

    assert tokens is None or tokens > 10_000


def test_noise_makes_it_rather_too_long_than_too_short() -> None:
    tokens = speed_of(60.0, noise_s=2.0, rounds=8).tokens_within(20.5)

    assert tokens is not None
    assert 1_000 < tokens < 1_400


def test_what_two_have_seen_is_what_one_would_have_in_any_order() -> None:
    one, other = speed_of(60.0), speed_of(70.0, overhead_s=1.0)

    merged = one.merged(other)

    assert merged.to_list() == pytest.approx(other.merged(one).to_list())
    assert ReadingSpeed().merged(one).to_list() == one.to_list()


def test_an_endpoint_that_has_become_slower_is_known_for_it_later() -> None:
    speed = speed_of(200.0, rounds=50)
    for _ in range(150):
        for tokens in SIZES:
            speed.read(tokens, 0.5 + tokens / 50)

    assert speed.tokens_within(20.5) == pytest.approx(1_000, rel=0.2)


def test_what_is_stored_in_another_form_is_not_known() -> None:
    assert ReadingSpeed.from_list(speed_of(60.0).to_list()).tokens_within(20.5) is not None
    assert ReadingSpeed.from_list([1.0, 2.0]).to_list() == ReadingSpeed().to_list()
