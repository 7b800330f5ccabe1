"""W3C trace context (https://www.w3.org/TR/trace-context/): carried always, sampled for a share."""

from __future__ import annotations

import random

SAMPLED_SHARE = 0.01
"""Of the tasks whose turns leave spans: a span costs 25 us, as much as a message."""


def new_traceparent(rng: random.Random, sampled_share: float = SAMPLED_SHARE) -> str:
    """Return the root of a new trace, marked as sampled for a share of them."""
    flags = "01" if rng.random() < sampled_share else "00"
    return f"00-{rng.getrandbits(128) | 1:032x}-{rng.getrandbits(64) | 1:016x}-{flags}"


def is_sampled(traceparent: str) -> bool:
    """Say whether the trace is marked as sampled: the lowest bit of its flags."""
    return traceparent[-1:] in {"1", "3", "5", "7", "9", "b", "d", "f"}
