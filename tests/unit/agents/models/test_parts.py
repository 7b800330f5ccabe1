"""What the simulated Manager, Researcher and Coder make of their prompts."""

from __future__ import annotations

import json

import pytest

from agents.models import parts

ROLES = """You are the Manager. Plan with these agents:
- researcher: answers from knowledge
- coder: writes and runs a program
- reviewer: judges a program
"""
PASSAGES = """Question: Which function of heapq returns the smallest element?

[1] docs/heapq.rst lines 10-12
This module provides an implementation of the heap queue algorithm. The function heappop returns
the smallest element of the heap. It raises an error if the heap is empty.

[2] docs/bisect.rst lines 1-3
This module keeps a list in sorted order. Nothing else is of interest here at all.
"""


@pytest.mark.parametrize(
    ("goal", "agents"),
    [
        ("What does heapq do?", ["researcher"]),
        ("Write a program that sorts a list", ["researcher", "coder"]),
        ("Write a program that sorts and have it reviewed", ["researcher", "coder", "reviewer"]),
    ],
)
def test_a_plan_has_the_agents_that_the_goal_asks_for(goal: str, agents: list[str]) -> None:
    steps = json.loads(parts.plan(ROLES, f"Goal: {goal}\n"))["steps"]

    assert [step["agent"] for step in steps] == agents
    assert all(step["instruction"] == goal for step in steps)
    assert [step["needs"] for step in steps] == [[], *([step["id"]] for step in steps[:-1])]


def test_a_plan_names_only_roles_that_the_prompt_names() -> None:
    (step,) = json.loads(parts.plan("You plan for a coder alone.", "Write code"))["steps"]

    assert step["agent"] == "coder"


def test_a_goal_without_a_label_is_the_first_paragraph() -> None:
    assert parts.goal_of("What is\na heap?\n\nSay it shortly.") == "What is a heap?"


def test_research_quotes_the_sentences_that_share_words_with_the_question() -> None:
    found = parts.research(PASSAGES)

    assert "The function heappop returns the smallest element of the heap [1]." in found
    assert "[2]" not in found


def test_research_without_passages_says_so() -> None:
    assert parts.research("Question: What is a heap?") == "There is no passage to answer from."


def test_code_is_the_first_example_that_parses() -> None:
    prompt = "Write it.\n```text\nnot this\n```\n```python\nimport heapq\nprint(1)\n```\n"

    assert parts.code(prompt) == "```python\nimport heapq\nprint(1)\n```\n"


def test_code_after_a_failure_is_the_next_candidate() -> None:
    prompt = "```python\n1 / 0\n```\nTraceback (most recent call last)\n```python\nprint(2)\n```\n"

    assert parts.code(prompt) == "```python\nprint(2)\n```\n"


def test_code_without_an_example_still_runs() -> None:
    assert parts.code("Goal: add up") == "```python\nprint(sum(range(10)))\n```\n"


def test_the_answer_joins_each_cited_sentence_once() -> None:
    prompt = (
        "Goal: heaps\n\nFinding r1: Heaps are trees [1]. They are fast.\n- Heaps are trees [1]."
    )

    assert parts.answer(prompt) == "Finding r1: Heaps are trees [1].\n\nHeaps are trees [1]."


def test_the_answer_to_nothing_cited_names_the_goal() -> None:
    assert parts.answer("Goal: heaps") == "This is what came of it: heaps"
