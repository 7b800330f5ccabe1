"""'report' on LangGraph: its orchestrator and workers, those that can begin sent out by `Send`.

A graph of a plan that is made at run time goes on in rounds: what was sent out together is waited
for together.
"""

from __future__ import annotations

import operator
from importlib.metadata import version
from typing import Annotated, Any, TypedDict

import uvloop
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from benchmarks.peers.report_job import Job, Step, serve

HOW = "the whole plan first, ready steps by Send in rounds, no checkpointer, uvloop"


class State(TypedDict):
    """What the graph's nodes read and write."""

    steps: list[Step]
    results: Annotated[dict[str, str], operator.or_]
    answer: str


class Order(TypedDict):
    """What one worker gets."""

    step: Step
    results: list[str]


def ready(state: State) -> list[Send] | str:
    """Send out the steps whose needs are there; the answer when all are done."""
    done = state["results"]
    if len(done) == len(state["steps"]):
        return "answer"
    return [
        Send("work", Order(step=step, results=[done[need] for need in step.needs]))
        for step in state["steps"]
        if step.id not in done and all(need in done for need in step.needs)
    ]


def graph_of(job: Job) -> Any:
    """Return the compiled graph of a job."""

    async def plan(_: State) -> dict[str, Any]:
        return {"steps": await job.plan(), "results": {}}

    async def work(order: Order) -> dict[str, Any]:
        step = order["step"]
        return {"results": {step.id: await job.do_step(step, order["results"])}}

    async def join(_: State) -> dict[str, Any]:
        return {}

    async def answer(state: State) -> dict[str, Any]:
        results = [state["results"][step.id] for step in state["steps"]]
        return {"answer": await job.answer(results)}

    graph = StateGraph(State)
    for node in (plan, work, join, answer):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", ready, ["work", "answer"])
    graph.add_edge("work", "join")
    graph.add_conditional_edges("join", ready, ["work", "answer"])
    graph.add_edge("answer", END)
    return graph.compile()


async def run_job(job: Job) -> str:
    """Return the answer."""
    ended = await graph_of(job).ainvoke({"steps": [], "results": {}, "answer": ""})
    return str(ended["answer"])


if __name__ == "__main__":
    uvloop.run(serve({"version": version("langgraph"), "how": HOW}, run_job))
