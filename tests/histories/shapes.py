"""Tasks of many shapes, run over hosts in memory so that their journals can be recorded.

Each shape runs one task to its end and returns its id; its name is the name of the recording.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Annotated

from pydantic import BaseModel

from cluster.kernel.errors import ClusterError, ModelError, StoreUnavailable
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import (
    Answer,
    Assignment,
    Basis,
    Citation,
    Claim,
    Coherence,
    ComposeRequest,
    Finding,
    Passage,
    Plan,
    PlanProposal,
    PlanRequest,
    Program,
    Run,
    Step,
    Support,
)
from cluster.runtime.driver.submitted import SubmittedTask
from cluster.runtime.host import Host
from cluster.state import SharedState, merge
from tests.support.hosts import MemoryCluster, until
from tests.support.shared_documents import change

Shape = Callable[[MemoryCluster], Awaitable[TaskId]]

SHAPES: dict[str, Shape] = {}
GOAL = "Which of the two tables is the larger one?"
DEADLINE_S = 60.0
SHORT_S = 0.3
BOARD = "cluster/Board"


def shape(run: Shape) -> Shape:
    """Register a shape under its own name."""
    SHAPES[run.__name__] = run
    return run


def step(name: str, *needs: str, agent: str = "researcher") -> Step:
    return Step(StepId(name), agent, f"Look into {name}.", tuple(StepId(need) for need in needs))


class Price(BaseModel):
    """What a user's own agent answers with."""

    amount: float
    currency: str


class Manager:
    """Plans as told and answers; waits before what it is told to hold until it is let go on."""

    def __init__(self, *steps: Step, holds: type | None = None, answer: object = None) -> None:
        self.holds = holds
        self.answer = answer
        self.proposal = PlanProposal(Plan(steps))
        self.asked: Counter[type] = Counter()

    async def __call__(self, message: object, turn: Turn) -> object:
        self.asked[type(message)] += 1
        if type(message) is self.holds:
            await asyncio.get_running_loop().create_future()
        if isinstance(message, PlanRequest):
            return self.proposal
        assert isinstance(message, ComposeRequest)
        texts = (type(result.value).__name__ for result in message.results)
        return self.answer or Answer(f"It is the second one, say {', '.join(texts) or 'I'}.")


class Agent:
    """Answers steps with what it is told to; waits in those it is told to hold."""

    def __init__(self, *held: str, **answers: object) -> None:
        self.held = set(held)
        self.answers = answers
        self.begun: Counter[str] = Counter()
        self.go_on = asyncio.Event()

    async def __call__(self, message: object, turn: Turn) -> object:
        assert isinstance(message, Assignment)
        self.begun[message.step] += 1
        if message.step in self.held:
            await self.go_on.wait()
        answer = self.answers.get(message.step, Finding(f"Found out about {message.step}."))
        if isinstance(answer, list):
            answer = answer[self.begun[message.step] - 1]
        if isinstance(answer, ClusterError):
            raise answer
        return answer


async def end(task: SubmittedTask) -> TaskId:
    """Wait for the task's end."""
    async for _ in task:
        pass
    return task.id


async def run(cluster: MemoryCluster, manager: Manager, agent: Agent | None = None) -> TaskId:
    """Run a task that nothing happens to."""
    await cluster.add_manager(manager)
    await cluster.add("researcher-0", agent or Agent())
    return await end(await cluster.submit(GOAL, DEADLINE_S))


# ---- plans -------------------------------------------------------------------------------------


@shape
async def plain_answer(cluster: MemoryCluster) -> TaskId:
    return await run(cluster, Manager())


@shape
async def one_step(cluster: MemoryCluster) -> TaskId:
    return await run(cluster, Manager(step("a")))


@shape
async def parallel_steps(cluster: MemoryCluster) -> TaskId:
    return await run(cluster, Manager(step("a"), step("b"), step("c")))


@shape
async def chain(cluster: MemoryCluster) -> TaskId:
    return await run(cluster, Manager(step("a"), step("b", "a"), step("c", "b")))


@shape
async def diamond(cluster: MemoryCluster) -> TaskId:
    steps = step("top"), step("left", "top"), step("right", "top"), step("bottom", "left", "right")
    return await run(cluster, Manager(*steps))


@shape
async def uneven_steps(cluster: MemoryCluster) -> TaskId:
    """A step starts while another that is independent of it still runs."""
    agent = Agent("slow", "last")
    await cluster.add_manager(Manager(step("slow"), step("quick"), step("last", "quick")))
    await cluster.add("researcher-0", agent)
    task = await cluster.submit(GOAL, DEADLINE_S)
    await until(lambda: agent.begun["last"] == 1)
    agent.go_on.set()
    return await end(task)


