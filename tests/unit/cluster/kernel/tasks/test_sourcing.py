"""What an agent wrote is never evidence for another: only what was searched for is."""

from __future__ import annotations

from dataclasses import replace

from cluster.kernel.events import Detail, Event, PlanReady, StepFinished, StepStarted, Submitted
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.reads import Reads, Saw
from cluster.kernel.tasks.history import Compose, TaskHistory
from cluster.kernel.vocabulary import Citation, Finding, Passage, Plan, Program, Step

CITED = Citation("a.md", 3, 3, "The sky is blue.")
PART = replace(CITED, quote="sky is blue")
FORGED = Citation("a.md", 3, 3, "The sky is green.")
PLAN = Plan((Step(StepId("a"), "researcher", "a"), Step(StepId("b"), "own", "b", (StepId("a"),))))


def read(*, knowledge: bool = False, board: bool = False) -> Saw:
    reads = Reads()
    if knowledge:
        reads.passages("manuals", 7)
    if board:
        reads.state("task/t/Board", 3, ["facts"])
    return reads.saw()


def unsourced(first: object, saw: Saw | None, second: object, other: Saw | None) -> list[bool]:
    """Say of two steps, of which the second needs the first, whether they are unsourced."""
    history = TaskHistory()
    details: list[tuple[str, Detail]] = [
        ("", Submitted("why?")),
        ("", PlanReady(PLAN)),
        ("a", StepStarted()),
        ("a", StepFinished("finished", value=first, saw=saw)),
        ("b", StepStarted()),
        ("b", StepFinished("finished", value=second, saw=other)),
    ]
    for index, (step, detail) in enumerate(details, 1):
        event = Event(0.0, TaskId("t"), AgentId("a-0"), StepId(step), detail, index)
        history.apply(event)
    [order] = history.orders()
    assert isinstance(order, Compose)
    return [result.is_unsourced for result in order.results]


def test_what_an_agent_cites_that_has_searched_nothing_is_its_own_word() -> None:
    found = Finding("It is blue [1].", (CITED,))
    assert unsourced(found, read(knowledge=True), found, read()) == [False, False]
    assert unsourced(found, read(), found, read(knowledge=True)) == [True, False]


def test_a_fact_of_a_board_is_no_source() -> None:
    fact = Finding("It is green [1].", (FORGED,))
    quoted = Finding("It is green.", passages=(Passage("a.md", 3, 3, FORGED.quote),))
    found = Finding("It is blue [1].", (CITED,))
    assert unsourced(found, read(knowledge=True), fact, read(board=True)) == [False, True]
    assert unsourced(found, read(knowledge=True), quoted, read(board=True)) == [False, True]


def test_the_text_of_another_agents_finding_is_no_source() -> None:
    said = Finding("The sky is green.", (CITED,))
    quoting = Finding("It is green [1].", (FORGED,))
    assert unsourced(said, read(knowledge=True), quoting, read()) == [False, True]


def test_what_others_have_cited_may_be_passed_on_or_a_part_of_it() -> None:
    found, passed_on = Finding("Blue [1].", (CITED,)), Finding("Blue [1].", (PART,))
    assert unsourced(found, read(knowledge=True), passed_on, read()) == [False, False]
    assert unsourced(found, read(), passed_on, read()) == [True, True]


def test_of_what_an_older_version_did_nothing_is_known() -> None:
    found = Finding("It is blue [1].", (CITED,))
    assert unsourced(found, None, found, None) == [False, False]


def test_what_cites_nothing_needs_no_source() -> None:
    assert unsourced(Finding("Blue."), read(), Program("print(1)"), read()) == [False, False]
