"""Learns folders of a machine in one go and checks that nothing in them is silently absent.

`python -m benchmarks.mixed_folders /usr/share/doc /usr/lib/python3` counts the entries by itself,
learns them all into a store in memory, and compares: each is read, or left out for a reason. It
fails where the counts don't add up.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cluster.kernel.clock import SystemClock
from cluster.memory.knowledge.folders import is_foreign_name
from cluster.memory.knowledge.learning import Learned, LearningProgress, learn
from cluster.memory.knowledge.omissions import left_out_line
from cluster.memory.namespaces.local import LocalNamespaces
from cluster.memory.store.local import LocalStore


def entries_below(folder: str) -> int:
    """Return how many entries a folder has, one for each folder that is not looked into."""
    count = 0
    for path, folders, files in os.walk(folder):
        left_out = [
            name
            for name in folders
            if Path(path, name).is_symlink()
            or is_foreign_name(name)
            or Path(path, name, "pyvenv.cfg").exists()
        ]
        folders[:] = [name for name in folders if name not in left_out]
        count += len(files) + len(left_out)
    return count


async def learned_of(paths: Sequence[str]) -> Learned:
    """Learn some folders."""
    clock = SystemClock()
    namespaces = LocalNamespaces(LocalStore(clock), clock)

    def tell(done: LearningProgress) -> None:
        print(f"{done.files:,} of {done.of_files:,} files", file=sys.stderr)

    return await learn(namespaces, paths, progress=tell)


def main() -> int:
    """Return 1 where the counts don't add up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+")
    paths: list[str] = parser.parse_args().paths
    expected = sum(map(entries_below, paths))
    began = time.monotonic()
    learned = asyncio.run(learned_of(paths))
    took_s = time.monotonic() - began
    left_out = sum(each.count for each in learned.left_out)
    read = learned.embedded + learned.reused
    print(left_out_line(learned.left_out))
    for news in learned.news:
        print(news)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{expected:,} entries: {read:,} read, {learned.passages:,} passages, {left_out:,} left"
        f" out; {took_s:.0f} s, {peak_mb:.0f} MiB"
    )
    return int(read + left_out != expected)


if __name__ == "__main__":
    sys.exit(main())