@shape
async def cited_finding_and_program(cluster: MemoryCluster) -> TaskId:
    citation = Citation("tables.md", 3, 4, "The second table has 51 rows.")
    ran = Run(0, "51\n", "", 0.25)
    answers = {
        "a": Finding("It has 51 rows [1].", (citation,), ("the index is a day old",)),
        "b": Program("print(51)", ran),
    }
    manager = Manager(step("a"), step("b", "a", agent="coder"))
    manager.proposal = PlanProposal(manager.proposal.plan, ("the plan was cut to two steps",))
    await cluster.add("coder-0", Agent(**answers))
    return await run(cluster, manager, Agent(**answers))


@shape
async def finding_and_answer_with_claims(cluster: MemoryCluster) -> TaskId:
    citation = Citation("tables.md", 3, 3, "The second table has 51 rows.")
    passage = Passage(
        "tables.md", 2, 4, "Sizes\n" + citation.quote, 0.5, title="Tables", breaks=(5,)
    )
    claims = (
        Claim("The second table has 51 rows.", Support.QUOTED, (0,)),
        Claim("The second one is larger.", Support.UNVERIFIED),
    )
    text = " ".join(claim.text for claim in claims)
    finding = Finding(text, (citation,), (), claims, Basis.DOCUMENTS, (passage,))
    said = Finding("It is the second one.", basis=Basis.MODEL)
    answer = Answer(text, (citation,), claims=claims)
    agent = Agent(a=finding, b=said)
    return await run(cluster, Manager(step("a"), step("b"), answer=answer), agent)


@shape
async def own_agent_with_its_own_message(cluster: MemoryCluster) -> TaskId:
    await cluster.add("buyer-0", Agent(price=Price(amount=5.5, currency="EUR")))
    cluster.senders["buyer-0"].codec.register(Price)
    return await run(cluster, Manager(step("price", agent="buyer"), step("a", "price")))


@shape
async def circular_plan(cluster: MemoryCluster) -> TaskId:
    return await run(cluster, Manager(step("a", "b"), step("b", "a")))


@shape
async def broadcast_chain(cluster: MemoryCluster) -> TaskId:
    """All steps begin at once; those that need another are done again when that has ended."""
    agent = Agent("a")
    await cluster.add_manager(Manager(step("a"), step("b", "a"), step("c", "b")))
    await cluster.add("researcher-0", agent)
    task = await cluster.submit(GOAL, DEADLINE_S, coherence=Coherence.BROADCAST)
    await until(lambda: agent.begun["b"] == agent.begun["c"] == 1)
    agent.go_on.set()
    return await end(task)


@shape
async def broadcast_and_adopted(cluster: MemoryCluster) -> TaskId:
    """What was done without the results that came meanwhile is no result for the adopter either."""
    manager, agent = Manager(step("a"), step("b", "a")), Agent("a")
    killed = await cluster.add_manager(manager)
    await cluster.add("researcher-0", agent)
    task = await cluster.submit(GOAL, DEADLINE_S, coherence=Coherence.BROADCAST)
    await until(lambda: agent.begun["a"] == agent.begun["b"] == 1)
    await replace(cluster, killed, manager, "manager-1")
    agent.go_on.set()
    return await end(task)


# ---- failures ----------------------------------------------------------------------------------


@shape
async def failed_answer(cluster: MemoryCluster) -> TaskId:
    """What a Manager answers to a request may be nonsense; the task fails with that."""
    return await run(cluster, Manager(step("a"), answer=Finding("It is the second one.")))


@shape
async def failed_step(cluster: MemoryCluster) -> TaskId:
    agent = Agent(a=ModelError("the model broke off"))
    return await run(cluster, Manager(step("a"), step("b"), step("c", "a", "b")), agent)


@shape
async def retried_step(cluster: MemoryCluster) -> TaskId:
    busy = StoreUnavailable("the index is being rebuilt")
    agent = Agent(a=[busy, Finding("Found at the second try.")])
    return await run(cluster, Manager(step("a"), step("b", "a")), agent)


@shape
async def step_that_failed_for_good(cluster: MemoryCluster) -> TaskId:
    agent = Agent(a=StoreUnavailable("the index is gone"))
    return await run(cluster, Manager(step("a"), step("b", "a")), agent)


