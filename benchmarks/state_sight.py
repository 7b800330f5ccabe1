"""How soon an edit made on one host is seen on another, through the store.

`python -m benchmarks.state_sight URL` is the other host: it says, a line of JSON each, up to which
edit it has seen the document, and when by the monotonic clock.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

import uvloop

from benchmarks.harness import Figure, Goal, judged, percentile, sample_figure
from benchmarks.state_boards import CHANGES, Board, board, edit, fill
from benchmarks.state_writer import say
from cluster.kernel.clock import SystemClock
from cluster.memory.state.host.document import Document
from cluster.memory.state.host.documents import Documents
from cluster.memory.state.redis import RedisStateLog
from cluster.memory.store.redis import RedisStore
from cluster.state.editing import policies_of

NAME = "cluster/Board/sight"
SIGHT_GOAL = Goal("<=", 20.0)
EDITS_A_S = 200
SECONDS = 10.0
QUICK_SECONDS = 2.0


async def sight_figures(url: str, *, is_quick: bool) -> list[Figure]:
    """Edit steadily; the other host says when it sees each edit."""
    store = await RedisStore.connect(url)
    documents = Documents(RedisStateLog(store), SystemClock(), policies_of(Board))
    document = await documents.open(NAME)
    person = documents.person("bench")
    fill(document, person, board())
    await document.flushed()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.state_sight", url, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        await process.stdout.readline()
        count = int(EDITS_A_S * (QUICK_SECONDS if is_quick else SECONDS))
        made: list[float] = []
        started = time.monotonic()
        for number in range(count):
            await asyncio.sleep(max(0.0, started + number / EDITS_A_S - time.monotonic()))
            made.append(time.monotonic())
            edit(document, person, COUNTING, number)
        seen: list[float] = []
        while len(seen) < count:
            told = json.loads(await process.stdout.readline())
            seen += [told["at"]] * (int(told["count"]) - len(seen))
    finally:
        process.kill()
        await process.wait()
        await documents.close()
        await store.close()
    delays = [(end - start) * 1_000 for start, end in zip(made, seen, strict=True)]
    note = f"{EDITS_A_S} edits a second of one document, from the edit on"
    p99 = Figure("state.sight_p99_ms", percentile(delays, 0.99), "ms", n=count, note=note)
    return [sample_figure("state.sight_ms", "ms", delays, note=note), judged(p99, SIGHT_GOAL)]


COUNTING = next(each for each in CHANGES if each.name == "increment")


async def _watch(url: str) -> None:
    store = await RedisStore.connect(url)

    def tell(document: Document, _: object) -> None:
        say(count=document.fields.get("spent", 0), at=time.monotonic())

    documents = Documents(RedisStateLog(store), SystemClock(), policies_of(Board), tell)
    await documents.open(NAME)
    await asyncio.Event().wait()


if __name__ == "__main__":
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    uvloop.run(_watch(sys.argv[1]))
