"""What the calls of a step have used is added up."""

from __future__ import annotations

from cluster.kernel.events import Hedged, Spent
from cluster.kernel.tasks.spending import in_all, spent_too
from cluster.kernel.usage import Usage


def test_calls_of_models_and_tools_are_added_up_apart() -> None:
    calls = [
        Spent("model", 1.5, 10, 20, 3, saved_tokens=4, saved_s=0.5, cost=0.25, hedges=1),
        Spent("tool", 0.25),
        Spent("model", 2.0, 1, 2),
    ]
    usage = Usage()
    for call in calls:
        usage = spent_too(usage, call)

    assert usage == Usage(
        2, 11, 22, 3, 4, seconds=3.5, tool_s=0.25, saved_s=0.5, cost=0.25, hedges=1
    )


def test_what_several_have_used_is_added_up() -> None:
    usages = [Usage(1, 2, 3, 4, 5, 6.0, 7.0, 8.0, 9.0, 10)] * 2

    assert in_all(usages) == Usage(2, 4, 6, 8, 10, 12.0, 14.0, 16.0, 18.0, 20)
    assert in_all([]) == Usage()


def test_a_step_that_is_done_twice_counts_and_a_call_is_among_what_it_has_used() -> None:
    usage = spent_too(Usage(hedges=1), Hedged("researcher", 1.5))

    assert usage == Usage(hedges=2)
    assert spent_too(usage, Hedged("model", 1.5)) == usage
