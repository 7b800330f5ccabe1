"""Who decides a conflict: never an agent against a person, and the same one for everybody."""

from __future__ import annotations

from cluster.kernel.ids import NO_TASK, StepId, TaskId
from cluster.kernel.state.conflicts import Conflict, Sibling
from cluster.kernel.state.deciding import (
    LeftOpen,
    Settled,
    ToBeAsked,
    deciding_task,
    judged,
    resolution_step,
)
from cluster.kernel.state.stamps import NOBODY, Stamp, Writer
from cluster.kernel.state.values import Value


def by_agent(value: Value, version: int, task: str = "t") -> Sibling:
    writer = Writer(Stamp(version, 0, "coder-0"), version, TaskId(task), StepId(f"s{version}"))
    return Sibling(value, writer)


def by_person(value: Value, version: int) -> Sibling:
    step = StepId(f"person/{version}")
    return Sibling(value, Writer(Stamp(version, 0, "anna"), version, NO_TASK, step))


def conflict(*siblings: Sibling, key: str | None = None) -> Conflict:
    return Conflict("verdict", key, siblings)


def test_agents_have_to_be_asked() -> None:
    assert judged(conflict(by_agent("yes", 1), by_agent("no", 2))) == ToBeAsked()


def test_what_a_person_wants_stands_against_agents_whoever_came_first() -> None:
    person = by_person("maybe", 2)

    assert judged(conflict(by_agent("yes", 1), person)) == Settled(person)
    assert judged(conflict(person, by_agent("no", 3), by_agent("yes", 4))) == Settled(person)


def test_between_two_persons_only_a_person_decides() -> None:
    assert judged(conflict(by_person("yes", 1), by_person("no", 2))) == LeftOpen()


def test_a_task_decides_what_is_in_conflict_in_its_own_documents() -> None:
    persons = conflict(by_agent("yes", 1, "t1"), by_person("no", 2))

    assert deciding_task("task/t2/Board/key", persons) == "t2"


def test_of_a_document_of_the_cluster_the_task_that_came_last_has_it_decided() -> None:
    document = "cluster/Board"
    assert deciding_task(document, conflict(by_agent(1, 1, "t1"), by_agent(2, 2, "t2"))) == "t2"
    assert deciding_task(document, conflict(by_agent(1, 1, "t1"), by_person(2, 2))) == "t1"


def test_what_no_task_has_made_no_task_decides() -> None:
    default = Sibling(None, NOBODY)

    assert deciding_task("cluster/Board", conflict(default, by_person(2, 2))) == NO_TASK


def test_a_decision_is_called_the_same_by_whoever_makes_it() -> None:
    found = conflict(by_agent("yes", 1), by_agent("no", 2))

    assert resolution_step("d", 1, found) == resolution_step("d", 1, found)


def test_what_decides_something_else_is_called_otherwise() -> None:
    found = conflict(by_agent("yes", 1), by_agent("no", 2))
    others = [
        resolution_step("e", 1, found),
        resolution_step("d", 2, found),
        resolution_step("d", 1, conflict(*found.siblings, key="")),
        resolution_step("d", 1, conflict(by_agent("yes", 1), by_agent("no", 3))),
    ]

    assert len({resolution_step("d", 1, found), *others}) == 5
