"""Which calls a model server plays slowly: a share of them, drawn anew for each attempt.

Pure. Used by `benchmarks.model_server`. A call is slow by its task's number, its step, and how
often the step was asked for before, and by nothing else: whoever does the same tasks on a server of
its own meets the same slow calls, and a second request for one is a draw of its own.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field

from agents.models.simulated.model import Timing

FACTOR = 10.0
"""How many times longer a slow call takes, to its first token and from there to its last."""
_DRAWS = 2**64


@dataclass(slots=True)
class SlowCalls:
    """The draws of one server, and what it was asked for so far."""

    share: float = 0.0
    """Of all calls."""
    seed: int = 1
    factor: float = FACTOR
    count: int = 0
    """How many were slow."""
    _numbers: dict[str, int] = field(default_factory=dict)
    """Of the tasks, in the order in which they were first heard of."""
    _asked: Counter[tuple[int, str]] = field(default_factory=Counter)

    def timing_of(self, task: str, step: str, timing: Timing) -> Timing:
        """Return how fast one more call for a step is, where it would usually be as given."""
        number = self._numbers.setdefault(task, len(self._numbers))
        attempt = self._asked[number, step]
        self._asked[number, step] += 1
        if not self.is_slow(number, step, attempt):
            return timing
        self.count += 1
        return Timing(timing.ttft_s * self.factor, timing.tokens_per_s / self.factor)

    def is_slow(self, number: int, step: str, attempt: int) -> bool:
        """Say whether a call is slow; tasks and attempts count from 0."""
        name = f"{self.seed} {number} {step} {attempt}".encode()
        draw = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest())
        return draw < self.share * _DRAWS
