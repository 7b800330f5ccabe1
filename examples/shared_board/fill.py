"""Runs the team of this folder, shows its merges as they happen, and decides one conflict by hand.

Run it: `.venv/bin/python examples/shared_board/fill.py`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from team import Board  # type: ignore[import-not-found]  # beside this file, which is the program

from cluster import Cluster
from cluster.kernel.events import StateConflicted, StateMerged

HERE = Path(__file__).parent
GOAL = "Write a program that prints the three largest numbers of a list with heapq.nlargest."


def told(detail: object) -> str | None:
    """Return what is merged, and what can't be."""
    match detail:
        case StateMerged(changes):
            return "; ".join(f"merged {', '.join(each.places)}" for each in changes)
        case StateConflicted(field=field, sides=sides):
            wanted = " or ".join(f"{each.value} ({each.step})" for each in sides)
            return f"conflict in {field}: {wanted}"
    return None


async def main() -> None:
    """Print what is merged and what is in conflict, decide, and print the board."""
    async with Cluster(config=HERE / "fleet.toml") as cluster:
        task = await cluster.submit(GOAL, knowledge=[HERE.parent / "knowledge"], deadline_s=240)
        async for event in task:
            if (line := told(event.detail)) is not None:
                print(f"{event.at_s:5.2f} s  {line}")
        for reason in (await task).degraded:
            print("Degraded:", reason)

        async with task.state(Board) as board:  # a person has seen both, and says what stands
            board.verdict = "start with the heap"
        board = task.peek(Board)
        print("Title:", board.title)
        print("Verdict:", board.verdict)
        print("Cited:", board.cited)
        for line in board.said:
            print("-", line)


if __name__ == "__main__":
    asyncio.run(main())
