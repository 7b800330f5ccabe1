"""A broadcast task begins every step at once; what came too late is reconciled before it counts."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Annotated

from cluster.kernel.errors import AgentFailed
from cluster.kernel.events import Answered, Event, StepFinished, StepStale, StepStarted, Submitted
from cluster.kernel.ids import StepId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Assignment, Coherence, Failure, Finding, Step
from cluster.runtime.tasks.task_journal import events_of
from cluster.state import SharedState, merge
from cluster.wire.messages import MessageCodec
from tests.support.hosts import MemoryCluster, until
from tests.unit.cluster.runtime.tasks.test_engine import PlanningManager, step

A = StepId("a")
CHAIN = (step("a"), step("b", "a"))


class Board(SharedState):
    facts: Annotated[dict[str, str], merge.by_key]
    code: str


class Worker:
    """Does step `a` when it is let go on, the others at once; notes what each was given."""

    def __init__(self) -> None:
        self.given: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        self.go_on = asyncio.Event()
        self.counts_results = True
        self.failures: list[AgentFailed] = []

    async def __call__(self, message: object, turn: Turn) -> object:
        assert isinstance(message, Assignment)
        self.given[message.step].append(tuple([each.step for each in message.results]))
        if not self.counts_results:
            turn.reads.narrow([("Board", "facts")], knowledge=False, results=False)
        if message.step == "a":
            await self.go_on.wait()
            return await self.research(turn)
        return await self.write(message, turn)

    async def research(self, turn: Turn) -> object:
        """Do step `a`."""
        return Finding("found a")

    async def write(self, message: Assignment, turn: Turn) -> object:
        """Do another step."""
        if self.failures:
            raise self.failures.pop()
        if message.step == "b":
            self.go_on.set()
        return Finding(f"{message.step} of {len(message.results)}")


async def run(
    worker: Worker, *steps: Step, coherence: Coherence = Coherence.BROADCAST, timeout_s: float = 5.0
) -> list[Event]:
    """Run a task; return its journal."""
    async with MemoryCluster() as cluster:
        await cluster.add("researcher-0", worker)
        await cluster.add_manager(PlanningManager(*(steps or CHAIN)))
        task = await cluster.submit("why?", timeout_s, coherence=coherence)
        async for _ in task:
            pass
        return events_of(await cluster.journal.read(task.id), MessageCodec())


def ended(journal: list[Event]) -> dict[str, StepFinished]:
    return {e.step: e.detail for e in journal if isinstance(e.detail, StepFinished)}


def stale(journal: list[Event]) -> list[tuple[str, StepStale]]:
    return [(e.step, e.detail) for e in journal if isinstance(e.detail, StepStale)]


async def test_a_step_begins_without_its_needs_and_is_redone_when_they_have_ended() -> None:
    worker = Worker()
    journal = await run(worker)
    assert worker.given == {"a": [()], "b": [(), ("a",)]}
    assert stale(journal) == [("b", StepStale((), 1, (A,)))]
    assert ended(journal)["b"].value == Finding("b of 1")
    reasons = [e.detail.reason for e in journal if isinstance(e.detail, StepStarted)]
    assert reasons == ["", "", "it had begun without the results of a"]


async def test_the_same_task_chained_is_done_step_by_step() -> None:
    worker = Worker()
    worker.go_on.set()
    journal = await run(worker, coherence=Coherence.CHAINED)
    assert worker.given == {"a": [()], "b": [("a",)]}
    assert not stale(journal)


async def test_a_step_to_which_results_do_not_matter_is_done_once_beside_its_needs() -> None:
    worker = Worker()
    worker.counts_results = False
    journal = await run(worker)
    assert worker.given == {"a": [()], "b": [()]}
    assert not stale(journal)
    assert list(ended(journal)) == ["a", "b"]
    assert ended(journal)["b"].degraded == ()


async def test_what_its_needs_write_later_to_what_it_has_read_makes_a_redo() -> None:
    class Sharing(Worker):
        async def research(self, turn: Turn) -> object:
            async with turn.state(Board) as board:
                board.facts["colour"] = "red"
            return Finding("found a")

        async def write(self, message: Assignment, turn: Turn) -> object:
            facts = dict((await turn.open(Board)).facts)
            self.go_on.set()
            return Finding(f"written from {facts}")

    worker = Sharing()
    worker.counts_results = False
    journal = await run(worker)
    [(name, redone)] = stale(journal)
    assert (name, redone.results) == ("b", ())
    assert [change.places for change in redone.changes] == [("facts",)]
    assert ended(journal)["b"].value == Finding("written from {'colour': 'red'}")


async def test_each_step_of_a_long_chain_is_done_twice_at_most() -> None:
    worker = Worker()
    steps = (step("a"), step("b", "a"), step("c", "b"), step("d", "a", "c"))
    journal = await run(worker, *steps)
    times = {name: len(given) for name, given in worker.given.items()}
    assert times == {"a": 1, "b": 2, "c": 2, "d": 2}
    assert worker.given["d"][-1] == ("a", "c")
    assert isinstance(journal[-1].detail, Answered)
    assert journal[-1].detail.answer.degraded == ()


async def test_a_step_that_fails_for_want_of_its_needs_is_tried_with_them() -> None:
    worker = Worker()
    worker.failures.append(AgentFailed("there is nothing to work on"))
    worker.go_on.set()
    journal = await run(worker)
    assert worker.given["b"] == [(), ("a",)]
    assert ended(journal)["b"].value == Finding("b of 1")


async def test_a_need_that_has_failed_is_a_result_too() -> None:
    class Failing(Worker):
        async def research(self, turn: Turn) -> object:
            raise AgentFailed("nothing is known of it")

    worker = Failing()
    journal = await run(worker)
    assert worker.given["b"] == [(), ("a",)]
    assert isinstance(ended(journal)["a"].failure, Failure)
    assert ended(journal)["b"].outcome == "finished"


async def test_a_step_that_began_when_its_needs_had_ended_is_done_once() -> None:
    worker = Worker()
    worker.go_on.set()
    async with MemoryCluster() as cluster:
        await cluster.add("researcher-0", worker)
        await cluster.add_manager(PlanningManager(step("a"), step("b", "a", agent="late")))
        task = await cluster.submit("why?", coherence=Coherence.BROADCAST)
        await until(lambda: bool(worker.given["a"]))
        await cluster.add("late-0", worker)
        async for _ in task:
            pass
    assert worker.given["b"][-1] == ("a",)


async def test_an_adopter_does_not_take_a_record_for_made_with_what_came_after_it() -> None:
    worker = Worker()
    manager = PlanningManager(*CHAIN)

    async def write(message: Assignment, turn: Turn) -> object:
        return Finding(f"b of {len(message.results)}")

    worker.write = write  # type: ignore[method-assign]
    async with MemoryCluster() as cluster:
        await cluster.add("researcher-0", worker)
        killed = await cluster.add_manager(manager)
        task = await cluster.submit("why?", coherence=Coherence.BROADCAST)
        await until(lambda: bool(worker.given["a"]) and bool(worker.given["b"]))
        await killed.abort()
        worker.go_on.set()
        await cluster.add_manager(manager, "manager-1")
        async for _ in task:
            pass
        journal = events_of(await cluster.journal.read(task.id), MessageCodec())
    assert worker.given["b"] == [(), ("a",)]
    assert ended(journal)["b"].value == Finding("b of 1")


async def test_the_journal_says_that_a_task_is_broadcast() -> None:
    journal = await run(Worker())
    submitted = journal[0].detail
    assert isinstance(submitted, Submitted)
    assert submitted.coherence is Coherence.BROADCAST
