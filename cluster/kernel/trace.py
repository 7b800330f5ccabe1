"""W3C trace context (https://www.w3.org/TR/trace-context/), carried always, sampled by others."""

from __future__ import annotations

import random
import re

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})")


def new_traceparent(rng: random.Random) -> str:
    """Return the root of a new trace, marked as not sampled."""
    return f"00-{rng.getrandbits(128) | 1:032x}-{rng.getrandbits(64) | 1:016x}-00"


def child_traceparent(parent: str, rng: random.Random) -> str:
    """Return the same trace with a new span id; a new root where the parent isn't valid."""
    match = _TRACEPARENT.fullmatch(parent)
    if match is None:
        return new_traceparent(rng)
    return f"00-{match[1]}-{rng.getrandbits(64) | 1:016x}-{match[2]}"
