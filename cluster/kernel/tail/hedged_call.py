"""What is known of one call of a model that may be asked twice, and what may be done about it.

Values: `cluster.kernel.tail.hedging` decides by them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

NEVER = math.inf


@dataclass(frozen=True, slots=True)
class HedgeWaits:
    """How long a call waits before it does something about it; None: it does nothing."""

    second_s: float | None = None
    """From its begin to the second attempt."""
    third_s: float | None = None
    """From one more attempt to the next."""
    attempts_max: int = 1


@dataclass(frozen=True, slots=True)
class HedgeAttempt:
    """One request of a call."""

    number: int
    replica: int
    began_at: float


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A replica that has not answered a call."""

    replica: int
    refusals: int = 0
    """How often it had no room; 0 where it has failed."""
    ask_at: float = NEVER
    """When it is to be asked again."""


class HedgeMove(Enum):
    """What is to be done."""

    WAIT = "nothing"
    START = "another attempt is made"
    RETURN = "a replica that had no room is asked again"
    COMMIT = "this attempt has said something first: it is the call's"
    SWITCH = "what was said so far is void; this attempt is the call's from now on"
    FAIL = "nothing is left to wait for"


@dataclass(frozen=True, slots=True)
class HedgedCall:
    """Where a call stands."""

    waits: HedgeWaits
    under_way: tuple[HedgeAttempt, ...]
    due_at: float
    """When `overdue` is to be asked."""
    began_at: float
    started: int = 1
    committed: int | None = None
    """The attempt whose words were passed on."""
    heard_at: float = 0.0
    """When it last said something."""
    has_replacement: bool = False
    """Whether the one replacement has been made."""
    is_late: bool = False
    unanswered: tuple[Unanswered, ...] = ()
    """One for each replica that was asked in vain."""

    @property
    def made(self) -> int:
        """How many attempts were made that a replica had room for, as far as is known."""
        return self.started - sum(each.refusals for each in self.unanswered)

    def refusals_of(self, replica: int) -> int:
        """Return how often a replica had no room for this call."""
        return sum(each.refusals for each in self.unanswered if each.replica == replica)

    def has_asked(self, replica: int) -> bool:
        """Say whether a replica is being asked, or was in vain."""
        asked: tuple[HedgeAttempt | Unanswered, ...] = (*self.under_way, *self.unanswered)
        return any(each.replica == replica for each in asked)

    def attempt(self, number: int) -> HedgeAttempt | None:
        """Return an attempt while it is under way."""
        for each in self.under_way:  # asked for each token; a generator takes twice as long
            if each.number == number:
                return each
        return None

    def spoken(self, speaker: HedgeAttempt, now: float, due_at: float) -> HedgedCall:
        """Return the call once an attempt, the only one from now on, has said something."""
        return HedgedCall(  # once a token: `replace` takes four times as long
            self.waits,
            (speaker,),
            due_at,
            self.began_at,
            self.started,
            speaker.number,
            now,
            self.has_replacement,
            self.is_late,
            self.unanswered,
        )


@dataclass(frozen=True, slots=True)
class HedgeStep:
    """Where a call stands now, what is to be done, and which attempts are to be cancelled."""

    call: HedgedCall
    move: HedgeMove = HedgeMove.WAIT
    dropped: tuple[HedgeAttempt, ...] = ()
