"""When a segment is built, and when what is dead is left out."""

from __future__ import annotations

from cluster.memory.cache.care import (
    FORGOTTEN_S,
    REST_S,
    SEGMENT_PASSAGES_MIN,
    WASTE_MIN,
    Care,
    Searched,
)


def care(searched: Searched, now: float = 0.0) -> Care:
    return searched.care(now)


def test_what_is_little_needs_no_segment() -> None:
    assert care(Searched(delta_passages=SEGMENT_PASSAGES_MIN - 1)) is Care.NOTHING
    assert care(Searched(delta_passages=SEGMENT_PASSAGES_MIN)) is Care.BUILD


def test_without_a_folder_nothing_is_built() -> None:
    large = Searched(delta_passages=SEGMENT_PASSAGES_MIN, can_build=False)

    assert care(large) is Care.NOTHING


def test_a_large_one_is_built_anew_for_a_share_of_it() -> None:
    large = 1_000_000

    assert care(Searched(large, SEGMENT_PASSAGES_MIN)) is Care.NOTHING
    assert care(Searched(large, large // 20)) is Care.BUILD


def test_what_has_come_waits_for_a_rest_and_what_has_died_does_not() -> None:
    come = Searched(delta_passages=SEGMENT_PASSAGES_MIN, built_at=100.0)
    died = Searched(SEGMENT_PASSAGES_MIN, built_at=100.0, died_at=101.0)

    assert [care(come, 100.0 + after) for after in (1.0, REST_S)] == [Care.NOTHING, Care.BUILD]
    assert [care(died, 101.0 + after) for after in (1.0, FORGOTTEN_S)] == [Care.NOTHING, Care.BUILD]


def test_a_build_that_fails_is_tried_again_after_a_rest() -> None:
    failing = Searched(SEGMENT_PASSAGES_MIN, built_at=100.0, died_at=0.0, is_failing=True)

    assert [care(failing, 100.0 + after) for after in (FORGOTTEN_S, REST_S)] == [
        Care.NOTHING,
        Care.BUILD,
    ]


def test_a_newer_segment_is_taken_before_another_is_built() -> None:
    assert care(Searched(delta_passages=SEGMENT_PASSAGES_MIN, has_newer=True)) is Care.TAKE


def test_what_is_mostly_dead_is_tidied() -> None:
    assert care(Searched(delta_passages=10, dead_passages=WASTE_MIN)) is Care.NOTHING
    assert care(Searched(delta_passages=10, dead_passages=WASTE_MIN + 1)) is Care.TIDY
    assert care(Searched(delta_passages=3_000, dead_passages=2_000)) is Care.NOTHING
