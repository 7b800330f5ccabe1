"""Two tasks at once on one cluster: their agents' turns interleave, their events don't mix.

Run it: `.venv/bin/python examples/two_tasks.py`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from cluster import Cluster, ClusterError

KNOWLEDGE = Path(__file__).parent / "knowledge"
GOALS = ("How does binary search work?", "What is the median of a list?")


async def main() -> None:
    """Ask both questions at the same time and print the answers as they come."""
    async with Cluster() as cluster:

        async def ask(goal: str) -> None:
            try:
                text = (await cluster.ask(goal, knowledge=[KNOWLEDGE], deadline_s=240)).text
            except ClusterError as error:  # the other question may have an answer
                text = f"no answer: {error}"
            print(f"# {goal}\n{text}\n")

        await asyncio.gather(*(ask(goal) for goal in GOALS))


if __name__ == "__main__":
    asyncio.run(main())
