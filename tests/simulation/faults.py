"""What goes wrong in a run, by its seed: how likely each fault is, and how often each came.

Every run has a subset of the faults of its own (swarm testing, A. Groce et al., ISSTA 2012): many
faults at once hide what few of them bring to light.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.loop import Process

RATES = {
    "break": (0.002, 0.03),
    "stall then break": (0.002, 0.02),
    "delay": (0.01, 0.3),
    "duplicate": (0.01, 0.2),
    "reorder": (0.002, 0.03),
    "slow consumer": (0.1, 0.5),
    "store delay": (0.01, 0.2),
    "store unreachable": (0.002, 0.05),
    "store reply lost": (0.002, 0.05),
    "store applies late": (0.002, 0.03),
    "model error": (0.02, 0.3),
    "model stream cut": (0.02, 0.2),
    "model stall": (0.01, 0.1),
    "model garbage": (0.02, 0.2),
    "sandbox error": (0.02, 0.3),
}
"""Faults of single operations: the least and the greatest probability of each, in a run that has
it."""

EPISODES = (
    "partition one way",
    "partition both ways",
    "partition from store",
    "zombie",
    "pause",
    "crash",
    "store restart",
    "clock jump",
)
"""Faults that begin at some moment; those with a length end after it."""

CRASH_SHARE = 0.6
"""Share of the runs in which hosts crash at commit boundaries."""
BOUNDARIES = (("", 60), ("a frame", 40), ("append", 12), ("claim", 4), ("put_once", 4))
"""A host that is to crash does so at a boundary of one kind, within so many of them."""
SHARE_OF_EACH = 0.35
GENTLE_SHARE = 0.08
"""Share of the runs in which only models and tools fail: what they must do in time can be told."""
GENTLE = ("model", "sandbox", "cancel")
CRASHES_MAX = 6
_REGRESSIONS = Path(__file__).with_name("regressions.txt").read_text(encoding="utf-8")
KEPT_SEEDS = frozenset(
    int(line.split()[0]) for line in _REGRESSIONS.splitlines() if not line.startswith("#")
)
"""Those that once failed: they run as they did."""


@dataclass(frozen=True, slots=True)
class Menu:
    """What may go wrong in the runs of a workload."""

    rates: Mapping[str, tuple[float, float]]
    episodes: Sequence[str]
    boundaries: Sequence[tuple[str, int]]
    gentle: tuple[str, ...]
    """What the faults begin with that gentle runs have."""


CLUSTER = Menu(RATES, EPISODES, BOUNDARIES, GENTLE)


@dataclass(frozen=True, slots=True)
class Episode:
    """A fault that begins at a moment, in seconds since the start, and lasts."""

    at: float
    kind: str
    length_s: float


class Faults:
    """The faults of one run; nothing happens after `stop`."""

    def __init__(
        self, rng: random.Random, *, horizon_s: float, lease_s: float, menu: Menu = CLUSTER
    ) -> None:
        self._random = rng
        self._menu = menu
        self._lease_s = lease_s
        self.are_on = True
        self.counts: Counter[str] = Counter()
        self.rates = {
            kind: rng.uniform(*bounds)
            for kind, bounds in menu.rates.items()
            if rng.random() < SHARE_OF_EACH
        }
        self.is_gentle = rng.random() < GENTLE_SHARE
        if self.is_gentle:
            self.rates = {k: rate for k, rate in self.rates.items() if k.startswith(menu.gentle)}
        self.episodes = [] if self.is_gentle else self._planned(horizon_s)
        self.on_crash: Callable[[Process], None] = lambda process: None
        self.on_fault: Callable[[str], None] = lambda kind: None
        may_crash = not self.is_gentle and rng.random() < CRASH_SHARE
        self._crashes_at_boundaries = may_crash and bool(menu.boundaries)
        self._crashes_left = rng.randint(1, CRASHES_MAX)
        self._armed: dict[Process, tuple[str, int]] = {}

    def _planned(self, horizon_s: float) -> list[Episode]:
        rng = self._random
        kinds = [kind for kind in self._menu.episodes if rng.random() < SHARE_OF_EACH]
        count = rng.randint(0, 5) if kinds else 0
        return sorted(
            (
                Episode(
                    horizon_s * rng.random() ** 2,  # more of them while the tasks run
                    rng.choice(kinds),
                    self._lease_s * rng.choice((0.1, 0.5, 1.2, 3.0)),
                )
                for _ in range(count)
            ),
            key=lambda episode: episode.at,
        )

    def happens(self, kind: str) -> bool:
        """Say whether a fault of single operations happens now, and count it."""
        rate = self.rates.get(kind)
        if rate is None or not self.are_on or self._random.random() >= rate:
            return False
        self.count(kind)
        return True

    def count(self, kind: str) -> None:
        """Note that a fault has come."""
        self.counts[kind] += 1
        self.on_fault(kind)

    def arm(self, process: Process) -> None:
        """Choose whether and at which of its commit boundaries a new process is to crash."""
        if self._crashes_at_boundaries and self._crashes_left and self._random.random() < 0.5:
            self._crashes_left -= 1
            kind, count_max = self._random.choice(self._menu.boundaries)
            self.crash_at(process, kind, self._random.randint(1, count_max))

    def crash_at(self, process: Process, kind: str, number: int = 1) -> None:
        """Have a process crash at the boundary of that number (from 1) among those named so."""
        self._armed[process] = (kind, number)

    def boundary(self, process: Process, place: str) -> bool:
        """Pass a commit boundary; return False where the process crashed at it."""
        kind, left = self._armed.get(process, ("", 0))
        if not left or not self.are_on or kind not in place:
            return process.is_alive
        if left > 1:
            self._armed[process] = (kind, left - 1)
            return process.is_alive
        del self._armed[process]
        if process.is_alive:
            self.count("crash " + place)
            self.on_crash(process)
        return False

    def stop(self) -> None:
        """Let nothing go wrong from now on."""
        self.are_on = False
