"""What is kept of a task: its outcome and its thoughts, whoever has owned it."""

from __future__ import annotations

import json

from cluster.kernel.events import Answered, Detail, Event, Hedged, Spent, Submitted, Thought
from cluster.kernel.feed import StepThoughts, TaskSummary
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.usage import Usage
from cluster.kernel.vocabulary import Answer
from cluster.runtime.tasks.record_draft import THOUGHT_CHARS_MAX, RecordDraft

TASK = TaskId("0" * 32)
SUBMITTED = Submitted("why?", "", 100.0, 160.0, owner="ann", is_detached=True)


def event(detail: Detail, at_s: float = 0.0, step: str = "") -> Event:
    return Event(at_s, TASK, AgentId("manager-0"), StepId(step), detail)


def test_a_task_is_listed_as_running_until_its_end() -> None:
    draft = RecordDraft(TASK)
    draft.observe(event(SUBMITTED))
    assert draft.summary() == TaskSummary(
        TASK, "why?", "running", "ann", is_detached=True, submitted_wall_s=100.0
    )

    draft.observe(event(Answered(Answer("so")), at_s=2.5))
    assert draft.summary() == TaskSummary(
        TASK,
        "why?",
        "answered",
        "ann",
        is_detached=True,
        submitted_wall_s=100.0,
        ended_wall_s=102.5,
    )
    assert json.loads(draft.record().report_json)["answer"] == "so"


def test_thoughts_are_one_piece_for_each_step_and_agent_without_what_stands_in_the_answer() -> None:
    draft = RecordDraft(TASK)
    for said in (
        Thought("a"),
        Thought("R", is_reasoning=True),
        Thought("b"),
        Thought("!", is_final=True),
    ):
        draft.observe(event(said, step="s"))

    assert draft.record().thoughts == (
        StepThoughts("s", "manager-0", "ab"),
        StepThoughts("s", "manager-0", "R", is_reasoning=True),
    )


def test_the_thoughts_of_a_record_are_bounded() -> None:
    draft = RecordDraft(TASK)
    for _ in range(3):
        draft.observe(event(Thought("x" * (THOUGHT_CHARS_MAX - 1))))

    assert sum(len(each.text) for each in draft.record().thoughts) == THOUGHT_CHARS_MAX


def test_what_earlier_owners_have_used_is_counted_once() -> None:
    draft = RecordDraft(TASK)
    draft.count(Usage(model_calls=1, prompt_tokens=7, completion_tokens=2, hedges=1))
    draft.replay(event(Hedged("researcher", 1.0)))
    draft.observe(event(Spent("model", 1.0, 20, 10)))

    used = json.loads(draft.record().report_json)["usage"]
    assert (used["model_calls"], used["prompt_tokens"], used["hedges"]) == (2, 27, 1)
    assert draft.tokens == 39


def test_what_was_said_counts_where_nobody_told_what_was_used() -> None:
    draft = RecordDraft(TASK)
    draft.observe(event(Thought("four" * 50)))
    draft.observe(event(Thought("judged", is_final=True)))

    assert draft.tokens == 50
    draft.observe(event(Spent("model", 1.0, 300, 60)))
    assert draft.tokens == 360
