"""Many cases in a row: what they came to, which crashed or hung, and what memory they took."""

from __future__ import annotations

import gc
import importlib
import resource
import signal
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

WORKS = {
    "files": "tests.mutations.files",
    "streams": "tests.mutations.streams",
}
"""What can be run, and the module whose ``run`` takes the seed of a case."""
CASE_CPU_S = 2.0
"""A case's CPU time beyond which it hangs: what it takes apart from its bytes."""
BYTES_PER_CPU_S = 100_000
"""How slowly a case may read its bytes at worst."""
FAILURES_MAX = 20
"""So many end a campaign: there is enough to do."""
TOLD_EVERY = 1_000
"""Cases from one report of a campaign to the next."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a case came to that was read to its end, or refused as it should be."""

    kind: str
    """One of few words: cases are counted by it."""
    bytes_read: int


class Overran(BaseException):
    """A case has had more CPU time than any should; no handler of errors takes it for one."""


@dataclass
class Tally:
    """What a campaign came to so far."""

    work: str
    next_seed: int
    count: int = 0
    bytes_read: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    failing: dict[int, str] = field(default_factory=dict)
    """Seed -> what was raised, with where."""
    warm_kib: int = 0
    """What memory the process had after a tenth of the cases; it should need no more later."""
    resident_kib: int = 0
    """And after all so far."""
    peak_kib: int = 0
    """The most that it had at any time."""

    def add(self, seed: int, case: Callable[[int], Outcome]) -> None:
        """Run a case, and count it."""
        self.next_seed = seed + 1
        self.count += 1
        try:
            outcome = _bounded(seed, case)
        except (Exception, Overran) as error:  # noqa: BLE001 - to find them is what this is for
            self.kinds[f"FAILED: {type(error).__name__}"] += 1
            self.failing[seed] = "".join(traceback.format_exception(error, limit=-6))
            return
        self.kinds[outcome.kind] += 1
        self.bytes_read += outcome.bytes_read


def run(work: str, first: int, count: int) -> Iterator[Tally]:
    """Run cases; yield the tally now and then, and at the end."""
    case: Callable[[int], Outcome] = importlib.import_module(WORKS[work]).run
    tally = Tally(work, first)
    warm_after = max(1, count // 10)
    for seed in range(first, first + count):
        tally.add(seed, case)
        if tally.count == warm_after:
            tally.warm_kib = _resident_kib()
        if len(tally.failing) >= FAILURES_MAX:
            break
        if tally.count % TOLD_EVERY == 0 and tally.count < count:
            yield tally
    tally.resident_kib = _resident_kib()
    tally.peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield tally


def _bounded(seed: int, case: Callable[[int], Outcome]) -> Outcome:
    """Return what a case came to, within the CPU time that its bytes allow.

    Raises:
        Overran: it took longer. The timer only ends what would not end by itself; what is slow for
            its bytes is seen afterwards.
    """

    def overrun(_signal: int, _frame: FrameType | None) -> None:
        raise Overran(f"no end after {hang_s:g} s of CPU time")

    hang_s = 30 * CASE_CPU_S
    before = signal.signal(signal.SIGPROF, overrun)
    signal.setitimer(signal.ITIMER_PROF, hang_s)
    began = resource.getrusage(resource.RUSAGE_SELF)
    try:
        outcome = case(seed)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before)
    ended = resource.getrusage(resource.RUSAGE_SELF)
    took_s = ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime
    may_take_s = CASE_CPU_S + outcome.bytes_read / BYTES_PER_CPU_S
    if took_s > may_take_s:
        raise Overran(f"{took_s:.3g} s of CPU time for {outcome.bytes_read:,} bytes")
    return outcome


def _resident_kib() -> int:
    gc.collect()
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * resource.getpagesize() // 1024