@shape
async def restarted_agent(cluster: MemoryCluster) -> TaskId:
    killed = Agent("a")
    await cluster.add_manager(Manager(step("a"), step("b", "a")))
    host = await cluster.add("researcher-0", killed)
    task = await cluster.submit(GOAL, DEADLINE_S)
    await until(lambda: killed.begun["a"] == 1)
    await host.abort()
    await cluster.add("researcher-0", Agent())
    return await end(task)


@shape
async def deadline_in_a_step(cluster: MemoryCluster) -> TaskId:
    await cluster.add_manager(Manager(step("a"), step("b", "a")))
    await cluster.add("researcher-0", Agent("b"))
    return await end(await cluster.submit(GOAL, SHORT_S))


@shape
async def deadline_in_the_plan(cluster: MemoryCluster) -> TaskId:
    await cluster.add_manager(Manager(holds=PlanRequest))
    return await end(await cluster.submit(GOAL, SHORT_S))


# ---- cancelled ---------------------------------------------------------------------------------


async def cancelled(
    cluster: MemoryCluster, manager: Manager, agent: Agent, is_time: Callable[[], bool]
) -> TaskId:
    """Cancel a task when it is time."""
    await cluster.add_manager(manager)
    await cluster.add("researcher-0", agent)
    task = await cluster.submit(GOAL, DEADLINE_S)
    await until(is_time)
    await task.cancel("nobody needs it any more")
    return await end(task)


@shape
async def cancelled_in_the_plan(cluster: MemoryCluster) -> TaskId:
    manager = Manager(holds=PlanRequest)
    return await cancelled(cluster, manager, Agent(), lambda: manager.asked[PlanRequest] == 1)


@shape
async def cancelled_in_a_step(cluster: MemoryCluster) -> TaskId:
    agent = Agent("b")
    manager = Manager(step("a"), step("b", "a"), step("c"))
    return await cancelled(cluster, manager, agent, lambda: agent.begun["b"] == 1)


@shape
async def cancelled_before_the_answer(cluster: MemoryCluster) -> TaskId:
    manager = Manager(step("a"), holds=ComposeRequest)
    return await cancelled(cluster, manager, Agent(), lambda: manager.asked[ComposeRequest] == 1)


# ---- adopted -----------------------------------------------------------------------------------


async def replace(cluster: MemoryCluster, killed: Host, manager: Manager, agent: str) -> Host:
    """Kill a Manager and wait until another one has adopted its task."""
    await killed.abort()
    host = await cluster.add_manager(manager, agent)
    await until(lambda: cluster.engines[agent].statistics.adopted == 1)
    return host


@shape
async def adopted_in_the_plan(cluster: MemoryCluster) -> TaskId:
    lost = Manager(holds=PlanRequest)
    killed = await cluster.add_manager(lost)
    await cluster.add("researcher-0", Agent())
    task = await cluster.submit(GOAL, DEADLINE_S)
    await until(lambda: lost.asked[PlanRequest] == 1)
    await replace(cluster, killed, Manager(step("a"), step("b")), "manager-1")
    return await end(task)


@shape
async def adopted_in_a_step(cluster: MemoryCluster) -> TaskId:
    manager, agent = Manager(step("a"), step("b", "a"), step("c", "b")), Agent("b")
    killed = await cluster.add_manager(manager)
    await cluster.add("researcher-0", agent)
    task = await cluster.submit(GOAL, DEADLINE_S)
    await until(lambda: agent.begun["b"] == 1)
    await replace(cluster, killed, manager, "manager-1")
    agent.go_on.set()
    return await end(task)


@shape
async def adopted_before_the_answer(cluster: MemoryCluster) -> TaskId:
    lost = Manager(step("a"), step("b"), holds=ComposeRequest)
    killed = await cluster.add_manager(lost)
    await cluster.add("researcher-0", Agent())
    task = await cluster.submit(GOAL, DEADLINE_S)
    await until(lambda: lost.asked[ComposeRequest] == 1)
    await replace(cluster, killed, Manager(), "manager-1")
    return await end(task)


@shape
async def adopted_by_the_next_incarnation_twice(cluster: MemoryCluster) -> TaskId:
    manager, agent = Manager(step("a"), step("b", "a")), Agent("a", "b")
    host = await cluster.add_manager(manager)
    await cluster.add("researcher-0", agent)
    task = await cluster.submit(GOAL, DEADLINE_S)
    await until(lambda: agent.begun["a"] == 1)
    host = await replace(cluster, host, manager, "manager-0")
    agent.held.remove("a")
    agent.go_on.set()
    agent.go_on.clear()
    await until(lambda: agent.begun["b"] == 1)
    await replace(cluster, host, manager, "manager-0")
    agent.go_on.set()
    return await end(task)


