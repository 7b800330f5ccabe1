"""The replicas of one model in virtual time, and the books of what was asked of them."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from agents.models.policies.breaking import BreakerModel
from agents.models.policies.hedged import HedgedModel
from agents.models.policies.uncapped import UncappedModel
from agents.models.port import Request, StreamItem
from cluster.kernel.errors import ModelError
from cluster.kernel.tail.breaker import FAILURES_MAX, OPEN_S
from cluster.kernel.tail.endpoint_speed import EndpointSpeed
from cluster.kernel.tail.hedger import HedgeRules
from cluster.kernel.tail.pauses import PAUSE_MAX_S
from tests.simulation.calls.faults import FIRST_S, GAP_S, CallFaults
from tests.simulation.calls.timed_model import Timed, TimedModel
from tests.simulation.loop import VirtualLoop

if TYPE_CHECKING:
    from tests.simulation.calls.world import CallWorld

RULES = HedgeRules(saved_max=3.0, normal_after_s=6.0)
"""So that a short run uses up what is saved, and learns a slowdown."""
DAWDLED_S = 0.7
"""What whoever calls may take between two pieces, and is not heard of meanwhile."""
ONCE = HedgeRules(attempts_max=1)


class Turns:
    """The replicas that had no room for a call, and by when each is to be asked again.

    As long as another attempt is under way none has to be.
    """

    def __init__(self) -> None:
        self._under_way = 0
        self._idle_since = 0.0
        self._room_by: dict[str, float] = {}

    def begin(self, replica: str, now: float) -> str | None:
        """Take that a replica is asked; return one that should have been before, if there is."""
        late = None if self._under_way else self.owed(now)
        self._under_way += 1
        self._room_by.pop(replica, None)
        return late

    def refuse(self, replica: str, now: float, asked_s: float) -> None:
        """Take that a replica had no room."""
        self._room_by[replica] = now + max(asked_s, PAUSE_MAX_S)

    def end(self, now: float) -> None:
        """Take that an attempt has ended."""
        self._under_way -= 1
        self._idle_since = now

    def owed(self, now: float) -> str | None:
        """Return a replica that was to be asked by now, since nothing else was under way."""
        for replica, room_by in self._room_by.items():
            if max(room_by, self._idle_since) + DAWDLED_S < now:
                return replica
        return None


class CallLedger:
    """What was asked of one model, and what was violated."""

    def __init__(self, violations: list[str]) -> None:
        self.violations = violations
        self.attempts: Counter[str] = Counter()
        """Of each call, those that a replica's breaker was asked for."""
        self.failures: dict[str, list[ModelError]] = defaultdict(list)
        """Of each call, why attempts of it failed."""
        self.asked: dict[str, set[str]] = defaultdict(set)
        """Of each call, the replicas."""
        self.turns: dict[str, Turns] = defaultdict(Turns)
        """Of each call, which replicas without room are to be asked again."""
        self.silent_failures = 0
        """Attempts that failed before they had said anything."""

    def was_taken_back(self, call: str) -> bool:
        """Say whether an attempt at a call was, by the goal's fault."""
        return any(each.is_withdrawal and each.is_askers_fault for each in self.failures[call])

    def violate(self, oracle: str, what: str) -> None:
        """Note that an oracle was violated."""
        self.violations.append(f"{oracle}: {what}")


class HedgedReplicas:
    """A model with its replicas, behind breakers and hedges as in the product."""

    def __init__(
        self,
        world: CallWorld,
        rng: random.Random,
        faults: CallFaults,
        count: int,
        *,
        name: str = "",
        rules: HedgeRules = RULES,
    ) -> None:
        self.ledger = CallLedger(world.violations)
        self.rules = rules
        self.all = [Replica(world, self.ledger, faults, f"{name}{each}") for each in range(count)]
        speeds = [_speed(is_known=rng.random() < 0.8) for _ in self.all]
        asked = [Asked(world, self.ledger, replica) for replica in self.all]
        drawn = random.Random(f"calls pauses {name} {rng.random()}")
        self.model = HedgedModel(asked, speeds, rules, drawn)


