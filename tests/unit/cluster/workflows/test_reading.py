"""A workflow file: what it may say, and what a wrong one is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.kernel.errors import UsageError
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Plan, Step
from cluster.workflows.reading import read_workflow

WHOLE = """
goal = "Compare {topic} and {other}."

[inputs.topic]
description = "what to compare"

[inputs.other]
default = "lists"

[[steps]]
id = "look"
agent = "librarian"
instruction = \"\"\"
What is {topic}?
Not {other}.
\"\"\"
alternatives = ["researcher"]
deadline_s = 20
pure = true
expected_s = 1.5

[[steps]]
id = "write"
agent = "coder"
instruction = "Print {{topic}}."
needs = ["look"]
coherence = "broadcast"
"""
STEP = '[[steps]]\nid = "a"\nagent = "coder"\ninstruction = "do it"\n'


def read(text: str, **given: str) -> tuple[Plan, str]:
    path = Path("f.toml")
    path.write_text(text, encoding="utf-8")
    return read_workflow(path, given)


def test_all_that_a_file_may_say_is_in_the_plan() -> None:
    look = Step(
        StepId("look"),
        "librarian",
        "What is heaps?\nNot lists.",
        alternatives=("researcher",),
        is_pure=True,
        allowed_s=20.0,
        expected_s=1.5,
    )
    write = Step(StepId("write"), "coder", "Print {topic}.", (look.id,), is_broadcast=True)

    assert read(WHOLE, topic="heaps") == (Plan((look, write)), "Compare heaps and lists.")


def test_a_given_input_goes_before_its_default_and_may_be_empty() -> None:
    assert read(WHOLE, topic="a", other="")[1] == "Compare a and ."


def test_the_goal_may_be_left_to_the_one_who_submits_it() -> None:
    assert read(STEP)[1] == ""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("x = [", "f.toml is not TOML"),
        ("#" * 1_000_001, "f.toml is no workflow: it has over 1000000 bytes"),
        *(
            (f"goal = {'[' * depth}{']' * depth}\n{STEP}", "f.toml is no workflow: it is nested")
            for depth in (250, 10_000)
        ),
        (f"goal = [{'1,' * 9999}]\n{STEP}", "goal must be a valid string, not [1, 1, 1"),
        ("", "f.toml: steps is missing"),
        ("steps = 3", "steps must be written in sections [[steps]]"),
        ("steps = [3]", "steps.1 must be written in sections [[steps]]"),
        (f"inputs = 3\n{STEP}", "inputs must be written in sections [inputs.NAME]"),
        (f"goal = 3\n{STEP}", "goal must be a valid string, not 3"),
        (f"gaol = 3\n{STEP}", "unknown key gaol, did you mean goal? allowed here: steps, goal"),
        (f"{STEP}need = []", "unknown key steps.a.need, did you mean needs? allowed here: id, ag"),
        ('[[steps]]\nid = "a"', "steps.a.agent is missing"),
        (STEP.replace('id = "a"', ""), "steps.1.id is missing"),
        (f"{STEP}needs = [3]", "steps.a.needs.1 must be a valid string, not 3"),
        (f"{STEP}pure = 1", "steps.a.pure must be a valid boolean, not 1"),
        (f"{STEP}coherence = 'both'", "steps.a.coherence must be 'chained' or 'broadcast', not"),
        (f"{STEP}deadline_s = 0", "steps.a.deadline_s must be above 0, not 0"),
        (f"{STEP}expected_s = inf", "steps.a.expected_s must be a finite number"),
        (f"{STEP}needs = ['b']", "steps.a.needs: 'b' is no step; there are none"),
        (f"{STEP}needs = ['a']", "steps.a.needs go in a circle: a needs a"),
        (f"{STEP}[inputs.a]\nname = 1", "unknown key inputs.a.name; allowed here: default, des"),
        (f"{STEP}[inputs.a]\ndefault = 1", "inputs.a.default must be a valid string, not 1"),
        (f"{STEP}[inputs.A]\n", "inputs.A is no name of an input; allowed are up to 32 lower-case"),
        (f"goal = '{{a}}'\n{STEP}", "goal: {a} is no input; there are no inputs; {{a}} is the te"),
        (
            f"goal = '{{topik}}'\n{STEP}[inputs.topic]\ndefault = ''",
            "goal: {topik} is no input, did you mean {topic}? the inputs are topic; {{topik}} is",
        ),
        (
            f"{STEP}[inputs.topic]\ndescription = 'what it is about'",
            "the input topic (what it is about) has no default and is not given; give it with --in",
        ),
        (f"goal = '{'x' * 100_001}'\n{STEP}", "goal has 100001 characters, 100000 are allowed"),
        (
            STEP + "".join(f"[inputs.i{number}]\ndefault = ''\n" for number in range(51)),
            "inputs are 51, 50 are allowed",
        ),
    ],
)
def test_a_wrong_file_is_answered_with_its_name_the_key_and_what_is_allowed(
    text: str, complaint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)

    assert str(caught.value).startswith("f.toml")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"topik": "x"}, "'topik' is no input of it, did you mean topic? it has topic, other"),
        ({"topic": "x" * 20_001}, "the input topic has 20001 characters, 20000 are allowed"),
    ],
)
def test_a_wrong_input_is_named(given: dict[str, str], complaint: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(WHOLE, **given)

    assert complaint in str(caught.value)


def test_what_is_filled_in_is_bounded_too() -> None:
    text = f"{STEP}[inputs.a]\n".replace("do it", "{a}")

    with pytest.raises(UsageError, match="instruction has 10001 characters, 10000 are allowed"):
        read(text, a="x" * 10_001)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UsageError, match=r"none\.toml can't be read: No such file"):
        read_workflow(Path("none.toml"), {})
