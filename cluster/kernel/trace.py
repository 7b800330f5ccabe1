"""W3C trace context (https://www.w3.org/TR/trace-context/), carried always, sampled by others."""

from __future__ import annotations

import random


def new_traceparent(rng: random.Random) -> str:
    """Return the root of a new trace, marked as not sampled."""
    return f"00-{rng.getrandbits(128) | 1:032x}-{rng.getrandbits(64) | 1:016x}-00"
