"""Figures: ratios round by round, intervals, and goals that are met by the whole of one."""

from __future__ import annotations

import pytest

from benchmarks.harness import (
    MET,
    MISSED,
    NOT_RUN,
    SAMPLES_MAX,
    Goal,
    bootstrap_interval,
    not_run,
    percentile,
    ratio_figure,
    sample_figure,
    summary,
    thinned,
)

KEYS = {
    *("name", "value", "unit", "goal", "n", "median", "p99", "ci95", "parts", "samples"),
    *("peer", "peer_version", "note"),
}


@pytest.mark.parametrize(
    ("goal", "interval", "expected"),
    [
        (Goal(">=", 15), (15, 20), MET),
        (Goal(">=", 15), (14.9, 20), MISSED),
        (Goal("<=", 1.25), (1.0, 1.25), MET),
        (Goal("<=", 1.25), (1.0, 1.26), MISSED),
    ],
)
def test_a_goal_is_met_when_the_whole_interval_is(
    goal: Goal, interval: tuple[float, float], expected: str
) -> None:
    assert goal.verdict(*interval) == expected


def test_a_ratio_is_the_median_over_the_rounds_and_keeps_its_parts() -> None:
    figure = ratio_figure("a.b", Goal(">=", 2), [30.0, 80.0, 50.0], [10.0, 20.0, 10.0], peer="them")

    assert figure.value == 4.0
    assert figure.parts == {"ours": [30.0, 80.0, 50.0], "theirs": [10.0, 20.0, 10.0]}
    assert figure.verdict == MET
    assert set(figure.to_json()) == KEYS


def test_rounds_of_unequal_number_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratio_figure("a.b", None, [1.0, 2.0], [1.0], peer="them")


def test_the_interval_of_the_median_holds_it_and_narrows_with_more_values() -> None:
    few = bootstrap_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    many = bootstrap_interval([1.0, 2.0, 3.0, 4.0, 5.0] * 20)

    assert few[0] <= 3.0 <= few[1]
    assert many[1] - many[0] < few[1] - few[0]


def test_samples_beyond_the_limit_are_thinned_evenly() -> None:
    kept = thinned([float(number) for number in range(3 * SAMPLES_MAX)])

    assert kept == [3.0 * number for number in range(SAMPLES_MAX)]


def test_a_percentile_is_one_of_the_samples() -> None:
    samples = [float(number) for number in range(100, 0, -1)]

    assert [percentile(samples, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 51, 100, 100]


def test_the_summary_counts_goals_and_names_those_that_were_not_met() -> None:
    figures = [
        sample_figure("good", "ms", [1.0, 1.0], Goal("<=", 2), note="quick"),
        sample_figure("bad", "ms", [3.0, 3.0], Goal("<=", 2), note="slow"),
        sample_figure("mere", "ms", [3.0, 3.0]),
        not_run("absent", ">= 1", "make bench-peers"),
    ]

    assert [figure.verdict for figure in figures] == [MET, MISSED, "", NOT_RUN]
    assert summary(figures) == "goals: 1 met, 1 NOT met (bad), 1 not run (absent)"
    assert figures[-1].note == "not run: make bench-peers"
    assert figures[-1].value is None
