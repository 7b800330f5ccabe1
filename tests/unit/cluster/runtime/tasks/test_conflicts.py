"""Two steps of a task differ: it is shown, and decided once, or the answer says that it is open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from cluster.kernel.decisions import ConflictDecision, ConflictRequest
from cluster.kernel.errors import ModelError
from cluster.kernel.events import Answered, Event, StateConflicted
from cluster.kernel.ids import NO_TASK, AgentId, StepId, TaskId
from cluster.kernel.state.deciding import resolution_step
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import (
    Answer,
    Assignment,
    ComposeRequest,
    Finding,
    Plan,
    PlanProposal,
    PlanRequest,
    Step,
)
from cluster.memory.state.entries import StepKey
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.document import Document
from cluster.memory.state.host.documents import Documents
from cluster.runtime.driver.persons_state import PersonsState
from cluster.runtime.host import AgentProfile
from cluster.state.editing import model_of
from tests.support.boards import Board
from tests.support.hosts import FunctionHandler, MemoryCluster

PLAN = Plan((Step(StepId("a"), "researcher", "do a"), Step(StepId("b"), "coder", "do b")))


async def nothing(_: TaskId) -> None:
    """Do nothing."""


class Owners:
    """What the agents of a cluster do, and what they were asked to decide."""

    def __init__(self, decision: object = None) -> None:
        self.decision = decision or ConflictDecision('"no"')
        self.asked: list[ConflictRequest] = []
        self.meanwhile: Callable[[TaskId], Awaitable[None]] = nothing
        """Is done while both write."""
        self._both = asyncio.Barrier(2)

    async def manage(self, message: object, turn: Turn) -> object:
        """The Manager's part."""
        if isinstance(message, PlanRequest):
            return PlanProposal(PLAN)
        if isinstance(message, ConflictRequest):
            return self.decide(message)
        assert isinstance(message, ComposeRequest)
        return Answer("It is done.")

    def decide(self, request: ConflictRequest) -> object:
        """Say what was told to be said."""
        self.asked.append(request)
        if isinstance(self.decision, Exception):
            raise self.decision
        return self.decision

    async def write(self, message: object, turn: Turn) -> object:
        """Write a verdict while another step does."""
        if isinstance(message, ConflictRequest):
            return self.decide(message)
        assert isinstance(message, Assignment)
        verdict = {"a": "yes", "b": "no"}[message.step]
        async with turn.state(Board) as board:
            board.verdict = verdict
            if await self._both.wait() == 0:
                await self.meanwhile(turn.task)
            await self._both.wait()
        return Finding(verdict)


class Disputing(MemoryCluster):
    """A cluster whose two agents differ."""

    async def begin(self, owners: Owners, decides: Sequence[str] = ()) -> None:
        await self.add_manager(owners.manage)
        await self.add("researcher-0", owners.write)
        profile = AgentProfile(AgentId("coder-0"), "does", decides=tuple(decides))
        await self.start(profile, lambda _: FunctionHandler(owners.write))

    async def write_as(self, person: str, task: TaskId, verdict: str) -> None:
        """Let a person write a verdict."""
        documents = self.shared["manager-0"]
        async with PersonsState(documents, task, documents.person(person)).state(Board) as board:
            board.verdict = verdict

    async def events(self) -> list[Event]:
        """Those of a task."""
        return [event async for event in await self.submit("which one?")]

    async def board(self, task: TaskId) -> Document:
        """What the task shares."""
        return await self.shared["manager-0"].open(f"task/{task}/Board", is_fresh=True)


@pytest.fixture
async def cluster() -> AsyncIterator[Disputing]:
    async with Disputing() as made:
        yield made


def answer_of(events: Sequence[Event]) -> Answer:
    detail = events[-1].detail
    assert isinstance(detail, Answered)
    return detail.answer


def conflicts_of(events: Sequence[Event]) -> list[StateConflicted]:
    return [each.detail for each in events if isinstance(each.detail, StateConflicted)]


async def test_a_conflict_is_shown_with_both_values_and_decided_by_the_manager(
    cluster: Disputing,
) -> None:
    owners = Owners()
    await cluster.begin(owners)

    events = await cluster.events()

    [shown] = conflicts_of(events)
    assert (shown.document, shown.field) == (f"task/{events[0].task}/Board", "verdict")
    assert {(each.value, each.step) for each in shown.sides} == {('"yes"', "a"), ('"no"', "b")}
    [request] = owners.asked
    assert (request.state, request.field, request.goal) == ("Board", "verdict", "which one?")
    assert answer_of(events).degraded == ()
    board = await cluster.board(events[0].task)
    assert (board.fields["verdict"], board.conflicts) == ("no", ())


async def test_what_is_left_to_a_person_stays_open_and_the_answer_says_so(
    cluster: Disputing,
) -> None:
    owners = Owners(ConflictDecision(is_left_open=True))
    await cluster.begin(owners, decides=["Board.verdict"])

    events = await cluster.events()

    board = await cluster.board(events[0].task)
    assert len(board.conflicts) == 1
    [said] = answer_of(events).degraded
    assert "nobody has decided between them yet" in said


