"""What may be said about a program that ran."""

from __future__ import annotations

import pytest

from agents.programs.output import Printed, is_about_output
from cluster.kernel.vocabulary import Program, Run

GOAL = "Use Counter to show the two most common words of a text."
SOURCE = (
    "from collections import Counter\nprint(Counter('the the cat the cat'.split()).most_common(2))"
)
COUNTED = Printed(Program(SOURCE, Run(0, "[('the', 3), ('cat', 2)]\n", "")), GOAL)
SUM = Printed(
    Program("print('Sum:', sum(range(1, 101)))", Run(0, "Sum: 5050\n", "")),
    "Compute the sum of 1 to 100 in 2 lines.",
)
LINES = Printed(Program("x", Run(0, "the 3\ncat 2\n", "")), GOAL)

FIGURES_TEXT = "Mean: 4.2531\nMedian: 4\nLargest value: 9,000\nLast value: 7\nSquares: 0 1 4 9\n"
FIGURES = Printed(
    Program("x", Run(0, FIGURES_TEXT, "")),
    "Compute the mean, the median and the squares.",
)

TASKS_TEXT = """task-1: started (1 running)
task-2: started (2 running)
task-1: finished
task-3: started (2 running)
task-3: cancelled
caught: task-2 failed
most tasks running at once: 2
"""
TASKS = Printed(
    Program("limit = asyncio.Semaphore(2)\ngroup.create_task(x)", Run(0, TASKS_TEXT, "")),
    "Run tasks, never more than two at once, so that one failing task cancels the others.",
)


@pytest.mark.parametrize(
    ("printed", "sentence"),
    [
        (COUNTED, "The two most common words are 'the' (3) and 'cat' (2)."),
        (COUNTED, "The program prints `[('the', 3), ('cat', 2)]` [1]."),
        (COUNTED, "The program uses `Counter`."),
        (COUNTED, "The most common word is 'the' with 3 occurrences."),
        (SUM, "The sum is 5050."),
        (SUM, "The program computes the sum of 1 to 100 in 2 lines: 5050."),
        (SUM, "It printed 5050."),
        (LINES, "The word 'cat' occurs 2 times."),
        (FIGURES, "The mean comes to 4.25 and the median to 4."),
        (FIGURES, "The last value is 7 and the largest value is 9000."),
        (FIGURES, "9000 is the largest value."),
        (FIGURES, "The largest of these values is 9,000 [2]."),
        (FIGURES, "The squares are 0, 1, 4 and 9."),
        (SUM, "All in all, the sum comes to 5050."),
        (TASKS, "When `task-2` fails, `task-3` is cancelled, and the most tasks at once is 2."),
        (TASKS, "The three tasks share a limit: when `task-2` fails, `task-3` is cancelled."),
        (TASKS, "Tasks share an `asyncio.Semaphore(2)`, so that never more than two run at once."),
    ],
)
def test_what_was_printed_may_be_said(printed: Printed, sentence: str) -> None:
    assert printed.says(sentence)


@pytest.mark.parametrize(
    ("printed", "sentence"),
    [
        (COUNTED, "The most common word is 'cat' with 3 occurrences."),
        (COUNTED, "The two most common words are 'cat' (3) and 'the' (2)."),
        (COUNTED, "The most common word occurs 2 times."),
        (COUNTED, "The least common word is 'the' with 3 occurrences."),
        (COUNTED, "The program does not use `Counter`."),
        (COUNTED, "The program uses `defaultdict`."),
        (COUNTED, "The program prints [('the', 3), ('dog', 2)]."),
        (COUNTED, "Is 'the' the most common word?"),
        (SUM, "The sum is 5051."),
        (SUM, "The sum is not 5050."),
        (SUM, "The sum of 1 to 99 is 5050."),
        (SUM, "The program was written in 1990."),
        (SUM, "The product is 5050."),
        (LINES, "The word 'the' occurs 2 times."),
        (LINES, "It is fast."),
        (FIGURES, "The mean is 4 and the median is 4.25."),
        (FIGURES, "The median is 9000."),
        (FIGURES, "The mean is 4.26."),
        (FIGURES, "The largest value is 7."),
        (FIGURES, "The smallest value is 9000."),
        (FIGURES, "The squares are 0, 1, 9 and 4."),
        (FIGURES, "The mean was never 4.25."),
        (FIGURES, "Everybody in Paris agreed on a mean temperature of 4 degrees."),
        (TASKS, "When `task-1` fails, `task-3` is cancelled."),
        (TASKS, "When `task-2` fails, `task-1` is cancelled, and the most tasks at once is 2."),
        (TASKS, "When `task-2` fails, `task-3` is cancelled, and the most tasks at once is 3."),
        (TASKS, "Tasks share an `asyncio.Semaphore(4)`, so that never more than two run at once."),
        (TASKS, "The four tasks share a limit: when `task-2` fails, `task-3` is cancelled."),
        (TASKS, "The program never runs more than four tasks at once."),
        (COUNTED, "The two most common words are 'cat' and 'the'."),
    ],
)
def test_what_was_not_printed_may_not_be_said(printed: Printed, sentence: str) -> None:
    assert not printed.says(sentence)


def test_numbers_that_stand_nowhere_deny_what_was_printed() -> None:
    assert SUM.denies("The sum is 5051.")
    assert not SUM.denies("The sum is 5050.")
    assert not SUM.denies("Gauss was born in 1777.")


def test_sentences_about_the_output_are_known_by_their_words() -> None:
    assert is_about_output("The program printed it.")
    assert not is_about_output("Heaps are trees.")


def test_an_absurd_number_is_not_said_and_ends_nothing() -> None:
    assert not SUM.says(f"The sum is {'9' * 5_000}.")
    assert not Printed(Program("x", Run(0, "9" * 5_000, "")), "").says(f"It is {'8' * 5_000}.0.")


def test_a_name_of_the_source_is_no_result() -> None:
    source = "try:\n    raise ValueError\nexcept ValueError as error:\n    print('caught one')\n"
    printed = Printed(Program(source, Run(0, "caught one\n", "")), "What comes out of the group?")

    assert not printed.says("The exception that comes out of the group is `ValueError`.")
    assert printed.says("The program uses `ValueError`.")


def test_a_number_that_the_goal_names_is_printed_too() -> None:
    printed = Printed(Program("print(42)\n", Run(0, "42\n", "")), "Print 42.")

    assert printed.says("The program printed 42.")
    assert not printed.says("The program printed 43.")
