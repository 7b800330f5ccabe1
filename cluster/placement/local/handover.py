"""What a process is given when it is started, in memory: its starter may be killed at any moment.

A file would stay then, with secrets in it. Used by `cluster.placement.local.child_process` and by
what it starts, which is to import little before it watches its lifeline.
"""

from __future__ import annotations

import os


def hand_over(text: str) -> int:
    """Return a descriptor that a process which inherits it can `take_over`."""
    descriptor = os.memfd_create("fleetmind")
    left = memoryview(text.encode())
    while left:
        left = left[os.write(descriptor, left) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def take_over(descriptor: int) -> str:
    """Return the text that was handed over, and close its descriptor."""
    with os.fdopen(descriptor, encoding="utf-8") as file:
        return file.read()
