"""``python -m tests.histories.record``: records the journals that are missing.

``NAME ...`` records those again. ``--accept`` writes the orders that the code of today gives into
the journals as they are; to be used where a change of what a Manager does is meant, and read before
it is committed.
"""

from __future__ import annotations

import argparse
import asyncio

from tests.histories.journals import keep, names, recorded, replayed
from tests.histories.shapes import SHAPES
from tests.histories.streamed import STREAMED
from tests.support.hosts import MemoryCluster

TIMEOUT_S = 60.0
ALL = SHAPES | STREAMED


async def record(name: str) -> None:
    """Run the shape of that name and keep its journal."""
    async with asyncio.timeout(TIMEOUT_S), MemoryCluster() as cluster:
        task = await ALL[name](cluster)
        keep(name, replayed(await cluster.journal.read(task)))


def accept(name: str) -> None:
    """Give a recorded journal the orders of today."""
    keep(name, replayed(entry.stored for entry in recorded(name)))


def main() -> None:
    """Record what is named, or what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--accept", action="store_true", help="write the orders of today")
    arguments = parser.parse_args()
    if arguments.accept:
        for name in names():
            accept(name)
    for name in arguments.names or sorted(ALL.keys() - set(names())):
        asyncio.run(record(name))


if __name__ == "__main__":
    main()
