"""Which steps of a task are given to a second replica too, and when.

Pure, though `RoleHedger` remembers: whoever asks says what time it is. A role is to it what an
endpoint is to `cluster.kernel.tail.hedger`, and a step's result what the first token of a call is.
Asked by `cluster.runtime.tasks.hedged_ask`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cluster.kernel.ids import AgentId
from cluster.kernel.registration import Registration
from cluster.kernel.tail.endpoint_speed import EndpointSpeed
from cluster.kernel.tail.hedged_call import HedgedCall, HedgeStep
from cluster.kernel.tail.hedger import Hedger, HedgeRules
from cluster.kernel.vocabulary import Assignment

STEP_RULES = HedgeRules(attempts_max=2)
"""A third replica would only do what two are doing."""


def other_replicas(
    assignment: Assignment, results: Sequence[str], asked: AgentId, known: Iterable[Registration]
) -> list[Registration]:
    """Return the other replicas that may do a step as well; none where it isn't pure.

    Args:
        assignment: the step.
        results: the names of the types of its results, in their order.
        asked: who does it.
        known: the replicas of that one's role.
    """
    fit = [each for each in known if assignment.is_pure or _is_pure_for(each, results)]
    if all(each.agent != asked for each in fit):
        return []
    return [each for each in fit if each.agent != asked]


def _is_pure_for(replica: Registration, results: Sequence[str]) -> bool:
    """Say whether the method is pure that a replica does a step with; it is chosen as there."""
    handled = (name for name in reversed(results) if name in replica.handles)
    return next(handled, Assignment.__name__) in replica.pure


class RoleHedger:
    """Decides for the pure steps of one role, in all tasks of a Manager."""

    def __init__(self, rules: HedgeRules = STEP_RULES) -> None:
        self._role = EndpointSpeed()
        self._hedger = Hedger([self._role], rules)

    @property
    def extra(self) -> int:
        """How many steps were given to a second replica."""
        return self._hedger.extra

    def learn(self, seconds: float) -> None:
        """Take in how long a step took from its hand-over to its result."""
        self._role.first_s.add(seconds)

    def begin(self, now: float) -> HedgedCall:
        """Take that a replica was asked; the step earns a part of an extra attempt."""
        return self._hedger.begin(now)

    def overdue(self, step: HedgedCall, now: float, *, has_other: bool, left_s: float) -> HedgeStep:
        """Take that a step has no result by the time it was due.

        Args:
            step: where it stands.
            now: the time.
            has_other: whether there is another replica that may do it.
            left_s: until its deadline; an attempt that half of the time would take longer is vain.
        """
        usual_s = self._role.first_within_s(0.5)
        has_time = usual_s is not None and usual_s < left_s
        return self._hedger.overdue(step, now, may_restart=False, may_ask=has_other and has_time)

    def answered(self, step: HedgedCall, number: int, now: float) -> HedgeStep:
        """Take that an attempt has a result, which is the step's."""
        return self._hedger.heard(step, number, now, may_restart=False)

    def failed(self, step: HedgedCall, number: int, now: float) -> HedgeStep:
        """Take that an attempt has failed; the step has when no other is under way."""
        return self._hedger.failed(
            step, number, now, by_asker=False, may_restart=False, may_ask=False
        )

    def ended(self, step: HedgedCall, now: float) -> None:
        """Take that nobody waits for a step any more."""
        self._hedger.released(step, now)
