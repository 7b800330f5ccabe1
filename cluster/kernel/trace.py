"""W3C trace context (https://www.w3.org/TR/trace-context/), carried always, sampled by others."""

from __future__ import annotations

import random


def new_traceparent(rng: random.Random) -> str:
    """Return the root of a new trace, marked as not sampled."""
    return f"00-{rng.getrandbits(128) | 1:032x}-{rng.getrandbits(64) | 1:016x}-00"


def child_traceparent(parent: str, rng: random.Random) -> str:
    """Return the same trace with a new span id; a new root where the parent isn't valid."""
    parts = parent.split("-")
    if len(parts) != 4 or len(parts[1]) != 32:
        return new_traceparent(rng)
    return f"00-{parts[1]}-{rng.getrandbits(64) | 1:016x}-{parts[3]}"
