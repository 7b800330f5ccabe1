"""A step whose result was stale when it came is done again once, and what it had edited goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Annotated

from cluster.kernel.errors import ModelError
from cluster.kernel.events import Answered, Event, StateMerged, StepFinished, StepStale, StepStarted
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.reads import DocumentChange
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Answer, Assignment, Finding
from cluster.memory.namespaces.port import SourceChange
from cluster.memory.state.host.documents import Documents
from cluster.runtime.tasks.task_journal import events_of
from cluster.state import SharedState, merge
from cluster.wire.messages import MessageCodec
from tests.support.hosts import MemoryCluster
from tests.support.shared_documents import change
from tests.unit.cluster.runtime.tasks.test_engine import PlanningManager, step

A = StepId("a")


class Board(SharedState, scope="cluster"):
    facts: Annotated[dict[str, str], merge.by_key]
    said: Annotated[list[str], merge.append]
    draft: str


BOARD = "cluster/Board"
Meanwhile = Callable[["Rival"], Awaitable[None]]


class Rival:
    """What somebody else does while a step is under way."""

    def __init__(self, cluster: MemoryCluster, task: TaskId) -> None:
        self.cluster = cluster
        self._task = task

    @property
    def _documents(self) -> Documents:
        return self.cluster.shared["researcher-0"]

    async def edit(self, field: str, value: object, policy: str) -> None:
        """Write as another step."""
        board = await self._documents.open(BOARD)
        attempt = await self._documents.begin(self._task, StepId("rival"), "rival-0")
        board.edit(attempt, change(board, field, value, policy))  # type: ignore[arg-type]
        await self._documents.flush(attempt)

    async def delete(self) -> None:
        """Delete the board."""
        await self._documents.delete(BOARD)

    async def learn(self, document: str) -> None:
        """Let the manual have another document, or none."""
        namespaces = self.cluster.namespaces
        if document:
            await namespaces.store_documents({document: b"text"})
        version = (await namespaces.entries("manuals")).version
        await namespaces.apply("manuals", [SourceChange("key", version, document)])


async def nothing(rival: Rival) -> None:
    """Nobody else does anything."""


class Worker:
    """Reads the board's facts and cites the manual; others do something meanwhile."""

    def __init__(self, *meanwhile: Meanwhile) -> None:
        self.meanwhile = list(meanwhile)
        self.cluster: MemoryCluster | None = None
        self.redos: list[int] = []
        self.facts: list[dict[str, str]] = []

    async def __call__(self, message: object, turn: Turn) -> object:
        assert isinstance(message, Assignment)
        self.redos.append(message.redo)
        board = await turn.open(Board)
        self.facts.append(dict(board.facts))
        turn.reads.passages("manuals", 1, [("a.md", "1a")])
        async with turn.state(Board) as edited:
            edited.said.append(f"said in {turn.step} {message.redo}")
        assert self.cluster is not None
        if self.meanwhile:
            await self.meanwhile.pop(0)(Rival(self.cluster, turn.task))
        return Finding(f"found {len(self.facts)}")


async def run(worker: Worker) -> tuple[list[Event], dict[str, object]]:
    """Run a task of one step; return its journal, and what is on the board then."""
    async with MemoryCluster() as cluster:
        worker.cluster = cluster
        await cluster.add("researcher-0", worker)
        await cluster.add_manager(PlanningManager(step("a")))
        before = Rival(cluster, TaskId("before"))
        await before.edit("facts", {"colour": "red"}, "by_key")
        await before.learn("1a")
        task = await cluster.submit("why?")
        async for _ in task:
            pass
        board = await cluster.shared["researcher-0"].open(BOARD)
        fields = dict(board.fields)
        journal = events_of(await cluster.journal.read(task.id), MessageCodec())
    return journal, fields  # type: ignore[return-value]


def of_kind(journal: list[Event], kind: type) -> list[object]:
    return [event.detail for event in journal if isinstance(event.detail, kind)]


def stale_of(journal: list[Event]) -> tuple[DocumentChange, ...]:
    [stale] = of_kind(journal, StepStale)
    assert isinstance(stale, StepStale)
    return stale.changes


def finished_of(journal: list[Event]) -> StepFinished:
    [finished] = of_kind(journal, StepFinished)
    assert isinstance(finished, StepFinished)
    return finished


async def recolour(rival: Rival) -> None:
    await rival.edit("facts", {"colour": "blue"}, "by_key")


async def test_a_step_whose_reads_nobody_has_touched_is_done_once() -> None:
    worker = Worker(nothing)
    journal, fields = await run(worker)
    assert worker.redos == [0]
    assert not of_kind(journal, StepStale)
    assert fields["said"] == ["said in a 0"]
    saw = finished_of(journal).saw
    assert saw is not None
    assert [state.document for state in saw.states] == [BOARD]


