"""What befalls agents that get ready for steps, and the table of what never did."""

from __future__ import annotations

import random
import re

import pytest

from cluster.kernel.events import Answered, StepFinished
from tests.simulation.coverage import kind_of, table
from tests.simulation.faults import KEPT_SEEDS, Faults
from tests.simulation.preparing import RATES, faults_of
from tests.simulation.run import HORIZON_S, LIVENESS, SCALED, isolated, judged, simulate
from tests.simulation.world import World

CALL = re.compile(r"call \d+")
"""Says which call of a model has made a text: how many there were before depends on the moment."""
LEASE_S = 1.5


def others(seed: int = 1, *, is_gentle: bool = False) -> Faults:
    made = Faults(random.Random(seed), horizon_s=6.0, lease_s=LEASE_S)
    made.is_gentle = is_gentle
    return made


def test_nothing_befalls_getting_ready_in_the_seeds_that_once_failed() -> None:
    made = [faults_of(seed, others=others(), lease_s=LEASE_S) for seed in KEPT_SEEDS]

    assert all(each.rates == {} for each in made)
    assert not any(each.happens(kind) for each in made for kind in RATES)


def test_every_fault_befalls_getting_ready_in_some_seeds() -> None:
    made = [faults_of(seed, others=others(), lease_s=LEASE_S) for seed in range(1000, 1040)]

    assert {kind for each in made for kind in each.rates} == set(RATES)


def test_what_befalls_getting_ready_is_counted_with_all_other_faults() -> None:
    world = others()
    made = faults_of(1000, others=world, lease_s=LEASE_S)
    made.count("prepare lost")

    assert world.counts["prepare lost"] == 1


def test_agents_of_a_seed_get_ready_for_steps() -> None:
    seeds = [seed for seed in range(1000, 1010) if simulate(seed).tallies["prepare: taken"]]

    assert seeds, "no turn of ten seeds has found what was prepared for it"


def results(seed: int, *, prepares: bool) -> dict[str, str]:
    """Return what answered tasks were made of, where nothing goes wrong but getting ready."""
    world = World(seed, horizon_s=HORIZON_S, prepares=prepares)
    world.faults.rates = {}
    with isolated(world, SCALED):
        assert judged(world, seed, LIVENESS).violations == []
    found = {}
    for view in world.ledger.views:
        events = world.ledger.journals.get(view.task, [])
        ends = {each.step: each.detail for each in events if isinstance(each.detail, StepFinished)}
        if view.is_ended and isinstance(events[-1].detail, Answered):
            made = sorted((step, end.outcome, str(end.value)) for step, end in ends.items())
            found[view.goal] = CALL.sub("a call", str(made))
    return found


def is_gentle(seed: int) -> bool:
    """Say whether only models and tools fail in the run of a seed."""
    rng = random.Random(f"faults {seed}")
    return Faults(rng, horizon_s=HORIZON_S, lease_s=LEASE_S).is_gentle


def test_getting_ready_changes_no_result() -> None:
    compared = 0
    for seed in filter(is_gentle, range(1000, 1100)):
        without = results(seed, prepares=False)
        for goal, made in results(seed, prepares=True).items():
            compared += goal in without
            assert made == without.get(goal, made)

    assert compared >= 5


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("crash before append", "crash before append"),
        ("crash after the answer to leases", "crash at another call"),
        ("crash", "crash"),
        ("delay", "delay"),
    ],
)
def test_crashes_are_told_apart_where_something_is_committed(fault: str, kind: str) -> None:
    assert kind_of(fault) == kind


def test_the_table_says_what_never_came_in_a_state() -> None:
    lines = list(table({"delay | sealed": 3, "delay | whole": 1}, {"delay": 4}))

    assert lines[1].split() == ["delay", "0", "3", "0", "0", "0", "1", "0"]
    assert lines[-1].startswith("  never: delay | unwritten; delay | running;")
