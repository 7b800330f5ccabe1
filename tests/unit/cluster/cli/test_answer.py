"""An answer as Markdown."""

from __future__ import annotations

import io

import pytest
from markdown_it import MarkdownIt

from cluster.cli.answer import LEGEND, QUIET, fenced, to_markdown
from cluster.cli.console import Console
from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Answer, Citation, Claim, Program, Run, StepProgram, Support

MARKED = Answer(
    "It is so. Or not. [unverified]",
    degraded=("said plainly",),
    claims=(Claim("It is so.", Support.QUOTED), Claim("Or not.", Support.UNVERIFIED)),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(out: io.StringIO, answer: Answer) -> str:
    Console(out, io.StringIO()).write(to_markdown(answer), QUIET)
    return out.getvalue()


def with_program(text: str, program: Program) -> Answer:
    return Answer(text, programs=(StepProgram(StepId("c1"), program),))


def test_a_plain_answer_is_its_text() -> None:
    assert to_markdown(Answer("\nIt is so.\n\n")) == "It is so.\n"


def test_the_page_of_a_source_that_has_pages_stands_with_its_lines() -> None:
    citations = (Citation("a.pdf", 3, 3, "x", page=7), Citation("a.pdf", 1, 9, "y", page=8))

    shown = to_markdown(Answer("So [1][2].", citations))

    assert "- [1] a.pdf, page 7, line 3\n- [2] a.pdf, page 8, lines 1-9\n" in shown


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


def test_a_reservation_that_stands_in_the_text_is_not_repeated() -> None:
    answer = Answer("So.\n\n*No document backs it.*", degraded=("No document backs it.", "Late."))

    assert to_markdown(answer) == "So.\n\n*No document backs it.*\n\nDegraded: Late.\n"


def test_a_program_that_failed_says_so() -> None:
    shown = to_markdown(with_program("No.", Program("1/0", Run(1, "", "ZeroDivisionError"))))

    assert shown.endswith("Output (exit code 1):\n\n```\nZeroDivisionError\n```\n")


@pytest.mark.parametrize(("text", "fence"), [("plain", "```"), ("```\nx\n```", "````")])
def test_a_fence_is_longer_than_any_in_the_text(text: str, fence: str) -> None:
    assert fenced(text, "md") == f"{fence}md\n{text}\n{fence}"


def test_the_last_line_says_what_the_mark_means() -> None:
    assert to_markdown(MARKED) == f"{MARKED.text}\n\nDegraded: said plainly\n\n{LEGEND}\n"


def test_an_answer_without_a_mark_has_no_legend() -> None:
    answer = Answer("It is so.", claims=(Claim("It is so.", Support.QUOTED),))

    assert to_markdown(answer) == "It is so.\n"


def test_marks_and_their_legend_are_text_for_a_reader_of_markdown() -> None:
    shown = MarkdownIt().render(to_markdown(MARKED))

    assert "<p>It is so. Or not. [unverified]</p>" in shown
    assert f"<p>{LEGEND}</p>" in shown


def test_a_terminal_shows_marks_and_their_legend_dim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")

    shown = written(Terminal(), MARKED)

    assert shown.startswith("It is so. Or not. \33[2m[unverified]\33[22m\n")
    assert shown.endswith(f"\n\33[2m{LEGEND}\33[22m\n")


def test_a_terminal_that_knows_no_styles_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")

    assert written(Terminal(), MARKED) == to_markdown(MARKED)


def test_nothing_but_our_own_style_steers_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")

    shown = written(Terminal(), Answer("\33[2J[unverified]"))

    assert shown == " [2J\33[2m[unverified]\33[22m\n"


def test_what_is_no_terminal_gets_plain_text() -> None:
    assert written(io.StringIO(), MARKED) == to_markdown(MARKED)
