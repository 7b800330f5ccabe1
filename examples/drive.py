"""Drive a cluster from Python: see what the agents think and do, then use the answer's parts.

Run it: `.venv/bin/python examples/drive.py`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from cluster import Cluster, TaskFailed

KNOWLEDGE = Path(__file__).parent / "knowledge"
GOAL = "Write a program that prints the three largest numbers of a list with heapq.nlargest."


async def main() -> None:
    """Submit one goal, follow its events, print the program that ran."""
    async with Cluster(on_note=print) as cluster:
        task = await cluster.submit(GOAL, knowledge=[KNOWLEDGE], deadline_s=240)
        async for event in task:
            if event.kind != "thought":
                print(f"{event.at_s:7.3f} s  {event.agent:<14} {event.step:<8} {event.kind}")
        try:
            answer = await task
        except TaskFailed as error:
            print(f"no answer: {error}")
            return
        print(answer.text)
        for step_program in answer.programs:
            run = step_program.program.run
            print(step_program.program.source)
            print("printed:", run.stdout if run else "")


if __name__ == "__main__":
    asyncio.run(main())
