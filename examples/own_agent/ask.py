"""Runs a cluster with the Reviewer of this folder and shows its step among the others.

Run it: `.venv/bin/python examples/own_agent/ask.py`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from cluster import Cluster

HERE = Path(__file__).parent
GOAL = (
    "Write a program that prints the three largest numbers of a list with heapq.nlargest, and have "
    "it reviewed."
)


async def main() -> None:
    """Print the steps as they end, the answer, and what was given up for it."""
    async with Cluster(config=HERE / "fleet.toml") as cluster:
        task = await cluster.submit(GOAL, knowledge=[HERE.parent / "knowledge"], deadline_s=240)
        async for event in task:
            if event.kind == "step_finished":
                print(f"{event.agent} finished {event.step}", getattr(event.detail, "result", ""))
        answer = await task
    print(answer.text)
    for reason in answer.degraded:  # it also says so where no step of the plan was for the Reviewer
        print("Degraded:", reason)


if __name__ == "__main__":
    asyncio.run(main())
