"""The judge of the task campaign notices each way in which the promise can be broken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cluster.kernel.events import (
    Answered,
    Detail,
    Event,
    Failed,
    PlanReady,
    StepFinished,
    StepStarted,
    Submitted,
)
from cluster.kernel.ids import NO_STEP, AgentId, StepId, TaskId
from cluster.kernel.vocabulary import Answer, Failure, Finding, Plan, Step
from cluster.wire.messages import MessageCodec
from tests.chaos.event_log import Record
from tests.chaos.figures import Figures, merged, spread
from tests.chaos.task_judge import judge_ends, judge_journal, judge_steps, recovery_s

TASK = TaskId("t")


def record(what: str, t: float = 0.0, **more: Any) -> Record:
    return {"what": what, "t": t, "pid": 1, "agent": "researcher-0", "task": TASK, **more}


def ended(kind: str = "answered", ends: int = 1) -> Record:
    return record("ended", kind=kind, ends=ends, why="")


def figures_of_ends(*records: Record) -> Figures:
    figures = Figures("test", 0)
    judge_ends(records, figures)
    return figures


def test_a_task_with_one_end_breaks_no_promise() -> None:
    figures = figures_of_ends(record("submitted"), ended())

    assert (figures.tasks, figures.answered, figures.violations) == (1, 1, 0)


def test_a_task_without_an_end_is_a_violation() -> None:
    assert figures_of_ends(record("submitted")).without_end == 1


def test_a_task_whose_driver_was_killed_has_its_end_in_its_journal() -> None:
    figures = figures_of_ends(
        record("ready", agent="submitter-0", pid=1),
        record("submitted", agent="submitter-0", pid=1),
        record("ready", agent="submitter-0", pid=2),
    )
    judge_journal(TASK, None, journal(*BEGINNING, END), figures)

    assert (figures.orphaned, figures.violations) == (1, 0)

    judge_journal(TASK, None, journal(*BEGINNING), figures)

    assert figures.without_end == 1


def test_a_second_end_is_a_violation() -> None:
    assert figures_of_ends(record("submitted"), ended(), ended()).ended_twice == 1
    assert figures_of_ends(record("submitted"), ended(ends=2)).ended_twice == 1


def figures_of_steps(*records: Record) -> Figures:
    figures = Figures("test", 0)
    judge_steps(records, figures)
    return figures


def test_a_step_begun_after_its_record_is_a_violation() -> None:
    begun = record("begun", 1.0, step="r1", attempt=1)
    kept = record("kept", 2.0, step="r1")
    again = record("begun", 3.0, step="r1", attempt=2)

    assert figures_of_steps(begun, kept, again).run_again == 1
    assert figures_of_steps(again, begun, kept).run_again == 1


def test_a_step_begun_again_before_its_record_is_a_redelivery() -> None:
    figures = figures_of_steps(
        record("begun", 1.0, step="r1", attempt=1),
        record("effect", 1.5, step="r1"),
        record("begun", 2.0, step="r1", attempt=2),
        record("effect", 2.5, step="r1"),
        record("kept", 3.0, step="r1"),
    )

    assert (figures.run_again, figures.redeliveries, figures.refused_again) == (0, 1, 1)


def events(*details: Detail) -> list[Event]:
    """Return the events of a journal; facts about steps are about the only one."""
    made = []
    for number, detail in enumerate(details, 1):
        step = StepId("r1") if isinstance(detail, (StepStarted, StepFinished)) else NO_STEP
        made.append(Event(float(number), TASK, AgentId("manager-0"), step, detail, number))
    return made


def entries(*events_: Event) -> tuple[bytes, ...]:
    """Return a journal's entries."""
    codec = MessageCodec()
    return tuple(codec.encode(event)[1] for event in events_)


def journal(*details: Detail) -> tuple[bytes, ...]:
    """Return the entries of a journal of these facts."""
    return entries(*events(*details))


BEGINNING: tuple[Detail, ...] = (
    Submitted("why?", "", 1.0, 2.0),
    PlanReady(Plan((Step(StepId("r1"), "researcher", "look"),))),
    StepStarted(),
    StepFinished("finished", value=Finding("found")),
)
END = Answered(Answer("so"))


def figures_of_journal(*details: Detail, kind: str = "answered") -> Figures:
    figures = Figures("test", 0)
    judge_journal(TASK, ended(kind), journal(*details), figures)
    return figures


def test_a_whole_journal_breaks_no_promise() -> None:
    assert figures_of_journal(*BEGINNING, END).violations == 0


def test_a_journal_without_an_end_is_a_violation() -> None:
    assert figures_of_journal(*BEGINNING).without_end == 1


def test_an_answer_without_a_journal_is_a_violation() -> None:
    assert figures_of_journal().without_end == 1


def test_a_driver_that_saw_another_end_than_the_journals_is_a_violation() -> None:
    assert figures_of_journal(*BEGINNING, END, kind="cancelled").ended_twice == 1


def test_a_driver_that_gave_up_at_its_deadline_may_miss_an_end_of_that_moment_only() -> None:
    def figures_of_end(final_at_s: float) -> Figures:
        figures = Figures("test", 0)
        late = record("ended", 42.0, kind="failed", ends=1, why="deadline: too late")
        ends = judge_ends([record("submitted", 2.0), late], figures)
        *beginning, final = events(*BEGINNING, END)
        judge_journal(
            TASK, ends[TASK], entries(*beginning, replace(final, at_s=final_at_s)), figures
        )
        return figures

    assert (figures_of_end(39.0).late, figures_of_end(39.0).ended_twice) == (1, 0)
    assert (figures_of_end(30.0).late, figures_of_end(30.0).ended_twice) == (0, 1)


def test_a_journal_that_can_not_be_folded_is_a_violation() -> None:
    twice = figures_of_journal(*BEGINNING, END, Failed(Failure("x", "y")))
    again = figures_of_journal(*BEGINNING, BEGINNING[-1], END)

    assert twice.violations == 1
    assert again.violations == 1


def test_recovery_is_from_a_death_to_the_moment_somebody_goes_on() -> None:
    records = [
        record("begun", 1.0, step="r1"),
        record("begun", 1.0, step="r2"),
        record("kept", 1.5, step="r2"),
        record("begun", 4.5, step="r1", pid=2),
        record("begun", 5.0, step="r2", pid=2),
        record("appended", 1.2, index=1, is_final=False),
        record("appended", 3.5, index=2, is_final=False, pid=2),
    ]

    assert sorted(recovery_s(records, pid=1, died=2.0)) == [1.5, 2.5]
    assert sorted(recovery_s(records, pid=1, died=2.0, deaths=[2.0, 4.0])) == [0.5, 1.5]


def test_cells_of_a_scenario_add_up() -> None:
    first = Figures("a", 1, runs=2, lost=1, recover_s=[1.0])
    second = Figures("a", 2, runs=3, recover_s=[3.0])
    other = Figures("b", 3, runs=5)

    summed, alone = merged([first, second, other])

    assert (summed.runs, summed.lost, summed.violations) == (5, 1, 1)
    assert spread(summed.recover_s) == {"n": 2, "p50": 3.0, "p99": 3.0, "max": 3.0}
    assert alone.runs == 5