@shape
async def adopted_and_its_agent_gone_too(cluster: MemoryCluster) -> TaskId:
    manager, lost = Manager(step("a")), Agent("a")
    killed = await cluster.add_manager(manager)
    researcher = await cluster.add("researcher-0", lost)
    task = await cluster.submit(GOAL, DEADLINE_S)
    await until(lambda: lost.begun["a"] == 1)
    await researcher.abort()
    await cluster.add("researcher-1", Agent())
    await replace(cluster, killed, manager, "manager-1")
    return await end(task)


# ---- stale -------------------------------------------------------------------------------------


class Board(SharedState, scope="cluster"):
    """What agents share."""

    facts: Annotated[dict[str, str], merge.by_key]
    said: Annotated[list[str], merge.append]


Meanwhile = Callable[[MemoryCluster, TaskId], Awaitable[None]]


async def edit(cluster: MemoryCluster, task: TaskId, colour: str) -> None:
    """Write facts as another step of the task."""
    documents = cluster.shared["researcher-0"]
    board = await documents.open(BOARD)
    attempt = await documents.begin(task, StepId("rival"), "rival-0")
    board.edit(attempt, change(board, "facts", {"colour": colour}, "by_key"))
    board.edit(attempt, change(board, "said", [colour], "append"))
    await documents.flush(attempt)


class Reader:
    """Reads facts, says something, and while it does so others may write."""

    def __init__(self, cluster: MemoryCluster, *colours: str, reads: bool = True) -> None:
        self.cluster = cluster
        self.colours = list(colours)
        self.reads = reads
        self.begun = 0
        self.hold_at = 0
        self.go_on = asyncio.Event()

    async def __call__(self, message: object, turn: Turn) -> object:
        assert isinstance(message, Assignment)
        self.begun += 1
        if self.begun == self.hold_at:
            await self.go_on.wait()
        facts = dict((await turn.open(Board)).facts) if self.reads else {}
        turn.reads.passages("manuals", 1)
        async with turn.state(Board) as board:
            board.said.append(f"said in {message.step}")
            if self.colours:
                await edit(self.cluster, turn.task, self.colours.pop(0))
        return Finding(f"The facts are {facts or 'not read'}.")


async def run_beside(
    cluster: MemoryCluster, *colours: str, reads: bool = True, manager: Manager | None = None
) -> TaskId:
    """Run a task of two steps, in the first of which others write so often."""
    reader = Reader(cluster, *colours, reads=reads)
    await cluster.add_manager(manager or Manager(step("a"), step("b", "a")))
    await cluster.add("researcher-0", reader)
    return await end(await cluster.submit(GOAL, DEADLINE_S))


@shape
async def shared_state_that_nobody_else_writes(cluster: MemoryCluster) -> TaskId:
    return await run_beside(cluster)


@shape
async def stale_step_done_again(cluster: MemoryCluster) -> TaskId:
    return await run_beside(cluster, "blue")


@shape
async def step_that_is_stale_twice(cluster: MemoryCluster) -> TaskId:
    return await run_beside(cluster, "blue", "green")


@shape
async def merged_edits(cluster: MemoryCluster) -> TaskId:
    return await run_beside(cluster, "blue", reads=False)


@shape
async def stale_step_of_a_lost_manager(cluster: MemoryCluster) -> TaskId:
    """Whoever adopts a redo asks for the redo."""
    manager, reader = Manager(step("a"), step("b", "a")), Reader(cluster, "blue")
    reader.hold_at = 2
    killed = await cluster.add_manager(manager)
    await cluster.add("researcher-0", reader)
    task = await cluster.submit(GOAL, DEADLINE_S)
    await until(lambda: reader.begun == 2)
    await replace(cluster, killed, manager, "manager-1")
    reader.go_on.set()
    return await end(task)


@shape
async def stale_step_whose_redo_failed(cluster: MemoryCluster) -> TaskId:
    """What it came to before is its result."""
    reader = Reader(cluster, "blue")

    async def answer(message: object, turn: Turn) -> object:
        if isinstance(message, Assignment) and message.redo:
            raise ModelError("the model broke off")
        return await reader(message, turn)

    await cluster.add_manager(Manager(step("a")))
    await cluster.add("researcher-0", answer)
    return await end(await cluster.submit(GOAL, DEADLINE_S))
