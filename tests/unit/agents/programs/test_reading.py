"""Which program a model's text has."""

from __future__ import annotations

import pytest

from agents.programs.reading import (
    CUT_OFF,
    NO_BLOCK,
    SHORTER,
    ProgramEnd,
    Reading,
    promises,
    read_program,
    without_promises,
)

DEFINED = "def twice(n):\n    return 2 * n"
BOTH = f"{DEFINED}\n\nprint(twice(4))\n"


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("Here:\n```python\nprint(1)\n```\nDone.", "print(1)\n"),
        ("```\nprint(1)\n```\n```python\nprint(2)\n```", "print(1)\n"),
        ("```\n$ pip install x\n```\n```python\nprint(2)\n```", "print(2)\n"),
        ("```python\nprint(1\n```", "print(1\n"),
        ("~~~python\nprint(1)\n~~~", "print(1)\n"),
        ("```{.python}\nprint(1)\n```", "print(1)\n"),
        ("````python\nprint('''\n```\n''')\n````", "print('''\n```\n''')\n"),
        ("1. So:\n   ```python\n   if 1:\n       print(1)\n   ```", "if 1:\n    print(1)\n"),
        ("```bash\nls\n```\n```py\nprint(2)\n```", "print(2)\n"),
        ("print(1)", "print(1)\n"),
    ],
)
def test_the_program_is_found_in_a_models_text(text: str, program: str) -> None:
    assert read_program(text) == Reading(program)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("```bash\nls\n```", NO_BLOCK),
        ("```python\n\n```", NO_BLOCK),
        ("I can't.", NO_BLOCK),
        ("Sorry", NO_BLOCK),
        ("", NO_BLOCK),
    ],
)
def test_where_there_is_no_program_it_is_said_why(text: str, fault: str) -> None:
    assert read_program(text) == Reading("", fault)


def test_of_a_program_that_was_cut_off_a_shorter_one_is_wanted() -> None:
    assert read_program("```python\nprint(1)") == Reading("", CUT_OFF, SHORTER)


@pytest.mark.parametrize(
    ("text", "program"),
    [
        (f"```python\n{DEFINED}\n```\nUsage:\n```python\nprint(twice(4))\n```", BOTH),
        (f"```python\n{DEFINED}\n```\nAll:\n```python\n{BOTH}```", BOTH),
        (f"```python\n{BOTH}```\nIt prints:\n```\n8\n```", BOTH),
        (f"```python\n{BOTH}```\nOr:\n```python\nprint(8)\n```", BOTH),
        (
            f"```python\n{BOTH}```\nAnd:\n```python\nprint(twice(5))\n```",
            f"{BOTH}\nprint(twice(5))\n",
        ),
        (f"```python\n{DEFINED}\n```", f"{DEFINED}\n"),
    ],
)
def test_a_block_that_needs_an_earlier_one_is_joined_to_it(text: str, program: str) -> None:
    assert read_program(text) == Reading(program)


def stops_at(text: str) -> str:
    """What was read when it was enough, fed by single characters."""
    is_end = ProgramEnd()
    for at, character in enumerate(text, start=1):
        if is_end(character):
            return text[:at]
    return ""


def test_a_closed_block_that_does_something_is_enough() -> None:
    shown = "Here:\n```python\nprint(1)\n```"

    assert stops_at(f"{shown}\nmore") == shown
    assert stops_at(f"```bash\npip install x\n```\n{shown}\nmore").endswith(shown)
    assert ProgramEnd()("~~~\nprint(1)\n~~~")


def test_a_block_that_only_defines_is_not_enough() -> None:
    assert stops_at(f"```python\n{DEFINED}\n```\nIt is used so:\n") == ""
    assert stops_at("```python\nprint('```')\n") == ""


def test_comments_that_say_what_is_printed_are_told_from_others() -> None:
    source = "# Output: 5\nprint('# -> 3')  # -> 4\nx = 1  # the first\nprint(x)  # prints: 1\n"

    assert promises(source) == ["4", "1"]
    assert without_promises(source) == (
        "# Output: 5\nprint('# -> 3')\nx = 1  # the first\nprint(x)\n"
    )
    assert without_promises("print('\n") == "print('\n"
    assert without_promises("") == ""
