"""How a peer whose link is lost is reached again: when it is dialled, and when it is forgotten.

Pure: `cluster.runtime.messaging.links` and the dialler beside it tell what happened and carry out
what is said here. Randomness comes in as a number from 0 to 1. When a link is left though its
stream stands is decided in `cluster.kernel.delivery.silence`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

BACKOFF_S_MIN = 0.02
BACKOFF_S_MAX = 1.0
REDIAL_S_MAX = BACKOFF_S_MAX / 4
LOST_AFTER_S = 20.0
"""How long an unreachable peer is looked for before those who wait for it are told."""
FORGET_AFTER_S = 40.0
"""How long a peer is remembered that is lost while nothing waits for it: it may find the loss
later than we did, and then looks for us for `LOST_AFTER_S`."""


@dataclass(frozen=True, slots=True)
class Search:
    """A peer that something waits for is looked for; instants are on the monotonic clock."""

    gives_up_at: float
    backoff_s: float = BACKOFF_S_MIN
    is_lost: bool = False
    """A try to reach it has failed, and those who wait for it know."""

    @classmethod
    def begin(cls, now: float) -> Search:
        """Return a search that has just begun."""
        return cls(now + LOST_AFTER_S)

    def again(self, now: float) -> Search:
        """Return a search for a peer that was reached since this one began, and is lost again.

        The wait between dials goes on growing: a peer may lose each link as soon as it stands.
        """
        return replace(Search.begin(now), backoff_s=self.backoff_s)

    def has_ended(self, now: float) -> bool:
        """Say whether the peer is given up."""
        return now >= self.gives_up_at


@dataclass(frozen=True, slots=True)
class DialAgain:
    """Order: wait, and dial once more unless a link stands by then."""

    after_s: float
    is_first_failure: bool
    """Those who wait for the peer are to know that it can't be reached just now."""


def not_reached(search: Search, *, has_failed: bool, chance: float) -> tuple[Search, DialAgain]:
    """Return what follows a dial after which no link stands, be it that the dial failed or not.

    The wait doubles from one to the next, and is cut by up to a half: peers that lost the same host
    must not dial it in step.
    """
    order = DialAgain(
        search.backoff_s * (0.5 + 0.5 * chance),
        is_first_failure=has_failed and not search.is_lost,
    )
    backoff_s = min(search.backoff_s * 2, BACKOFF_S_MAX)
    return replace(search, backoff_s=backoff_s, is_lost=search.is_lost or has_failed), order


@dataclass(frozen=True, slots=True)
class LostLink:
    """The link that we sent to a peer on has ended."""

    has_other: bool
    """Another link leads to the peer."""
    is_wanted: bool
    """Something waits for the peer."""
    age_s: float
    """How long the link stood."""
    is_peer_leaving: bool
    """It said goodbye: its host is stopping."""


class Loss(Enum):
    """What becomes of a peer whose link has ended."""

    USE_OTHER = "it is sent to over the other link"
    DIAL = "it is looked for at once"
    DIAL_LATER = "it is looked for after a wait by chance of up to `REDIAL_S_MAX`"
    FORGET = "it is forgotten at once"
    FORGET_LATER = "it is forgotten after `FORGET_AFTER_S`, unless a link to it stands by then"
    NOTHING = "this host is stopping"


def link_lost(lost: LostLink, *, is_stopping: bool) -> Loss:
    """Return what becomes of a peer whose link has ended."""
    if lost.has_other:
        return Loss.USE_OTHER
    if lost.is_wanted and not is_stopping:
        # A link that ends as soon as it stands would be made and lost in a circle without a wait.
        return Loss.DIAL_LATER if lost.age_s < BACKOFF_S_MAX else Loss.DIAL
    if lost.is_peer_leaving:
        return Loss.FORGET
    return Loss.NOTHING if is_stopping else Loss.FORGET_LATER