async def test_the_agent_that_says_it_decides_a_field_is_asked(cluster: Disputing) -> None:
    owners = Owners(ConflictDecision('"neither"'))
    await cluster.begin(owners, decides=["Board.verdict"])

    events = await cluster.events()

    board = await cluster.board(events[0].task)
    assert model_of(Board, board.fields).verdict == "neither"
    assert len(owners.asked) == 1
    assert answer_of(events).degraded == ()


async def test_what_nobody_could_decide_is_said_with_the_answer(cluster: Disputing) -> None:
    await cluster.begin(Owners(ModelError("the model chose none of the values")))

    events = await cluster.events()

    [said] = answer_of(events).degraded
    board = f"task/{events[0].task}/Board"
    authors, _, rest = said.partition(" have written to ")
    assert sorted(authors.removeprefix("What ").split(" and ")) == [
        "coder-0 (b)",
        "researcher-0 (a)",
    ]
    assert rest == (
        f"verdict of {board} differs, and nobody has decided between them yet: the model chose "
        "none of the values."
    )
    assert len((await cluster.board(events[0].task)).conflicts) == 1


@pytest.mark.parametrize("decides", [[], ["Board.verdict"]])
async def test_a_decision_that_raised_says_what_with_the_answer(
    cluster: Disputing, decides: Sequence[str]
) -> None:
    await cluster.begin(Owners(ValueError("neither will do")), decides)

    [said] = answer_of(await cluster.events()).degraded

    assert said.endswith(
        "nobody has decided between them yet: the agent failed: ValueError, see its log."
    )


async def test_an_answer_that_is_no_decision_leaves_it_open(cluster: Disputing) -> None:
    await cluster.begin(Owners(Finding("no idea")), decides=["Board.verdict"])

    events = await cluster.events()

    assert len(answer_of(events).degraded) == 1


async def test_of_two_managers_that_decide_the_same_the_first_counts(cluster: Disputing) -> None:
    await cluster.begin(Owners(ModelError("the model chose none of the values")))
    events = await cluster.events()
    hosts = [Documents(cluster.log, cluster.clock) for _ in range(2)]
    name = f"task/{events[0].task}/Board"
    boards = [await each.open(name, is_fresh=True) for each in hosts]
    [conflict] = boards[0].conflicts
    key = StepKey(NO_TASK, resolution_step(name, boards[0].incarnation, conflict))

    for board, value in zip(boards, ("first", "second"), strict=True):
        board.resolve(EditAttempt(key, "manager"), conflict, value, at=2)
    await asyncio.gather(*(each.flushed() for each in boards))
    boards = [await each.open(name, is_fresh=True) for each in hosts]

    assert [each.version for each in boards] == [3, 3]
    assert boards[0].fields["verdict"] == boards[1].fields["verdict"]
    assert [each.conflicts for each in boards] == [(), ()]
    await asyncio.gather(*(each.close() for each in hosts))


async def test_a_new_owner_of_the_task_decides_what_is_still_open(cluster: Disputing) -> None:
    hung = asyncio.Event()

    async def hang(message: object, turn: Turn) -> object:
        if isinstance(message, ConflictRequest):
            hung.set()
            await asyncio.Event().wait()
        return await owners.manage(message, turn)

    owners = Owners()
    first = await cluster.add_manager(hang)
    await cluster.add("researcher-0", owners.write)
    await cluster.add("coder-0", owners.write)
    task = await cluster.submit("which one?", timeout_s=30.0)
    await hung.wait()
    await cluster.add_manager(owners.manage, "manager-1")
    await first.abort()

    events = [event async for event in task]

    board = await cluster.shared["manager-1"].open(f"task/{task.id}/Board", is_fresh=True)
    assert (board.fields["verdict"], board.conflicts) == ("no", ())
    assert answer_of(events).degraded == ()


async def test_what_a_person_has_written_stands_and_nobody_is_asked(cluster: Disputing) -> None:
    owners = Owners(ConflictDecision('"nonsense"'))

    async def by_anna(task: TaskId) -> None:
        await cluster.write_as("anna", task, "maybe")

    owners.meanwhile = by_anna
    await cluster.begin(owners)

    events = await cluster.events()

    board = await cluster.board(events[0].task)
    assert (board.fields["verdict"], board.conflicts, owners.asked) == ("maybe", (), [])
    assert answer_of(events).degraded == ()


async def test_between_two_persons_nobody_decides_but_a_person(cluster: Disputing) -> None:
    owners = Owners()

    async def by_both(task: TaskId) -> None:
        documents = cluster.shared["manager-0"]
        other = PersonsState(documents, task, documents.person("bert"))
        async with other.state(Board) as board:
            await cluster.write_as("anna", task, "maybe")
            board.verdict = "never"

    owners.meanwhile = by_both
    await cluster.begin(owners)

    events = await cluster.events()

    assert owners.asked == []
    [said] = answer_of(events).degraded
    assert said.startswith("What anna and ")
