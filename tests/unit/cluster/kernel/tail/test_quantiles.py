"""Sketches of quantiles: how exact, how large, how they merge, and that old values fade."""

from __future__ import annotations

import json
import random

import pytest

from cluster.kernel.tail.quantiles import QuantileSketch, RecentQuantiles


def sketch_of(*values: float) -> QuantileSketch:
    sketch = QuantileSketch()
    for value in values:
        sketch.add(value)
    return sketch


@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.93, 0.99, 0.999])
def test_a_quantile_is_known_within_two_percent(share: float) -> None:
    rng = random.Random(7)
    values = [rng.lognormvariate(-2.0, 1.5) for _ in range(20_000)]

    found = sketch_of(*values).quantile(share)

    exact = sorted(values)[int(share * (len(values) - 1))]
    assert abs(found - exact) <= 0.0201 * exact


def test_the_number_of_buckets_has_a_bound() -> None:
    rng = random.Random(7)

    sketch = sketch_of(0.0, -1.0, 1e99, *(10 ** rng.uniform(-9, 12) for _ in range(50_000)))

    assert sketch.buckets <= 577


def test_merging_counts_what_both_have_seen_in_any_order() -> None:
    one, other = sketch_of(1.0, 2.0, 3.0), sketch_of(2.0, 40.0)

    merged = one.merged(other)

    assert merged.to_mapping() == other.merged(one).to_mapping()
    assert merged.count == 5
    assert merged.quantile(1.0) == pytest.approx(40.0, rel=0.021)
    assert one.count == 3


def test_it_comes_back_from_the_store_as_it_was() -> None:
    sketch = sketch_of(0.1, 0.2, 30.0)

    stored = json.loads(json.dumps(sketch.to_mapping()))

    assert QuantileSketch.from_mapping(stored).to_mapping() == sketch.to_mapping()


def test_nothing_is_known_of_what_was_never_measured() -> None:
    with pytest.raises(ValueError, match="never measured"):
        QuantileSketch().quantile(0.5)


def test_old_values_fade_after_two_windows() -> None:
    recent = RecentQuantiles(window=100)
    for value in [10.0] * 100 + [1.0] * 201:
        recent.add(value)

    assert recent.quantile(1.0) == pytest.approx(1.0, rel=0.021)
    assert recent.count <= 200


def test_what_was_stored_counts_until_a_window_of_newer_values_has_come() -> None:
    recent = RecentQuantiles.from_mapping(sketch_of(*[5.0] * 50).to_mapping())
    assert recent.quantile(0.5) == pytest.approx(5.0, rel=0.021)

    for _ in range(1_001):
        recent.add(1.0)

    assert recent.quantile(1.0) == pytest.approx(1.0, rel=0.021)
