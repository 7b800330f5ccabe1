"""Does one task chained and broadcast, and shows both times and both answers.

Run it: `.venv/bin/python examples/broadcast/compare.py`. Its model is simulated and takes 0.6 s a
thought; where FLEETMIND_MODEL names one, that is used instead, and the times are others.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from cluster import Cluster

HERE = Path(__file__).parent
GOAL = "What is there to say of the bridge?"


async def main() -> None:
    """Print for each way how long it took, which steps were done again, and the answer."""
    async with Cluster(config=HERE / "fleet.toml") as cluster:
        await cluster.ask(GOAL)  # the first task waits for the agents' start
        for coherence in ("chained", "broadcast"):
            began_at = time.perf_counter()
            task = await cluster.submit(GOAL, coherence=coherence)
            answer = await task
            took_s = time.perf_counter() - began_at
            redone = [event.step async for event in task if event.kind == "stale"]
            print(f"# {coherence}: {took_s:.2f} s, done again: {', '.join(redone) or 'nothing'}")
            print(f"{answer.text}\n")
            for reason in answer.degraded:
                print("Degraded:", reason)


if __name__ == "__main__":
    asyncio.run(main())
