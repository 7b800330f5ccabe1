"""LangGraph's own cost: a chain of three steps and an answer, whose model takes no time.

Prints what it is as JSON; for each line ``STORE COUNT`` on its standard input it runs the graph so
often and prints the seconds of each run as a JSON list. ``memory`` is without a checkpointer,
``sqlite`` and ``sqlite-sync`` with its SQLite one in the folder given, which takes what the graph
does while it goes on (its default), or before it goes on; ``redis`` with the plain Redis one at the
URL given.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import operator
import sys
import time
import uuid
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TypedDict

import uvloop
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph_checkpoint_plainredis import AsyncRedisSaver

HOW = "a graph of four nodes, a model of no latency in each, uvloop"
WHILE_IT_GOES_ON = ("sqlite", "redis")
NODES = ("s1", "s2", "s3", "answer")
SAID = "This part says what is known about the market and where it was found. " * 4


class State(TypedDict):
    """What the nodes add to."""

    goal: str
    results: Annotated[list[str], operator.add]


async def think(_: State) -> dict[str, Any]:
    """Say something at once."""
    await asyncio.sleep(0)
    return {"results": [SAID]}


def chain() -> Any:
    """Return the graph."""
    graph = StateGraph(State)
    for node in NODES:
        graph.add_node(node, think)
    for before, after in zip((START, *NODES), (*NODES, END), strict=True):
        graph.add_edge(before, after)
    return graph


@contextlib.asynccontextmanager
async def saver_of(store: str, folder: Path, redis_url: str) -> AsyncIterator[Any]:
    """Open the checkpointer of a store."""
    if store == "memory":
        yield None
    elif store == "redis":
        yield AsyncRedisSaver(url=redis_url)
    else:
        async with AsyncSqliteSaver.from_conn_string(str(folder / f"{store}.db")) as saver:
            yield saver


async def run_round(store: str, count: int, folder: Path, redis_url: str) -> list[float]:
    """Return the seconds of each run."""
    taken = []
    async with saver_of(store, folder, redis_url) as saver:
        graph = chain().compile(checkpointer=saver)
        options = {"durability": "async" if store in WHILE_IT_GOES_ON else "sync"} if saver else {}
        for _ in range(count):
            config = {"configurable": {"thread_id": uuid.uuid4().hex}}
            started = time.perf_counter()
            ended = await graph.ainvoke({"goal": "go", "results": []}, config, **options)
            taken.append(time.perf_counter() - started)
            assert len(ended["results"]) == len(NODES)
    return taken


async def main() -> None:
    """Serve rounds until standard input ends."""
    folder, redis_url = Path(sys.argv[1]), sys.argv[2]
    names = ("langgraph", "langgraph-checkpoint-sqlite", "langgraph-checkpoint-plainredis")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    print(json.dumps({"version": versions, "how": HOW}), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        store, count = line.split()
        print(json.dumps(await run_round(store, int(count), folder, redis_url)), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
