"""Which goals ask for a program, and what they are about."""

from __future__ import annotations

import pytest

from agents.planning.intent import program_wish, questions, subject, wants_program


@pytest.mark.parametrize(
    "goal",
    [
        "Write a Python program that prints the 3 smallest of 5, 1, 9.",
        "How does heapq keep the smallest item first? Show it with a program.",
        "Compute the sum of 1 to 100.",
        "Summarise the docs, then calculate the average of 3 and 4.",
        "Which class counts hashable objects? Give me a short runnable example.",
        "What is heapq for, and write a script using it",
        "implement quicksort",
        "Explain bisect, then run it",
        "Python code for Fibonacci numbers",
    ],
)
def test_a_program_is_wanted_in_so_many_words(goal: str) -> None:
    assert wants_program(goal, explicitly=True)


@pytest.mark.parametrize(
    "goal",
    [
        "Use Counter to count the letters in 'abracadabra'",
        "How do I count words in Python?",
        "Sort these: 3, 1, 2",
    ],
)
def test_a_program_is_wanted_by_implication(goal: str) -> None:
    assert wants_program(goal)
    assert not wants_program(goal, explicitly=True)


@pytest.mark.parametrize(
    "goal",
    [
        "What is the capital of France?",
        "What does the function heappush do?",
        "What is a program counter?",
        "Why did the program fail in 1969? No code please.",
        "Don't write any code, just explain heaps.",
        "Does Redis implement transactions?",
        "List the error codes of the API.",
        "The Apollo program: who led it?",
        "",
    ],
)
def test_no_program_is_wanted(goal: str) -> None:
    assert not wants_program(goal)


def test_long_garbage_is_read_in_no_time() -> None:
    for text in ("write " * 200_000, "how to " * 100_000, "no a " * 100_000, "a" * 1_000_000):
        wants_program(text)


def test_a_goal_is_parted_into_questions_and_the_wish_for_a_program() -> None:
    goal = "How large is the cache? Write a program that prints it. Who made it?"

    assert questions(goal) == ["How large is the cache?", "Who made it?"]
    assert program_wish(goal) == "Write a program that prints it."
    assert questions("Write a program.") == ["Write a program."]


def test_words_for_the_form_are_no_subject() -> None:
    assert subject("Please write a program that prints the smallest items.") == {
        "smallest",
        "item",
    }
