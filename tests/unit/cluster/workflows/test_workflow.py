"""`Workflow`: loaded with its inputs, made in Python, saved and loaded again."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import Workflow
from cluster.kernel.errors import UsageError
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Plan, Step

STEP = Step(StepId("a"), "coder", "do it", expected_s=2.0)


def test_inputs_are_given_by_name_even_one_called_path(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_text(
        '[inputs.path]\n[[steps]]\nid = "a"\nagent = "coder"\ninstruction = "read {path}"',
        encoding="utf-8",
    )

    [step] = Workflow.load(path, path="a.txt").plan.steps

    assert step.instruction == "read a.txt"


def test_an_input_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the input depth must be a text, not 3"):
        Workflow.load(tmp_path / "f.toml", depth=3)  # type: ignore[arg-type]


def test_one_that_is_saved_is_the_same_when_it_is_loaded(tmp_path: Path) -> None:
    workflow = Workflow(Plan((STEP,)), "why?")

    workflow.save(tmp_path / "f.toml")

    assert Workflow.load(tmp_path / "f.toml") == workflow


def test_where_it_can_not_be_saved_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"f\.toml can't be written: No such file or directory"):
        Workflow(Plan((STEP,))).save(tmp_path / "gone" / "f.toml")


def test_one_made_in_python_is_checked_too() -> None:
    with pytest.raises(UsageError, match=r"^the workflow: steps\.2\.id: 'a' is the id of two"):
        Workflow(Plan((STEP, STEP)))


def test_it_tells_how_long_it_will_take() -> None:
    assert Workflow(Plan((STEP,))).forecast().predicted_s == 2.0