class Replica(TimedModel):
    """One endpoint, which knows when it must not be asked."""

    def __init__(self, world: CallWorld, ledger: CallLedger, faults: CallFaults, name: str) -> None:
        self._world = world
        self._ledger = ledger
        self._name = name
        self._failed = 0
        self._rests_from: float | None = None
        """When it had failed too often."""
        super().__init__(lambda _: ())
        self._faults = faults

    def script(self, number: int, request: Request) -> Timed:
        """Return what the seed wants of a request."""
        return self._faults.script(
            int(self._name[-1]),
            f"{self._name}.{number}",
            self._world.loop.time(),
            is_bounded=request.tokens_max is not None,
        )

    def __repr__(self) -> str:
        return f"replica {self._name}"

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Answer as the seed wants it, and judge that the breaker has let this through."""
        request.tally.count()
        now = self._world.loop.time
        if self._rests_from is not None and self._rests_from < now() < self._rests_from + OPEN_S:
            self._ledger.violate(
                "C6",
                f"{self} is asked {now() - self._rests_from:.3f} s after"
                f" {self._failed} failures in a row",
            )
        has_spoken = False
        try:
            async with aclosing(super().stream(request)) as stream:
                async for item in stream:
                    has_spoken = True
                    yield item
        except ModelError as error:
            self._note_failure(error)
            has_spoken = False
            raise
        finally:
            if has_spoken:
                self._failed, self._rests_from = 0, None

    def _note_failure(self, error: ModelError) -> None:
        if error.is_askers_fault or error.is_busy:
            return
        self._failed += 1
        if self._failed == FAILURES_MAX:
            self._rests_from = self._world.loop.time()


class Asked:
    """A replica behind its breaker, with every attempt written down."""

    def __init__(self, world: CallWorld, ledger: CallLedger, replica: Replica) -> None:
        self._world = world
        self._ledger = ledger
        self._replica = replica
        self._model = BreakerModel(UncappedModel(replica), LoopClock(world.loop))

    async def stream(self, request: Request) -> AsyncGenerator[StreamItem, None]:
        """Stream as the replica does."""
        call, ledger = request.asker.task, self._ledger
        ledger.attempts[call] += 1
        ledger.asked[call].add(repr(self._replica))
        turns, now = ledger.turns[call], self._world.loop.time
        if (late := turns.begin(repr(self._replica), now())) is not None:
            ledger.violate("C13", f"{call} asks {self._replica}, and not {late}")
        if ledger.was_taken_back(call):
            ledger.violate("C10", f"{call} asks {self._replica} what another has taken back")
        has_spoken = False
        self._world.note(call, f"asks {self._replica}")
        try:
            async with aclosing(self._model.stream(request)) as stream:
                async for item in stream:
                    has_spoken = True
                    yield item
        except ModelError as error:
            self._world.note(call, f"{self._replica} fails: {error}")
            ledger.failures[call].append(error)
            if error.is_busy:
                turns.refuse(repr(self._replica), now(), error.retry_after_s)
            ledger.silent_failures += not has_spoken
            raise
        finally:
            turns.end(now())

    async def warm(self) -> None:
        """Nothing to get ready."""

    async def close(self) -> None:
        """Nothing to give back."""


class LoopClock:
    """The virtual time as the breaker's clock."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.now = loop.time
        self.wall = loop.time


def _speed(*, is_known: bool) -> EndpointSpeed:
    speed, rng = EndpointSpeed(), random.Random(0)
    for _ in range(300 if is_known else 0):
        speed.first_s.add(FIRST_S * rng.lognormvariate(0.0, 0.3))
        speed.gaps_s.add(GAP_S)
    return speed
