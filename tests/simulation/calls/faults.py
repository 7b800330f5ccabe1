"""What the replicas of a model do wrong, drawn from the seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agents.models.port import Delta, Finish
from cluster.kernel.errors import ModelError
from tests.simulation.calls.timed_model import NEVER_S, Due, Timed

FIRST_S, GAP_S = 0.3, 0.03
SLOW_FACTOR = 10.0
HORIZON_S = 20.0
BOUND = 900
"""Tokens that an answer may have."""
SHARES = (0.0, 0.05, 0.2, 0.5)
KINDS = (
    *("slow", "hangs", "stalls", "rests", "cut", "unended", "fails", "refuses", "withdraws"),
    *("full", "muses"),
)
ROOM_AFTER_S = (0.0, 0.0, 0.5, 6.0, 30.0)
"""What a replica without room asks to wait; mostly it doesn't say."""
_ERRORS = {
    "cut": "the endpoint cut its stream off",
    "refuses": "the endpoint refused the request",
    "withdraws": "the endpoint took its answer back",
}


@dataclass(frozen=True)
class Episode:
    """A time in which a replica, or all of them, is slow, down, or without room."""

    begins_at: float
    ends_at: float
    replica: int | None
    kind: str
    """What each request meets; empty where it is slow."""

    def holds(self, replica: int, now: float) -> bool:
        """Say whether it holds for a replica now."""
        is_meant = self.replica is None or self.replica == replica
        return is_meant and self.begins_at <= now < self.ends_at


class CallFaults:
    """Draws what each request meets.

    Args:
        seed: of the run, with a name where it has several models.
        replicas: how many the model has.
        shares: of requests that meet something, one of which is drawn.
        kinds: what they may meet.
    """

    def __init__(
        self,
        seed: int | str,
        replicas: int,
        shares: Sequence[float] = SHARES,
        kinds: Sequence[str] = KINDS,
    ) -> None:
        self._rng = random.Random(f"calls faults {seed}")
        self._kinds = kinds
        self._share = self._rng.choice(shares)
        self.counts: Counter[str] = Counter()
        self._episodes = [self._episode(replicas) for _ in range(self._rng.randrange(3))]

    def _episode(self, replicas: int) -> Episode:
        rng = self._rng
        begins_at = rng.uniform(0.0, HORIZON_S)
        replica = rng.choice((None, *range(replicas)))
        kind = rng.choice(("", "", "fails", "full"))
        return Episode(begins_at, begins_at + rng.uniform(1, 8), replica, kind)

    def script(self, replica: int, name: str, now: float, *, is_bounded: bool) -> Timed:
        """Return how a request is answered; each of its pieces says the request's name.

        Args:
            replica: which one is asked.
            name: of the request.
            now: the time.
            is_bounded: whether the answer may only have so many tokens, reasoning included.
        """
        rng, factor = self._rng, 1.0
        kind = rng.choice(self._kinds) if rng.random() < self._share else ""
        for episode in self._episodes:
            if episode.holds(replica, now):
                kind = episode.kind or kind
                factor = 1.0 if episode.kind else SLOW_FACTOR
        if kind:
            self.counts[kind] += 1
        if kind == "full":
            return [Due(0.01, _without_room(rng.choice(ROOM_AFTER_S)))]
        if kind == "muses":
            return self._mused(name, is_bounded=is_bounded)
        return self._script(kind, name, factor * (SLOW_FACTOR if kind == "slow" else 1.0))

    def _mused(self, name: str, *, is_bounded: bool) -> Timed:
        """Return an answer with reasoning before it, which a bound has no room for."""
        thoughts = [
            Due(GAP_S, Delta(f"{name}? ", is_reasoning=True)) for _ in range(self._rng.randrange(3))
        ]
        if is_bounded:
            return [*thoughts, Due(FIRST_S, Finish("length", 1, BOUND))]
        return [*thoughts, *self._script("", name, 1.0)]

    def _script(self, kind: str, name: str, factor: float) -> Timed:
        rng = self._rng
        first_s = FIRST_S * factor * rng.lognormvariate(0.0, 0.3)
        pieces = rng.randrange(1, 12)
        said = [
            Due(GAP_S * factor if number else first_s, Delta(f"{name}:{number} "))
            for number in range(pieces)
        ]
        part = said[: rng.randrange(len(said) + 1)]
        rest_s = rng.uniform(1.0, 6.0)
        if kind in _ERRORS:
            return [*(part if kind != "refuses" else ()), Due(0.01, _error(kind))]
        answers: dict[str, Timed] = {
            "hangs": [Due(NEVER_S, None)],
            "stalls": [*part, Due(NEVER_S, None)],
            "unended": [*(part or said[:1]), Due(0.0, None)],
            "fails": [Due(0.01, ModelError("the endpoint failed"))],
            "rests": [
                *said,
                Due(rest_s, Delta(f"{name}:{pieces} ")),
                Due(0.0, Finish("stop", 1, pieces + 1)),
            ],
        }
        return answers.get(kind, [*said, Due(0.0, Finish("stop", 1, pieces))])


def _without_room(room_after_s: float) -> ModelError:
    error = ModelError("the endpoint has no room", room_after_s)
    error.is_busy = True
    return error


def _error(kind: str) -> ModelError:
    error = ModelError(_ERRORS[kind])
    error.is_withdrawal = kind == "withdraws"
    error.is_askers_fault = kind in ("refuses", "withdraws")
    return error
