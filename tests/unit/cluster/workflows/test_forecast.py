"""When steps start and end by what they are said to take, and which of them hold up the end."""

from __future__ import annotations

from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Plan, Step
from cluster.workflows.forecast import Forecast, forecast


def step(name: str, expected_s: float, *needs: str, is_broadcast: bool = False) -> Step:
    return Step(
        StepId(name),
        "coder",
        f"do {name}",
        tuple(map(StepId, needs)),
        is_broadcast=is_broadcast,
        expected_s=expected_s,
    )


DIAMOND = Plan((step("d", 1.0, "b", "c"), step("a", 2.0), step("b", 1.0, "a"), step("c", 4.0, "a")))


def times(made: Forecast) -> dict[str, tuple[float, float]]:
    return {each.step.id: (each.starts_s, each.ends_s) for each in made.steps}


def test_a_step_starts_when_the_last_of_its_needs_has_ended() -> None:
    made = forecast(DIAMOND)

    assert list(times(made).items()) == [
        ("a", (0.0, 2.0)),
        ("b", (2.0, 3.0)),
        ("c", (2.0, 6.0)),
        ("d", (6.0, 7.0)),
    ]
    assert (made.critical_path, made.predicted_s, made.unknown) == (("a", "c", "d"), 7.0, ())


def test_what_was_learned_goes_before_what_is_expected() -> None:
    made = forecast(DIAMOND, {StepId("b"): 9.0})

    assert (made.critical_path, made.predicted_s) == (("a", "b", "d"), 12.0)


def test_a_broadcast_step_starts_at_once_and_ends_when_its_needs_have() -> None:
    made = forecast(Plan((step("a", 5.0), step("b", 1.0, "a", is_broadcast=True))))

    assert times(made)["b"] == (0.0, 5.0)
    assert made.critical_path == ("a", "b")


def test_a_broadcast_step_that_takes_longer_than_its_needs_waits_for_nobody() -> None:
    made = forecast(Plan((step("a", 1.0), step("b", 5.0, "a"))), is_broadcast=True)

    assert times(made)["b"] == (0.0, 5.0)
    assert made.critical_path == ("b",)


def test_without_a_duration_the_times_are_bounds_and_say_so() -> None:
    made = forecast(Plan((step("a", 0.0), step("b", 2.0, "a"), step("c", 1.0))))

    known = {each.step.id: (each.is_start_known, each.is_end_known) for each in made.steps}
    assert known == {"a": (True, False), "b": (False, False), "c": (True, True)}
    assert (made.predicted_s, made.unknown) == (2.0, ("a",))


def test_where_nothing_is_known_the_deepest_chain_is_the_critical_path() -> None:
    chain = Plan((step("z", 0.0), step("a", 0.0), step("b", 0.0, "a"), step("c", 0.0, "b")))

    assert forecast(chain).critical_path == ("a", "b", "c")
