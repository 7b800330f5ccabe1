"""When an endpoint isn't asked any more, and when it is tried again.

Pure: states in, states out. `agents.models.policies.breaking` asks before each call and tells how
it ended. What the caller is at fault for says nothing about the endpoint, nor does a call that was
cancelled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

FAILURES_MAX = 5
"""Failures in a row that open it."""
OPEN_S = 2.0
OPEN_MAX_S = 60.0
"""It stays open for longer each time that a trial fails, up to this."""


class CallOutcome(Enum):
    """How a call ended."""

    ANSWERED = "answered"
    FAILED = "failed"
    UNTOLD = "cancelled, or failed by the caller's fault: nothing is known of the endpoint"


class Admission(Enum):
    """Whether a call may be made."""

    CALL = "the endpoint works as far as is known"
    TRIAL = "it has failed; this one call tells whether it still does"
    REFUSED = "it has failed, and isn't asked"


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is known of one endpoint: closed without ``open_until``, else open or half-open."""

    failures: int = 0
    """In a row."""
    since: float = 0.0
    """When the first of them ended."""
    open_until: float | None = None
    open_s: float = OPEN_S
    """For how long it opens next."""
    is_tried: bool = False
    """Whether a trial is under way."""

    def admitted(self, now: float) -> tuple[Breaker, Admission]:
        """Return whether a call may be made now."""
        if self.open_until is None:
            return self, Admission.CALL
        if self.is_tried or now < self.open_until:
            return self, Admission.REFUSED
        return replace(self, is_tried=True), Admission.TRIAL

    def after(
        self, admission: Admission, outcome: CallOutcome, now: float, retry_after_s: float = 0.0
    ) -> Breaker:
        """Return it once an admitted call has ended.

        Calls that began before it opened don't count while it is open: only the trial does.
        """
        is_trial = admission is Admission.TRIAL
        if self.open_until is not None and not is_trial:
            return self
        if outcome is CallOutcome.ANSWERED:
            return Breaker()
        if outcome is CallOutcome.UNTOLD:
            return replace(self, is_tried=False) if is_trial else self
        failures = self.failures + 1
        since = self.since if self.failures else now
        if not is_trial and failures < FAILURES_MAX:
            return replace(self, failures=failures, since=since)
        open_s = min(OPEN_MAX_S, max(self.open_s, retry_after_s))
        longer_s = min(OPEN_MAX_S, open_s * 2)
        return Breaker(failures, since, now + open_s, longer_s)
