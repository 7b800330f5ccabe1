"""What a goal asks of a program, and which programs are that."""

from __future__ import annotations

import pytest

from agents.brief import Brief, brief_of, names_in_code
from agents.candidates import (
    Candidate,
    best_of,
    complaint,
    imported_names,
    is_certain,
    program_in,
    used_names,
)
from cluster.kernel.tasks import Run

SMALLEST = "Use heapq to print the three smallest of 5, 1, 9, 2."


def ran(source: str, stdout: str = "42\n", exit_code: int = 0, origin: str = "model") -> Candidate:
    return Candidate(source, Run(exit_code, stdout, ""), origin)


@pytest.mark.parametrize(
    ("goal", "names", "values"),
    [
        (SMALLEST, {"heapq"}, ("5", "1", "9", "2")),
        ("What is Counter for? Write a program that shows it.", {"Counter"}, ()),
        ("Write a program with `collections.deque`.", {"collections", "deque"}, ()),
        ("Count the letters in 'abracadabra' by a program.", set(), ("abracadabra",)),
        ("Write a program that adds 1,000 and 24.", set(), ("1000", "24")),
        ("Write a program that reads `fleet.toml`.", set(), ("fleet.toml",)),
        ("Write a program that tests the code of a random string.", set(), ()),
        ("Write a program for Python 3.11.", set(), ()),
    ],
)
def test_names_and_values_are_read_from_the_goal(
    goal: str, names: set[str], values: tuple[str, ...]
) -> None:
    brief = brief_of("", goal, frozenset({"Counter"}))

    assert set(brief.names) == names
    assert brief.values == values


def test_of_the_names_in_other_sentences_one_is_enough() -> None:
    brief = brief_of("", "How do heapq and bisect differ? Write a program that sorts.")

    assert not brief.names
    assert brief.one_of == frozenset({"heapq", "bisect"})
    assert complaint(ran("import bisect\nbisect.insort([], 1)\nprint('sorted')"), brief) == ""
    assert "none of bisect, heapq" in complaint(ran("print('sorted')"), brief)


@pytest.mark.parametrize(
    ("source", "stdout", "exit_code", "wrong"),
    [
        ("import heapq\nprint(heapq.nsmallest(3, [5, 1, 9, 2]))", "[1, 2, 5]", 0, ""),
        ("import heapq\nn = '5 1 9 2'.split()\nprint(heapq.nsmallest(3, n))", "x", 0, ""),
        ("import heapq\nprint(heapq.nsmallest(3, [5, 1, 9, 2]))", "", 1, "exit code 1"),
        ("import heapq\nprint(heapq.nsmallest(3, [5, 1, 9, 2]))", " \n", 0, "printed no result"),
        ("import heapq\nprint(heapq.nsmallest(3, [5, 1, 9, 2]))", "None\n", 0, "no result"),
        ("import heapq\nprint(heapq.heapify)", "<function at 0x7f>", 0, "no result"),
        ("print(sorted([5, 1, 9, 2])[:3])", "[1, 2, 5]", 0, "does not use heapq"),
        ("import heapq\nprint(sorted([5, 1, 9, 2])[:3])", "[1, 2, 5]", 0, "does not use heapq"),
        ("# heapq\nprint('heapq', 5, 1, 9, 2)", "heapq", 0, "does not use heapq"),
        ("import heapq\nprint(heapq.nsmallest(3, [5, 1, 8, 2]))", "x", 0, "not work on 9"),
    ],
)
def test_what_is_wrong_with_a_program_is_said(
    source: str, stdout: str, exit_code: int, wrong: str
) -> None:
    said = complaint(ran(source, stdout, exit_code), brief_of("", SMALLEST))

    assert wrong in said
    assert bool(said) == bool(wrong)


def test_a_program_must_be_about_what_was_asked() -> None:
    brief = brief_of("", "Write a program that prints the primes below 50.")

    assert "does not do what the task asks" in complaint(ran("print('Hello, World!')"), brief)
    assert is_certain(ran("for n in range(2, 50):\n  print(n)"), brief)


def test_of_an_example_more_is_asked_than_of_a_model() -> None:
    brief = brief_of("", "Write a program that merges sorted lists of names lazily.")
    source = "print(sorted([3, 1]))"

    assert complaint(ran(source), brief) == ""
    assert not is_certain(ran(source), brief)
    assert complaint(ran(source, origin="docs/a.md:3"), brief) != ""


def test_the_best_is_most_about_what_was_asked() -> None:
    brief = Brief(about=frozenset({"merg", "sort", "list"}))
    weak, strong = ran("print(sorted([]))"), ran("merged = sorted(list(''))\nprint(merged)")

    assert best_of([ran("sorted", exit_code=1), weak, strong], brief) is strong
    assert best_of([ran("print(1)")], brief) is None


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("Here:\n```python\nprint(1)\n```\nDone.", "print(1)\n"),
        ("```\nprint(1)\n```\n```python\nprint(2)\n```", "print(1)\n"),
        ("```\n$ pip install x\n```\n```python\nprint(2)\n```", "print(2)\n"),
        ("```python\nprint(1\n```", "print(1\n"),
        ("```bash\nls\n```", ""),
        ("```python\nprint(1)", ""),
        ("print(1)", "print(1)\n"),
        ("I can't.", ""),
        ("Sorry", ""),
        ("", ""),
    ],
)
def test_the_program_is_found_in_a_models_text(text: str, program: str) -> None:
    assert program_in(text) == program


def test_importing_a_name_is_not_using_it() -> None:
    source = (
        "import heapq as h, json\nfrom collections import Counter, deque\n"
        "def shown(x): return Counter(x)\nh.nlargest(1, [])\n"
    )

    assert imported_names(source) == {
        "heapq",
        "json",
        "collections",
        "Counter",
        "deque",
        "nlargest",
    }
    assert used_names(source) >= {"heapq", "collections", "Counter", "nlargest", "shown"}
    assert used_names(source).isdisjoint({"json", "deque"})
    assert imported_names("not ( python") == used_names("not ( python") == frozenset()


def test_names_in_code_spans_are_known() -> None:
    assert names_in_code("A `Counter` of ``heapq.merge(x)``.") == {"Counter", "heapq", "merge", "x"}


@pytest.mark.parametrize(
    ("goal", "count"),
    [
        ("Print the two largest numbers with heapq.nlargest.", "2"),
        ("Show a program for the top 5 words.", "5"),
        ("Write a program that prints the first ten primes.", "10"),
        ("Write a program that sorts two lists.", ""),
        ("Write a program in Python 3.", ""),
    ],
)
def test_how_many_results_are_asked_for_is_read_from_the_goal(goal: str, count: str) -> None:
    assert brief_of("", goal).count == count


def test_an_example_for_another_number_of_results_is_not_what_was_asked() -> None:
    brief = brief_of("", "Write a program that prints the two largest numbers with heapq.nlargest.")
    three = "import heapq\nprint(heapq.nlargest(3, [5, 9, 7, 8]))"

    assert "another number" in complaint(ran(three, origin="heaps.md:14"), brief)
    assert not complaint(ran(three.replace("3", "2"), origin="heaps.md:14"), brief)
    assert not complaint(ran(three), brief)
