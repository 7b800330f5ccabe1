"""The trial's rule: what is a used plan, a relevant sentence, a right program, a wrong denial."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.trial.__main__ import table, totals
from benchmarks.trial.bare import is_right
from benchmarks.trial.grading import (
    Grade,
    Sentence,
    grade,
    is_denied,
    plain,
    plan_kind,
    relevant_sentence,
    right,
    sentences,
)
from benchmarks.trial.product import Tried, holds, queries
from benchmarks.trial.questions import ASYNCIO, Question, read_questions
from cluster.kernel.vocabulary import Passage, Run
from tests.support.fake_tools import FakeSandbox
from tests.support.scripted_model import ScriptedModel

QUESTIONS = read_questions()
BY_TOPIC = {question.topic: question for question in QUESTIONS.values()}
PROGRAMS: dict[str, dict[str, dict[str, str]]] = tomllib.loads(
    Path(__file__).with_name("trial_programs.toml").read_text(encoding="utf-8")
)
LOCK = BY_TOPIC["Lock"]
FACT = "If an attempt is made to release an unlocked lock, a `RuntimeError` will be raised"
STANDARD = "The standard workflow replaces the model's plan: it names no agent."
MENDED = "The plan named r1 twice; one step was made of it."
STEPS = {"steps": [{"id": "r1", "agent": "researcher", "instruction": "locks", "needs": []}]}


def report(answer: str = "", **more: Any) -> dict[str, Any]:
    citation = {"source": "locks.py", "start_line": 1, "end_line": 1, "quote": "..."}
    return {"answer": answer, "citations": [citation], "plan": STEPS, **more}


def fell_back(what: str, reason: str) -> dict[str, Any]:
    return {"kind": "fell_back", "step": "plan", "what": what, "reason": reason}


def test_there_are_twelve_questions_of_which_ten_ask_for_a_program() -> None:
    assert len(BY_TOPIC) == len(QUESTIONS) == 12
    assert sum(question.program is not None for question in QUESTIONS.values()) == 10


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=lambda question: question.topic)
def test_every_question_can_be_answered_from_this_interpreters_own_sources(
    question: Question,
) -> None:
    text = plain((ASYNCIO / question.passage.file).read_text(encoding="utf-8"))
    said = re.split(r"(?<=[.!?]) ", text)

    assert re.search(question.passage.contains, text, re.IGNORECASE)
    assert [fact for fact in question.facts if not any(_states(fact, each) for each in said)] == []


def _states(fact: str, sentence: str) -> bool:
    return re.search(fact, sentence, re.IGNORECASE) is not None


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=lambda question: question.topic)
def test_the_question_itself_is_no_answer(question: Question) -> None:
    assert relevant_sentence(question, report(f"{question.goal} [1]")) == ""


@pytest.mark.parametrize("topic", PROGRAMS)
def test_a_right_program_passes_and_a_wrong_one_fails(topic: str) -> None:
    expected = BY_TOPIC[topic].program
    assert expected is not None

    made = {kind: {**program, "exit_code": 0} for kind, program in PROGRAMS[topic].items()}

    assert right(expected, made["right"])
    assert not right(expected, made["wrong"])
    assert not right(expected, {**made["right"], "exit_code": 1})
    assert not right(expected, {**made["right"], "stdout": ""})


def test_a_semaphore_that_is_asked_for_its_value_shows_nothing() -> None:
    expected = BY_TOPIC["Semaphore"].program
    assert expected is not None
    program = {"source": "s = Semaphore(2)\nprint(max(0, s._value))", "stdout": "2", "exit_code": 0}

    assert not right(expected, program)


def test_every_program_that_is_asked_for_has_been_written_here() -> None:
    asked = {question.topic for question in QUESTIONS.values() if question.program is not None}

    assert set(PROGRAMS) == asked


def test_a_plan_is_used_mended_or_replaced() -> None:
    other = fell_back("answer", "the standard workflow is no plan's matter here")

    assert plan_kind(report(), []) == "used"
    assert plan_kind(report(), [other]) == "used"
    assert plan_kind(report(), [fell_back("plan", MENDED)]) == "mended"
    assert plan_kind(report(), [{"kind": "plan_ready", "degraded": [MENDED]}]) == "mended"
    assert plan_kind(report(), [fell_back("plan", STANDARD)]) == "standard"
    assert plan_kind(report(), [{"kind": "plan_ready", "degraded": [STANDARD]}]) == "standard"
    assert plan_kind(report(degraded=[STANDARD]), []) == "standard"
    assert plan_kind(report(plan={"steps": []}), []) == "none"


def test_a_sentence_counts_with_a_citation_that_exists_and_a_fact() -> None:
    assert relevant_sentence(LOCK, report(f"Locks are simple. {FACT} [1]. So there."))
    assert relevant_sentence(LOCK, report(f"- {FACT}. [1]\n- Another item."))
    assert relevant_sentence(LOCK, report(f"{FACT}. Locks are fair [1].")) == ""
    assert relevant_sentence(LOCK, report(f"{FACT} [2].")) == ""
    assert relevant_sentence(LOCK, report(f"{FACT} [1] [unverified].")) == ""
    assert relevant_sentence(LOCK, report("A lock is not owned by a coroutine [1].")) == ""


def test_code_and_questions_are_no_sentences() -> None:
    shield = BY_TOPIC["shield"]
    said = "Wait for a future, shielding it from cancellation"

    assert relevant_sentence(shield, report(f"{said} [1]."))
    assert relevant_sentence(shield, report(f'def shield(arg): """{said} [1].')) == ""
    assert relevant_sentence(shield, report(f"{said} [1]?")) == ""
    assert relevant_sentence(LOCK, report(f"Look:\n\n```text\n{FACT} [1].\n```\n")) == ""


