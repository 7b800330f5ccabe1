"""An answer as Markdown."""

from __future__ import annotations

import pytest

from cluster.cli.answer import fenced, to_markdown
from cluster.kernel.ids import StepId
from cluster.kernel.tasks import Answer, Program, Run, StepProgram


def with_program(text: str, program: Program) -> Answer:
    return Answer(text, programs=(StepProgram(StepId("c1"), program),))


def test_a_plain_answer_is_its_text() -> None:
    assert to_markdown(Answer("\nIt is so.\n\n")) == "It is so.\n"


def test_a_program_is_shown_with_its_output() -> None:
    answer = with_program("See below.", Program("print(42)\n", Run(0, "42\n", "a warning")))

    assert to_markdown(answer) == (
        "See below.\n\nProgram (c1):\n\n```python\nprint(42)\n```\n\nOutput:\n\n```\n42\n```\n"
    )


def test_what_the_text_already_shows_is_not_repeated() -> None:
    text = "```python\nprint(42)\n```\n\nIt prints 42."

    assert (
        to_markdown(with_program(text, Program("print(42)\n", Run(0, "42\n", "")))) == text + "\n"
    )


def test_a_program_that_failed_says_so() -> None:
    shown = to_markdown(with_program("No.", Program("1/0", Run(1, "", "ZeroDivisionError"))))

    assert shown.endswith("Output (exit code 1):\n\n```\nZeroDivisionError\n```\n")


@pytest.mark.parametrize(("text", "fence"), [("plain", "```"), ("```\nx\n```", "````")])
def test_a_fence_is_longer_than_any_in_the_text(text: str, fence: str) -> None:
    assert fenced(text, "md") == f"{fence}md\n{text}\n{fence}"
