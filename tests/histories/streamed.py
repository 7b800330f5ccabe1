"""Tasks whose plans are carried out while they are being written, and one with a declared plan.

As in `tests.histories.shapes`, each runs one task to its end and returns its id.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from agents.agent import Parts
from agents.manager import Manager as RealManager
from agents.models.port import Finish
from cluster.kernel.errors import ModelError
from cluster.kernel.events import MODEL, FellBack, StepPlanned
from cluster.kernel.ids import StepId, TaskId
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Coherence, Plan, PlanProposal, PlanRequest, Step
from tests.histories.shapes import (
    DEADLINE_S,
    GOAL,
    SHORT_S,
    Agent,
    Manager,
    Shape,
    end,
    replace,
    step,
)
from tests.support.fake_tools import FakeKnowledge, FakeSandbox
from tests.support.hosts import MemoryCluster, until
from tests.support.scripted_model import Reply, ScriptedModel

STREAMED: dict[str, Shape] = {}
ANSWER = "It is the second one."


def streamed(run: Shape) -> Shape:
    """Register a shape under its own name."""
    STREAMED[run.__name__] = run
    return run


class Writer(Manager):
    """Emits the steps of its plan one after another, but not those that are sealed already.

    Args:
        steps: of the plan.
        pauses_after: the steps after which it writes on only when told so by `go_on`.
        leaves_out: what it emits, and what the whole plan does not have then.
    """

    def __init__(
        self, *steps: Step, pauses_after: tuple[str, ...] = (), leaves_out: str = ""
    ) -> None:
        super().__init__(*steps)
        self.go_on = asyncio.Event()
        self.written: list[StepId] = []
        self._pauses_after = pauses_after
        self._leaves_out = leaves_out

    async def __call__(self, message: object, turn: Turn) -> object:
        if not isinstance(message, PlanRequest):
            return await super().__call__(message, turn)
        sealed = {each.id for each in message.sealed}
        for each in self.proposal.plan.steps:
            if each.id in sealed:
                continue
            turn.emit(StepPlanned(each))
            self.written.append(each.id)
            if each.id in self._pauses_after:
                await self.go_on.wait()
        left = [each for each in self.proposal.plan.steps if each.id != self._leaves_out]
        return PlanProposal(Plan(tuple(left)))


class PlainWriter(Writer):
    """One whose model a plainer one stands in for."""

    async def __call__(self, message: object, turn: Turn) -> object:
        if isinstance(message, PlanRequest):
            turn.emit(FellBack(MODEL, "small answers in place of large: it is down"))
        return await super().__call__(message, turn)


class Held:
    """A task whose Manager writes a plan, and whose agents work on it meanwhile."""

    def __init__(self, cluster: MemoryCluster, writer: Writer, agent: Agent | None = None) -> None:
        self.cluster = cluster
        self.writer = writer
        self.agent = agent or Agent()

    async def run(
        self,
        is_time: Callable[[], bool],
        coherence: Coherence = Coherence.CHAINED,
        after: Callable[[], None] | None = None,
    ) -> TaskId:
        """Let the plan go on when it is time."""
        await self.cluster.add_manager(self.writer)
        await self.cluster.add("researcher-0", self.agent)
        task = await self.cluster.submit(GOAL, DEADLINE_S, coherence=coherence)
        await until(is_time)
        self.writer.go_on.set()
        if after is not None:
            after()
        return await end(task)

    async def adopted(self, next_writer: Writer, is_time: Callable[[], bool]) -> TaskId:
        """Kill the Manager when it is time, in the middle of its plan."""
        killed = await self.cluster.add_manager(self.writer)
        await self.cluster.add("researcher-0", self.agent)
        task = await self.cluster.submit(GOAL, DEADLINE_S)
        await until(is_time)
        await replace(self.cluster, killed, next_writer, "manager-1")
        self.agent.go_on.set()
        return await end(task)


# ---- plans -------------------------------------------------------------------------------------


@streamed
async def step_begun_while_the_plan_streams(cluster: MemoryCluster) -> TaskId:
    writer = Writer(step("a"), step("b", "a"), step("c"), pauses_after=("b",))
    agent = Agent("a")
    held = Held(cluster, writer, agent)
    return await held.run(lambda: agent.begun["a"] == 1, after=agent.go_on.set)


@streamed
async def step_ended_before_the_plan_was_whole(cluster: MemoryCluster) -> TaskId:
    """So did the one that needs it begin, and end."""
    writer = Writer(step("a"), step("b", "a"), step("c"), step("d", "b"), pauses_after=("c",))
    agent = Agent("b")
    held = Held(cluster, writer, agent)
    return await held.run(lambda: agent.begun["b"] == 1, after=agent.go_on.set)


@streamed
async def step_that_needs_what_is_planned_later(cluster: MemoryCluster) -> TaskId:
    writer = Writer(step("last", "a", "b"), step("a"), step("b"), pauses_after=("a",))
    held = Held(cluster, writer)
    return await held.run(lambda: held.agent.begun["a"] == 1)


@streamed
async def sealed_step_that_the_whole_plan_leaves_out(cluster: MemoryCluster) -> TaskId:
    """It had not begun: nothing is lost."""
    steps = step("a"), step("never", "a", "b"), step("b")
    writer = Writer(*steps, pauses_after=("never",), leaves_out="never")
    held = Held(cluster, writer)
    return await held.run(lambda: held.agent.begun["a"] == 1)


@streamed
async def step_failed_before_the_plan_was_whole(cluster: MemoryCluster) -> TaskId:
    writer = Writer(step("a"), step("b", "a"), step("c"), pauses_after=("b",))
    agent = Agent(a=ModelError("the model broke off"))
    held = Held(cluster, writer, agent)
    return await held.run(lambda: agent.begun["b"] == 1)


@streamed
async def broadcast_while_the_plan_streams(cluster: MemoryCluster) -> TaskId:
    """A step begins before the one that it needs is planned, and is done again with its result."""
    writer = Writer(step("b", "a"), step("a"), step("c", "b"), pauses_after=("b",))
    agent = Agent("a")
    held = Held(cluster, writer, agent)
    return await held.run(lambda: agent.begun["b"] == 1, Coherence.BROADCAST, after=agent.go_on.set)


@streamed
async def agent_restarted_while_the_plan_streams(cluster: MemoryCluster) -> TaskId:
    writer, killed = Writer(step("a"), step("b", "a"), pauses_after=("a",)), Agent("a")
    await cluster.add_manager(writer)
    host = await cluster.add("researcher-0", killed)
    task = await cluster.submit(GOAL, DEADLINE_S)
    await until(lambda: killed.begun["a"] == 1)
    await host.abort()
    again = Agent()
    await cluster.add("researcher-0", again)
    await until(lambda: again.begun["a"] == 1)
    writer.go_on.set()
    return await end(task)


# ---- of the Manager that users have ------------------------------------------------------------


def plan_text(*ids: str) -> str:
    """Return a plan as a model writes it, each step but the first needing the one before."""
    steps = [
        {"id": each, "agent": "researcher", "instruction": f"Look into {each}.", "needs": needs}
        for each, needs in zip(ids, [[], *([each] for each in ids)], strict=False)
    ]
    return json.dumps({"steps": steps})


async def by_model(cluster: MemoryCluster, *plans: Reply) -> TaskId:
    """Run a task whose plan a model writes."""
    model = ScriptedModel({"manager/plan": list(plans), "manager": ANSWER})
    manager = RealManager(Parts(model, FakeKnowledge(), FakeSandbox()))
    await cluster.add_manager(manager.handle)
    await cluster.add("researcher-0", Agent())
    return await end(await cluster.submit(GOAL, DEADLINE_S))


def broken_off(*ids: str) -> Reply:
    """Return a plan that breaks off in its last step."""
    written = plan_text(*ids)
    return (written[: written.index(f'"{ids[-1]}"')], ModelError("the model's stream broke"))


@streamed
async def cut_plan_whose_rest_is_asked_for_once(cluster: MemoryCluster) -> TaskId:
    """What the rest repeats is no further step."""
    return await by_model(cluster, broken_off("a", "b", "c"), plan_text("b", "c"))


@streamed
async def cut_plan_whose_rest_is_cut_too(cluster: MemoryCluster) -> TaskId:
    """What is sealed is the plan, and the answer says that it broke off."""
    return await by_model(cluster, broken_off("a", "b", "c"), broken_off("c"))


@streamed
async def plan_that_is_whole_before_its_stream_ends(cluster: MemoryCluster) -> TaskId:
    said = (plan_text("a", "b"), "\nThat is", " all there is.", Finish("stop", 10, 5))
    return await by_model(cluster, said)


# ---- ended in the middle -----------------------------------------------------------------------


@streamed
async def cancelled_while_the_plan_streams(cluster: MemoryCluster) -> TaskId:
    writer = Writer(step("a"), step("b", "a"), step("c"), pauses_after=("b",))
    agent = Agent("b")
    await cluster.add_manager(writer)
    await cluster.add("researcher-0", agent)
    task = await cluster.submit(GOAL, DEADLINE_S)
    await until(lambda: agent.begun["b"] == 1)
    await task.cancel("nobody needs it any more")
    return await end(task)


@streamed
async def deadline_while_the_plan_streams(cluster: MemoryCluster) -> TaskId:
    await cluster.add_manager(Writer(step("a"), step("b", "a"), pauses_after=("b",)))
    await cluster.add("researcher-0", Agent("b"))
    return await end(await cluster.submit(GOAL, SHORT_S))


# ---- adopted -----------------------------------------------------------------------------------


@streamed
async def adopted_while_the_plan_streams(cluster: MemoryCluster) -> TaskId:
    """Whoever adopts it goes on with what is sealed, and plans the rest."""
    steps = step("a"), step("b", "a"), step("c")
    writer, agent = Writer(*steps, pauses_after=("b",)), Agent("a")
    held = Held(cluster, writer, agent)
    return await held.adopted(Writer(*steps), lambda: agent.begun["a"] == 1)


@streamed
async def adopted_when_a_step_had_ended_and_the_plan_had_not(cluster: MemoryCluster) -> TaskId:
    """The rest, as another model says it, is other steps."""
    writer, agent = Writer(step("a"), step("b", "a"), pauses_after=("b",)), Agent("b")
    held = Held(cluster, writer, agent)
    rest = Writer(step("a"), step("b", "a"), step("b2", "a"), step("c", "b", "b2"))
    return await held.adopted(rest, lambda: agent.begun["b"] == 1)


@streamed
async def adopted_plan_that_a_plainer_model_has_begun(cluster: MemoryCluster) -> TaskId:
    """That it has is said by whoever makes the plan whole."""
    steps = step("a"), step("b"), step("c", "b")
    writer, agent = PlainWriter(*steps, pauses_after=("b",)), Agent("a")
    held = Held(cluster, writer, agent)
    return await held.adopted(Writer(*steps), lambda: agent.begun["a"] == 1)


# ---- declared ----------------------------------------------------------------------------------


@streamed
async def declared_workflow(cluster: MemoryCluster) -> TaskId:
    """Nobody plans: one step is done by another role, one begins without what it needs."""
    agent = Agent("facts")
    workflow = Plan(
        (
            Step(StepId("facts"), "researcher", "Look up the facts.", is_pure=True, expected_s=5.0),
            Step(
                StepId("table"),
                "coder",
                "Print the table.",
                (StepId("facts"),),
                alternatives=("writer", "researcher"),
                allowed_s=30.0,
            ),
            Step(StepId("early"), "researcher", "Begin.", (StepId("facts"),), is_broadcast=True),
        )
    )
    await cluster.add_manager(Manager())
    await cluster.add("researcher-0", agent)
    task = await cluster.submit(GOAL, DEADLINE_S, workflow=workflow)
    await until(lambda: agent.begun["early"] == 1)
    agent.go_on.set()
    return await end(task)


@streamed
async def declared_workflow_adopted_in_a_step(cluster: MemoryCluster) -> TaskId:
    manager, agent = Manager(), Agent("b")
    killed = await cluster.add_manager(manager)
    await cluster.add("researcher-0", agent)
    workflow = Plan((step("a"), step("b", "a"), step("c", "b")))
    task = await cluster.submit(GOAL, DEADLINE_S, workflow=workflow)
    await until(lambda: agent.begun["b"] == 1)
    await replace(cluster, killed, manager, "manager-1")
    agent.go_on.set()
    return await end(task)
