"""Many cases in a row: what they came to, which crashed or hung, and what memory they took."""

from __future__ import annotations

import faulthandler
import importlib
import itertools
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import FrameType
from typing import NamedTuple

from tests.mutations.memory import Memory, held

WORKS = {
    "files": "tests.mutations.files",
    "streams": "tests.mutations.streams",
}
"""What can be run, and the module whose ``cases`` opens what takes the seed of a case."""
CASE_CPU_S = 2.0
"""A case's CPU time beyond which it hangs: what it takes apart from its bytes."""
BYTES_PER_CPU_S = 100_000
"""How slowly a case may read its bytes at worst."""
FAILURES_MAX = 20
"""So many end a campaign: there is enough to do."""
TOLD_EVERY = 1_000
"""Cases from one report of a campaign to the next."""
SILENT_S = 600.0
"""So long without a report, a case hangs in code that no signal ends: its stack is printed."""
AGAIN_MAX = 5_000
"""So many of the last cases, a quarter of them at most, run a second time."""


class Growth(NamedTuple):
    """How much more memory a process holds than before."""

    in_use_kib: int
    blocks: int

    @classmethod
    def of(cls, before: Memory, after: Memory) -> Growth:
        """Return the growth between two measurements."""
        return cls(after.in_use_kib - before.in_use_kib, after.blocks - before.blocks)

    def is_within(self, most: Growth) -> bool:
        """Whether it is at most so much of each."""
        return self.in_use_kib <= most.in_use_kib and self.blocks <= most.blocks


HALF_MAX = Growth(2_048, 8_000)
"""What the second half of the cases may add: codecs and tables that its first cases load. Measured
were 586 KiB and 1,820 blocks at most."""
AGAIN_GROWTH_MAX = Growth(64, 100)
"""What cases may add that run a second time: nothing, but for measuring it. Measured were 15 KiB
and 37 blocks at most."""


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
    memory: tuple[Memory, ...] = ()
    """What the process held after half of the cases, after all, and after the last of them have run
    a second time. In none of these steps may it keep something of each case. The first one also
    finds what is kept once for each input, the second one little of a few cases."""
    peak_kib: int = 0
    """The most that was resident at any time."""

    @property
    def growths(self) -> list[Growth]:
        """How much memory has grown in each step; empty where it was not measured to the end."""
        return [Growth.of(*step) for step in itertools.pairwise(self.memory)]

    @property
    def has_leak(self) -> bool:
        """Whether the cases left more behind than what is loaded once."""
        mosts = (HALF_MAX, AGAIN_GROWTH_MAX)
        return not all(map(Growth.is_within, self.growths, mosts))

    @property
    def is_good(self) -> bool:
        """Whether nothing was found."""
        return not self.failing and not self.has_leak

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
    cases: Callable[[], AbstractContextManager[Callable[[int], Outcome]]]
    cases = importlib.import_module(WORKS[work]).cases
    tally = Tally(work, first)
    with cases() as case:
        for seed in range(first, first + count):
            tally.add(seed, case)
            if tally.count == max(1, count // 2):
                tally.memory += (held(),)
            if len(tally.failing) >= FAILURES_MAX:
                break
            if tally.count % TOLD_EVERY == 0 and tally.count < count:
                yield tally
        else:
            tally.memory += (held(),)
            again = Tally(work, first)
            for seed in range(first + count - min(AGAIN_MAX, count // 4), first + count):
                again.add(seed, case)
            tally.failing |= again.failing
            tally.memory += (held(),)
    tally.peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield tally


def run_to_end(work: str, first: int, count: int) -> Tally:
    """Run cases, and say how far they are to whoever looks at a terminal."""
    tally = Tally(work, first)
    faulthandler.dump_traceback_later(SILENT_S, exit=True)
    for tally in run(work, first, count):
        faulthandler.dump_traceback_later(SILENT_S, exit=True)
        if sys.stderr.isatty():
            print(f"\r{tally.count:,} of {count:,}", end="", file=sys.stderr)
    faulthandler.cancel_dump_traceback_later()
    return tally


def shares(first: int, count: int, workers: int) -> list[tuple[int, int]]:
    """Return the cases of each of some processes: its first, and how many."""
    starts = [first + count * at // workers for at in range(workers + 1)]
    return [(start, end - start) for start, end in itertools.pairwise(starts)]


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
