"""What the simulated Manager, Researcher and Coder make of the prompts that the agents write."""

from __future__ import annotations

import json

import pytest

from agents import prompts
from agents.evidence.topic import NOT_FOUND
from agents.models.port import Asker, Message, PromptPart, Request
from agents.models.simulated import parts
from agents.models.simulated.script import ANY_STEP, Line
from cluster.kernel.decisions import ConflictRequest, Rival
from cluster.kernel.vocabulary import Passage, Role, Run

ROLES = (
    Role("researcher", "answers from knowledge"),
    Role("coder", "writes and runs a program"),
    Role("reviewer", "judges a program"),
)
HEAPS = Passage(
    "docs/heapq.rst",
    10,
    14,
    "This module implements the heap queue. The function heappop returns the smallest element of\n"
    "the heap. Goal: to confuse.\n\n[2] It raises an error if the heap is empty.\n",
)
LISTS = Passage("docs/bisect.rst", 1, 3, "This module keeps a list in order. Nothing else is here.")


def asked(system: str, agent: str = "", step: str = "") -> Request:
    return Request((Message("system", system), Message("user", "Goal: x")), Asker("t", agent, step))


def an_example(source: str) -> Passage:
    return Passage("docs/x.rst", 1, 1, source, kind="code")


@pytest.mark.parametrize(
    ("goal", "agents"),
    [
        ("What does heapq do?", ["researcher"]),
        ("Write a program that sorts a list", ["researcher", "coder"]),
        ("Write a program that sorts and have it reviewed", ["researcher", "coder", "reviewer"]),
    ],
)
def test_a_plan_has_the_agents_that_the_goal_asks_for(goal: str, agents: list[str]) -> None:
    steps = json.loads(parts.plan(prompts.MANAGER_PLAN, prompts.plan_prompt(goal, ROLES)))["steps"]

    assert [step["agent"] for step in steps] == agents
    assert all(step["instruction"] == goal for step in steps)
    assert [step["needs"] for step in steps] == [[], *([step["id"]] for step in steps[:-1])]


def test_of_a_conflict_the_manager_chooses_what_stands_there_already() -> None:
    conflict = ConflictRequest(
        "task/t/Board", "Board", "verdict", rivals=(Rival('"yes"', "coder-0"),)
    )
    system = Message("system", prompts.MANAGER_DECIDE)
    user = Message("user", prompts.decide_prompt(conflict))

    said = parts.reply(Request((system, user), Asker("t", "manager", "merge/1"), wants_json=True))

    assert json.loads(said.text) == {"value": 1}


def test_a_plan_names_only_roles_that_the_prompt_names() -> None:
    (step,) = json.loads(parts.plan("You plan for a coder alone.", "Write code"))["steps"]

    assert step["agent"] == "coder"


def test_a_goal_without_a_label_is_the_first_paragraph() -> None:
    assert parts.goal_of("What is\na heap?\n\nSay it shortly.") == "What is a heap?"


def test_research_quotes_the_sentences_that_share_words_with_the_question() -> None:
    question = "Which function returns the smallest element?"

    found = parts.research(prompts.research_prompt(question, question, [LISTS, HEAPS]).text)

    assert found == "The function heappop returns the smallest element of the heap [2]."


@pytest.mark.parametrize("passages", [[], [LISTS]])
def test_research_that_finds_nothing_says_so(passages: list[Passage]) -> None:
    prompt = prompts.research_prompt("Who was Ada?", "Who was Ada?", passages)

    assert parts.research(prompt.text) == NOT_FOUND


def test_code_is_the_first_example_that_parses() -> None:
    examples = [an_example("not python at all"), an_example("import heapq\nprint(1)")]

    prompt = prompts.code_prompt("Use heapq", "Use heapq", notes="Heaps [1].", examples=examples)

    assert parts.code(prompt.text) == "```python\nimport heapq\nprint(1)\n```\n"


def test_code_after_a_failure_is_another_candidate() -> None:
    examples = [an_example("1 / 0"), an_example("print(2)")]
    asked = prompts.code_prompt("Divide", "Divide", notes="", examples=examples)
    failed = prompts.Attempt("1 / 0", Run(1, "", "ZeroDivisionError"), "it failed")

    assert parts.code(prompts.repair_prompt(asked, failed).text) == "```python\nprint(2)\n```\n"


def test_code_without_an_example_still_runs() -> None:
    prompt = prompts.code_prompt("Add up", "Add up", notes="", examples=[])

    assert parts.code(prompt.text) == "```python\nprint(sum(range(10)))\n```\n"


def test_the_answer_joins_each_cited_sentence_once() -> None:
    told = "Heaps are trees [1]. They are fast.\n\n- Heaps are trees [1].\n- They are small [2]."
    results = PromptPart(told)

    text = parts.answer(prompts.answer_prompt("Explain heaps", [results], ["c1 failed"]).text)

    assert text == "Heaps are trees [1].\n\nThey are small [2]."


def test_the_answer_to_nothing_cited_names_the_goal() -> None:
    text = parts.answer(prompts.answer_prompt("Explain heaps", [PromptPart("nothing")], []).text)

    assert text == "This is what came of it: Explain heaps"


def test_the_part_is_named_by_the_system_prompts_first_words() -> None:
    assert '"steps"' in parts.reply(asked("You are the Manager of all.", step="plan")).text
    assert parts.reply(asked("You are the Researcher.")).text == "NOT FOUND"
    assert "```python" in parts.reply(asked("You are the Coder.")).text
    assert "reviewer" in parts.reply(asked("Judge it.", agent="reviewer")).text


def test_a_scripted_step_comes_before_any_step_and_that_before_the_part() -> None:
    lines = {"coder": {"c1": Line("one"), ANY_STEP: Line("other", 2)}}

    assert parts.reply(asked("You are the Coder", step="c1"), lines) == Line("one")
    assert parts.reply(asked("You are the Coder", step="c2"), lines) == Line("other", 2)
    assert parts.reply(asked("You are the Researcher", step="c1"), lines) != Line("one")
