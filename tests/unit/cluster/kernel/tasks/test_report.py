"""The fold of a task's events into the FIXED object, and single events as FIXED lines."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, cast

import pytest

from cluster.kernel.events import (
    Answered,
    Clarified,
    ConflictSide,
    Corrected,
    Detail,
    Event,
    Failed,
    FellBack,
    FindingReady,
    PlanReady,
    ProgramRan,
    ProgramWritten,
    Spent,
    StateConflicted,
    StateMerged,
    StepFinished,
    StepPlanned,
    StepStale,
    StepStarted,
    Submitted,
    Thought,
    WasCancelled,
)
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.reads import DocumentChange
from cluster.kernel.tasks.report import TaskReport, event_to_json
from cluster.kernel.usage import Usage
from cluster.kernel.vocabulary import (
    Answer,
    Basis,
    Citation,
    Claim,
    Failure,
    Finding,
    Passage,
    Plan,
    Program,
    Run,
    Step,
    StepProgram,
    Support,
)

FACTS = DocumentChange("cluster/Board", ("facts",), 3, 4)
FACTS_LINE = {
    "document": "cluster/Board",
    "places": ["facts"],
    "from_version": 3,
    "to_version": 4,
    "is_gone": False,
}
TASK = TaskId("t1")
R1 = Step(StepId("r1"), "researcher", "look up")
R1_LINE = {"id": "r1", "agent": "researcher", "instruction": "look up", "needs": []}
R2 = Step(StepId("r2"), "researcher", "look up more")
C1 = Step(StepId("c1"), "coder", "write", (StepId("r1"), StepId("r2")))
CITATION = Citation("docs/a.md", 3, 4, "a quote")
ANSWER = Answer(
    "It is so [1].",
    (CITATION,),
    (StepProgram(StepId("c1"), Program("print(1)", Run(0, "1\n", "", 0.1))),),
    ("said plainly",),
    (Claim("It is so.", Support.PARAPHRASED, (0,)), Claim("It is 1.", Support.QUOTED, (), (0,))),
)


def event(at_s: float, detail: Detail, step: str = "", agent: str = "manager-0") -> Event:
    return Event(at_s, TASK, AgentId(agent), StepId(step), detail)


def reported(*events: Event) -> dict[str, Any]:
    report = TaskReport(TASK)
    for item in events:
        report.observe(item)
    return cast("dict[str, Any]", report.to_json())


WHOLE_TASK = (
    event(0.0, Submitted("why?")),
    event(0.1, Thought("{"), "plan"),
    event(0.5, Spent("model", 0.5, 10, 20), "plan"),
    event(0.5, PlanReady(Plan((R1, R2, C1)))),
    event(0.5, StepStarted(), "r1"),
    event(0.5, StepStarted(), "r2"),
    event(1.0, Spent("tool", 0.1, 0, 0, 0, 7, 0.5, 0.25, 1), "r1", "researcher-0"),
    event(1.5, Spent("model", 0.9, 5, 5), "r1", "researcher-0"),
    event(1.5, StepFinished("finished"), "r1"),
    event(2.5, Spent("model", 2.0, 5, 5), "r2", "researcher-0"),
    event(2.5, StepFinished("finished"), "r2"),
    event(2.6, StepStarted(), "c1"),
    event(2.7, StepStarted(2, "the coder was restarted"), "c1"),
    event(2.8, FellBack("program", "the model's did not run"), "c1", "coder-0"),
    event(3.6, Spent("tool", 1.0, wasted_tokens=4), "c1", "coder-0"),
    event(3.6, StepFinished("finished", 2), "c1", "coder-0"),
    event(4.0, Spent("model", 0.4, 1, 2), "answer"),
    event(4.25, Answered(ANSWER)),
)


def test_the_object_has_exactly_the_fixed_keys() -> None:
    whole = reported(*WHOLE_TASK)

    assert " ".join(whole) == (
        "task status answer citations programs degraded claims plan steps knowledge usage timing "
        "error"
    )
    assert list(whole["plan"]) == ["steps"]
    assert " ".join(whole["steps"][0]) == (
        "id agent instruction needs started_s finished_s outcome attempts speculated fallback"
    )
    assert " ".join(whole["usage"]) == (
        "model_calls prompt_tokens completion_tokens wasted_tokens saved_tokens saved_s cost hedges"
        " speculations"
    )
    assert " ".join(whole["timing"]) == (
        "wall_s first_thought_s critical_path_s model_s overhead_s"
    )
    assert " ".join(whole["citations"][0]) == "source start_line end_line quote"
    assert " ".join(whole["claims"][0]) == "text support citations programs"
    assert " ".join(whole["programs"][0]) == "step language source exit_code stdout stderr"
    assert json.loads(json.dumps(whole)) == whole


def test_a_citation_has_a_page_only_where_its_source_has_pages() -> None:
    cited = (CITATION, replace(CITATION, page=7))

    whole = reported(event(0.1, Answered(Answer("It is so [1][2].", cited))))

    assert ["page" in each for each in whole["citations"]] == [False, True]
    assert whole["citations"][1]["page"] == 7


def test_a_whole_task_is_reported_with_its_answer_steps_and_usage() -> None:
    whole = reported(*WHOLE_TASK)

    assert (whole["task"], whole["status"], whole["error"]) == ("t1", "answered", None)
    assert whole["answer"] == "It is so [1]."
    assert whole["citations"] == [
        {"source": "docs/a.md", "start_line": 3, "end_line": 4, "quote": "a quote"}
    ]
    assert whole["programs"][0]["exit_code"] == 0
    assert whole["degraded"] == ["said plainly"]
    assert whole["claims"] == [
        {"text": "It is so.", "support": "paraphrased", "citations": [0], "programs": []},
        {"text": "It is 1.", "support": "quoted", "citations": [], "programs": [0]},
    ]
    assert whole["plan"]["steps"][2]["needs"] == ["r1", "r2"]
    assert whole["steps"][2] == {
        **whole["plan"]["steps"][2],
        "started_s": 2.6,
        "finished_s": 3.6,
        "outcome": "finished",
        "attempts": 2,
        "speculated": False,
        "fallback": True,
    }
    assert whole["usage"] == {
        "model_calls": 4,
        "prompt_tokens": 21,
        "completion_tokens": 32,
        "wasted_tokens": 4,
        "saved_tokens": 7,
        "saved_s": 0.5,
        "cost": 0.25,
        "hedges": 1,
        "speculations": 0,
    }


def test_the_critical_path_is_plan_longest_path_and_answer() -> None:
    timing = reported(*WHOLE_TASK)["timing"]

    assert timing["wall_s"] == 4.25
    assert timing["first_thought_s"] == 0.1
    assert timing["critical_path_s"] == pytest.approx(0.5 + 2.0 + 1.0 + 0.4)
    assert timing["model_s"] == pytest.approx(0.5 + 2.0 + 0.4)
    assert timing["overhead_s"] == pytest.approx(4.25 - 3.9)


def test_only_who_has_done_a_step_can_have_fallen_back_at_it() -> None:
    plan = Plan((Step(StepId("r1"), "researcher", "look", ()),))
    whole = reported(
        event(0.1, PlanReady(plan)),
        event(0.2, StepStarted(), "r1"),
        event(0.3, FellBack("research", "no model"), "r1", "researcher-0"),
        event(0.4, StepFinished("finished"), "r1", "researcher-1"),
    )

    assert whole["steps"][0]["fallback"] is False


def test_a_failed_task_says_why_what_fell_back_and_where_its_steps_stood() -> None:
    whole = reported(
        event(0.1, PlanReady(Plan((R1, R2, C1)))),
        event(0.2, StepStarted(), "r1"),
        event(0.2, StepStarted(), "r2"),
        event(0.3, FellBack("search", "no embeddings"), "r2"),
        event(0.4, StepFinished("failed", 1, Failure("model", "it refused")), "r1"),
        event(0.5, Failed(Failure("model", "the model refused"))),
    )

    assert whole["status"] == "failed"
    assert whole["error"] == {"kind": "model", "message": "the model refused"}
    assert (whole["answer"], whole["citations"], whole["programs"]) == ("", [], [])
    assert whole["degraded"] == ["search: no embeddings"]
    assert [step["outcome"] for step in whole["steps"]] == ["failed", "unfinished", "not_started"]
    assert whole["steps"][2]["started_s"] is None
    assert whole["timing"]["first_thought_s"] is None


def test_a_cancelled_task_is_reported_as_cancelled() -> None:
    whole = reported(event(0.5, WasCancelled()))

    assert whole["status"] == "cancelled"
    assert whole["error"] == {"kind": "cancelled", "message": "the task was cancelled"}


def test_nothing_after_the_terminal_event_changes_the_report() -> None:
    report = TaskReport(TASK)
    report.observe(event(1.0, Answered(ANSWER)))

    report.observe(event(2.0, Failed(Failure("model", "late"))))

    assert report.is_finished
    assert report.status == "answered"
    assert report.failure is None


def test_what_a_second_look_finds_and_takes_is_in_the_report() -> None:
    doubted = Answer("So [unverified].", claims=(Claim("So.", Support.UNVERIFIED),))
    correction = Corrected(0, "So.", Support.PARAPHRASED, (CITATION,))

    whole = reported(
        event(1.0, Answered(doubted)),
        event(2.0, Spent("model", 0.5, 10, 3), "verify"),
        event(2.0, correction, "verify"),
        event(2.0, correction, "verify"),
    )

    assert whole["answer"] == "So [1]."
    assert len(whole["citations"]) == 1
    assert whole["claims"][0]["support"] == "paraphrased"
    assert (whole["usage"]["model_calls"], whole["timing"]["wall_s"]) == (1, 1.0)


def test_a_correction_without_an_answer_is_passed_over() -> None:
    whole = reported(event(1.0, Failed(Failure("model", "no"))), event(2.0, Corrected(0, "So.")))

    assert (whole["status"], whole["answer"]) == ("failed", "")


def test_the_ready_plan_replaces_steps_that_were_planned_and_dropped() -> None:
    whole = reported(
        event(0.1, StepPlanned(R1)),
        event(0.1, StepStarted(), "r1"),
        event(0.2, StepPlanned(Step(StepId("x"), "nobody", "?"))),
        event(0.3, PlanReady(Plan((R1, R2)))),
    )

    assert [step["id"] for step in whole["steps"]] == ["r1", "r2"]
    assert whole["steps"][0]["started_s"] == 0.1


@pytest.mark.parametrize(
    ("detail", "fields"),
    [
        (Submitted("why?"), {"goal": "why?"}),
        (
            StepPlanned(R1, ("The plan: small answers.",)),
            {"planned": R1_LINE},
        ),
        (StepStarted(2, "again"), {"attempt": 2, "reason": "again"}),
        (
            Thought("hm", is_reasoning=True),
            {"text": "hm", "is_reasoning": True, "is_final": False},
        ),
        (Clarified("Which?"), {"question": "Which?"}),
        (
            PlanReady(Plan((R1,)), spent=Usage(1)),
            {
                "plan": {
                    "steps": [
                        {"id": "r1", "agent": "researcher", "instruction": "look up", "needs": []}
                    ]
                },
                "degraded": [],
            },
        ),
        (
            FindingReady(
                Finding(
                    "a [1]",
                    (CITATION,),
                    (),
                    (Claim("a", Support.QUOTED, (0,)),),
                    Basis.DOCUMENTS,
                    (Passage("docs/a.md", 1, 9, "long"),),
                )
            ),
            {
                "text": "a [1]",
                "citations": [
                    {"source": "docs/a.md", "start_line": 3, "end_line": 4, "quote": "a quote"}
                ],
                "degraded": [],
                "claims": [{"text": "a", "support": "quoted", "citations": [0], "programs": []}],
                "basis": "documents",
            },
        ),
        (ProgramWritten("1", 2, "x.md"), {"source": "1", "attempt": 2, "origin": "x.md"}),
        (
            ProgramRan(Run(1, "o", "e", 0.25)),
            {"exit_code": 1, "stdout": "o", "stderr": "e", "duration_s": 0.25},
        ),
        (FellBack("plan", "no JSON"), {"what": "plan", "reason": "no JSON"}),
        (
            StepFinished("failed", 3, Failure("model", "no")),
            {"outcome": "failed", "attempts": 3, "error": {"kind": "model", "message": "no"}},
        ),
        (
            Corrected(1, "It is so.", Support.QUOTED, (CITATION,)),
            {
                "claim": 1,
                "text": "It is so.",
                "support": "quoted",
                "citations": [
                    {"source": "docs/a.md", "start_line": 3, "end_line": 4, "quote": "a quote"}
                ],
            },
        ),
        (Failed(Failure("model", "no")), {"error": {"kind": "model", "message": "no"}}),
        (WasCancelled("stop"), {"reason": "stop"}),
        (
            StepStale((FACTS,), 1, (StepId("r1"),)),
            {"changes": [FACTS_LINE], "redo": 1, "results": ["r1"]},
        ),
        (StateMerged((FACTS,)), {"changes": [FACTS_LINE]}),
        (
            StateConflicted("cluster/Board", "verdict", "", (ConflictSide('"yes"', "ann"),)),
            {
                "document": "cluster/Board",
                "field": "verdict",
                "key": "",
                "sides": [{"value": '"yes"', "author": "ann", "step": "", "version": 0}],
            },
        ),
    ],
)
def test_a_line_has_its_place_its_kind_and_its_own_fields(
    detail: Detail, fields: dict[str, object]
) -> None:
    line = event_to_json(event(1.5, detail, "r1", "researcher-0"))

    assert line == {
        "at_s": 1.5,
        "task": "t1",
        "kind": detail.kind,
        "agent": "researcher-0",
        "step": "r1",
        **fields,
    }


def test_the_line_of_the_answer_is_what_the_object_says() -> None:
    line = event_to_json(event(1.0, Answered(ANSWER)))
    whole = reported(event(1.0, Answered(ANSWER)))

    assert line is not None
    keys = ("answer", "citations", "programs", "degraded", "claims")
    assert {key: line[key] for key in keys} == {key: whole[key] for key in keys}


def test_the_document_of_a_citation_is_none_of_its_fixed_keys() -> None:
    cited = Answered(Answer("It is.", (Citation("a.md", 1, 1, "It is.", document="d"),)))

    [line] = [event_to_json(event(1.0, cited))]

    assert line is not None
    [told] = cast("list[dict[str, object]]", line["citations"])
    assert told.keys() == {"source", "start_line", "end_line", "quote"}


def test_the_line_of_a_plan_has_its_steps() -> None:
    line = event_to_json(event(1.0, PlanReady(Plan((R1, C1)))))

    assert line is not None
    assert line["plan"] == reported(event(1.0, PlanReady(Plan((R1, C1)))))["plan"]


def test_what_was_spent_is_not_shown() -> None:
    assert event_to_json(event(1.0, Spent("model", 1.0))) is None