async def test_a_field_that_changes_while_it_is_used_has_the_step_done_again() -> None:
    worker = Worker(recolour)
    journal, fields = await run(worker)
    assert worker.redos == [0, 1]
    assert worker.facts == [{"colour": "red"}, {"colour": "blue"}]
    assert [change.places for change in stale_of(journal)] == [("facts",)]
    assert fields["said"] == ["said in a 1"], "what the stale attempt wrote is taken back"
    assert [each.value for each in [finished_of(journal)]] == [Finding("found 2")]


async def test_the_events_say_why_a_step_is_done_again() -> None:
    journal, _ = await run(Worker(recolour))
    kinds = [event.kind for event in journal if event.step == A]
    assert kinds == ["step_started", "stale", "step_started", "step_finished"]
    first, second = of_kind(journal, StepStarted)
    assert isinstance(first, StepStarted)
    assert isinstance(second, StepStarted)
    assert (first.attempt, second.attempt) == (1, 2)
    assert second.reason.startswith("what it had read has changed: facts of cluster/Board")


async def test_a_cited_document_that_changes_has_the_step_done_again() -> None:
    async def learn(rival: Rival) -> None:
        await rival.learn("2a")

    async def forget(rival: Rival) -> None:
        await rival.learn("")

    for meanwhile in (learn, forget):
        worker = Worker(meanwhile)
        journal, _ = await run(worker)
        assert worker.redos == [0, 1]
        assert [change.places for change in stale_of(journal)] == [("a.md",)]


async def test_a_deleted_document_has_the_step_done_again() -> None:
    async def delete(rival: Rival) -> None:
        await rival.delete()

    class Reader(Worker):
        """Edits nothing, for what was deleted can't be edited."""

        async def __call__(self, message: object, turn: Turn) -> object:
            assert isinstance(message, Assignment)
            self.redos.append(message.redo)
            self.facts.append(dict((await turn.open(Board)).facts))
            assert self.cluster is not None
            if self.meanwhile:
                await self.meanwhile.pop(0)(Rival(self.cluster, turn.task))
            return Finding("found")

    worker = Reader(delete)
    journal, _ = await run(worker)
    assert worker.redos == [0, 1]
    assert stale_of(journal)[0].is_gone
    assert worker.facts == [{"colour": "red"}, {}]


async def test_what_is_stale_a_second_time_is_accepted_and_said_of_the_answer() -> None:
    async def recolour_again(rival: Rival) -> None:
        await rival.edit("facts", {"colour": "green"}, "by_key")

    worker = Worker(recolour, recolour_again)
    journal, _ = await run(worker)
    assert worker.redos == [0, 1]
    [answered] = of_kind(journal, Answered)
    assert isinstance(answered, Answered)
    [said] = answered.answer.degraded
    assert said.startswith("What step a was made from has changed since: facts of")


async def test_edits_of_one_field_merge_and_have_nothing_done_again() -> None:
    async def say(rival: Rival) -> None:
        await rival.edit("said", ["said by a rival"], "append")

    class Late(Worker):
        """Others write while it has the board open."""

        async def __call__(self, message: object, turn: Turn) -> object:
            assert isinstance(message, Assignment)
            self.redos.append(message.redo)
            async with turn.state(Board) as edited:
                edited.said.append("said in a")
                assert self.cluster is not None
                await say(Rival(self.cluster, turn.task))
            return Finding("found")

    worker = Late()
    journal, fields = await run(worker)
    assert worker.redos == [0]
    assert fields["said"] == ["said by a rival", "said in a"]
    [merged] = of_kind(journal, StateMerged)
    assert isinstance(merged, StateMerged)
    assert [change.places for change in merged.changes] == [("said",)]


async def test_a_redo_that_fails_leaves_the_stale_result_and_says_so() -> None:
    class Failing(Worker):
        async def __call__(self, message: object, turn: Turn) -> object:
            if isinstance(message, Assignment) and message.redo:
                raise ModelError("the model is gone")
            return await super().__call__(message, turn)

    journal, _ = await run(Failing(recolour))
    finished = finished_of(journal)
    assert (finished.outcome, finished.value) == ("finished", Finding("found 1"))
    assert "could not be done again: the model is gone" in finished.degraded[0]


async def test_a_manager_that_adopts_a_redo_asks_for_the_redo() -> None:
    begun: Counter[int] = Counter()

    class Held(Worker):
        async def __call__(self, message: object, turn: Turn) -> object:
            assert isinstance(message, Assignment)
            begun[message.redo] += 1
            if message.redo and begun[1] == 1:
                assert self.cluster is not None
                [manager] = [h for h in self.cluster.hosts if h.profile.agent == "manager-0"]
                await self.cluster.add_manager(PlanningManager(step("a")), "manager-1")
                await manager.abort()
            return await super().__call__(message, turn)

    worker = Held(recolour)
    journal, fields = await run(worker)
    assert begun[0] == 1
    assert worker.redos[0] == 0
    assert set(worker.redos[1:]) == {1}
    assert fields["said"] == ["said in a 1"]
    assert finished_of(journal).outcome == "finished"
    assert isinstance(journal[-1].detail, Answered)
    assert isinstance(journal[-1].detail.answer, Answer)