def test_claims_are_taken_where_there_are_some() -> None:
    def of(support: str, citations: list[int]) -> dict[str, Any]:
        claim = {"text": f"{FACT} [1].", "support": support, "citations": citations, "programs": []}
        return report(f"{FACT} [1].", claims=[claim])

    assert relevant_sentence(LOCK, of("quoted", [0]))
    assert relevant_sentence(LOCK, of("paraphrased", [0]))
    assert relevant_sentence(LOCK, of("unverified", [0])) == ""
    assert relevant_sentence(LOCK, of("quoted", [])) == ""
    assert relevant_sentence(LOCK, report(f"{FACT} [1].", claims=[])) == ""


def test_an_answer_is_split_into_sentences_with_their_own_citations() -> None:
    answer = "## Locks\n\nOne is made [1]. It has\ntwo states [1][2].\n\n1. First.\n2. Second [3]"

    assert sentences({"answer": answer}) == [
        Sentence("## Locks"),
        Sentence("One is made.", (0,)),
        Sentence("It has two states.", (0, 1)),
        Sentence("First."),
        Sentence("Second", (2,)),
    ]


def test_a_denial_is_wrong_only_where_the_passage_was_found() -> None:
    denied = report("The documents have nothing on this question.")

    assert is_denied(denied)
    assert is_denied(report("Yes.", degraded=["The documents have nothing on this question."]))
    assert not is_denied(report(f"{FACT} [1]."))
    assert grade(LOCK, denied, [], is_found=True).is_denied_wrongly
    assert not grade(LOCK, denied, [], is_found=False).is_denied_wrongly


def test_of_several_programs_the_last_is_graded() -> None:
    made = PROGRAMS["Lock"]
    programs = [{**made[kind], "exit_code": 0} for kind in ("right", "wrong")]

    assert not grade(LOCK, report(programs=programs), [], is_found=True).is_program_right
    assert grade(LOCK, report(programs=programs[::-1]), [], is_found=True).is_program_right


def test_the_expected_passage_is_known_by_its_file_and_its_words() -> None:
    text = "attempt is made to release an\n    unlocked lock, a RuntimeError will be raised"

    assert holds(LOCK.passage, Passage("asyncio/locks.py", 1, 2, text))
    assert not holds(LOCK.passage, Passage("asyncio/queues.py", 1, 2, text))
    assert not holds(LOCK.passage, Passage("asyncio/locks.py", 1, 2, "another text"))
    assert queries(LOCK, report()) == [LOCK.goal, "locks"]


def test_a_try_is_graded_again_as_it_was_saved(tmp_path: Path) -> None:
    saved = Tried(LOCK.goal, report(f"{FACT} [1]."), [], is_found=True, exit_code=0, python="3.11")

    saved.write(tmp_path / "trial" / "9.json")

    assert Tried.read(tmp_path / "trial" / "9.json") == saved


def test_the_table_has_a_row_for_each_question_and_the_totals_below() -> None:
    good = Grade(
        plan="mended",
        sentence="A | fact.",
        is_program_asked=True,
        is_program_offered=True,
        is_program_right=True,
        is_denied_wrongly=False,
        seconds=12.3,
    )
    bad = replace(
        good,
        plan="standard",
        sentence="",
        is_program_asked=False,
        is_program_offered=False,
        is_program_right=False,
        is_denied_wrongly=True,
        seconds=5.0,
    )

    shown = table(QUESTIONS, {1: good, 4: bad}).splitlines()

    assert shown[2].endswith(r"| mended | A \| fact. | right | no | 12 |")
    assert shown[3].endswith("| standard | none | not asked | yes | 5 |")
    assert shown[-1] == '- "nothing" said though the passage was found: 1 of 2 (goal 0: NOT met)'
    assert [total.is_met for total in totals([good] * 12)] == [True] * 4


async def test_a_model_alone_is_told_its_error_and_judged_by_its_last_program() -> None:
    program = PROGRAMS["Lock"]["right"]
    wrong, mended = "```python\nimport nothing\n```", f"```python\n{program['source']}\n```"
    model = ScriptedModel({"alone": [wrong, mended]})
    sandbox = FakeSandbox(
        lambda source: (
            Run(1, "", "no module") if "nothing" in source else Run(0, "RuntimeError", "")
        )
    )

    assert await is_right(LOCK, model, sandbox)
    assert "no module" in model.asked("alone")[1]
