"""A plan as a file: short where a step says little, and read again to the same plan."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Plan, Step
from cluster.workflows.reading import read_workflow
from cluster.workflows.writing import to_toml

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text == text.strip()
)
SECONDS = st.floats(min_value=1e-6, max_value=1e6)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Plans of up to four steps, each of which needs some of those before it."""
    steps: list[Step] = []
    for number in range(draw(st.integers(1, 4))):
        needs = draw(st.lists(st.sampled_from(steps), unique=True)) if steps else []
        expected_s, spare_s = draw(st.one_of(st.just(0.0), SECONDS)), draw(SECONDS)
        steps.append(
            Step(
                StepId(f"s.{number}"),
                draw(st.sampled_from(["researcher", "coder"])),
                draw(TEXTS),
                tuple(step.id for step in needs),
                tuple(draw(st.sampled_from([[], ["critic"], ["critic", "own_2"]]))),
                is_pure=draw(st.booleans()),
                is_broadcast=draw(st.booleans()),
                allowed_s=draw(st.sampled_from([0.0, expected_s + spare_s])),
                expected_s=expected_s,
            )
        )
    return Plan(tuple(steps))


@given(plans(), st.one_of(st.just(""), TEXTS))
def test_what_is_written_is_read_as_the_same(plan: Plan, goal: str) -> None:
    path = Path("written.toml")
    path.write_text(to_toml(plan, goal), encoding="utf-8", newline="")

    assert read_workflow(path, {}) == (plan, goal)


def test_a_step_of_a_model_is_written_as_people_would() -> None:
    first = Step(StepId("r1"), "researcher", "Look at {it}.")
    second = Step(StepId("c1"), "coder", 'Write\na "program".', (StepId("r1"),))

    assert to_toml(Plan((first, second)), "why?").splitlines() == [
        'goal = "why?"',
        "",
        "[[steps]]",
        'id = "r1"',
        'agent = "researcher"',
        'instruction = "Look at {{it}}."',
        "",
        "[[steps]]",
        'id = "c1"',
        'agent = "coder"',
        'instruction = """',
        "Write",
        'a \\"program\\"."""',
        'needs = ["r1"]',
    ]
