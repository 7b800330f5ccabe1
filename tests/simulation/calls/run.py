"""One seeded run of calls to a hedged model, or to a ladder of them, from start to verdict.

C1 every call ends once, C2 what it says is one attempt's and whole, C3 it ends in its time, C4
what is in use is never void, C5 extra load has a bound, C6 a broken endpoint rests, C7 another
replica is asked before a call is given up, C8 nothing stays open. Those of a ladder are in
`tests.simulation.calls.tiers`.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections import Counter
from contextlib import aclosing

from agents.models.port import Asker, Delta, Finish, Message, Note, Request, Restarted, StreamItem
from cluster.kernel.errors import ModelError
from cluster.kernel.tail.hedger import ATTEMPTS_MAX
from tests.simulation.calls.faults import HORIZON_S
from tests.simulation.calls.replicas import HedgedReplicas
from tests.simulation.calls.tiers import is_fall, wanted_tier
from tests.simulation.calls.world import CallWorld
from tests.simulation.loop import Deadlock, Livelock
from tests.simulation.run import LIVENESS, Outcome, isolated

CALLS = 60
TIMEOUT_S = 12.0
CLOSE_S = 1e-6


def simulate(seed: int, *, has_story: bool = False) -> Outcome:
    """Run a seed and judge it."""
    world = CallWorld(seed, has_story=has_story)
    users = [_User(world, seed, number) for number in range(CALLS)]
    with isolated(world, ()):
        try:
            world.loop.run_until_complete(_together(users))
        except (Deadlock, Livelock) as error:
            world.ledger.violate("C1", f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 - a campaign goes on, and says at which seed
            world.ledger.violate("C1", f"the world itself failed: {error!r}")
        _judge(world)
        for failure in world.loop.failures:
            world.ledger.violate("C8", failure)
        loop = world.loop
        loop.close()
    said = repr([(user.heard, str(user.error)) for user in users])
    return Outcome(
        seed,
        LIVENESS,
        world.violations,
        world.fault_counts,
        f"{zlib.crc32(repr((said, loop.time(), loop.steps)).encode()):08x}",
        loop.time(),
        loop.steps,
        0,
        None,
        world.story,
        Counter(
            calls=CALLS,
            attempts=sum(sum(model.ledger.attempts.values()) for model in world.models),
            answered=sum(user.is_answered for user in users),
            restarted=sum(user.restarts for user in users),
            fell=sum(user.falls_told() for user in users),
        ),
    )


async def _together(users: list[_User]) -> None:
    await asyncio.gather(*(user.run() for user in users))


def _judge(world: CallWorld) -> None:
    for model in world.models:
        _judge_load(model)
    left = [ref() for ref in world.loop.tasks]
    for each in left:
        if each is not None and not each.done():
            world.ledger.violate("C8", f"left under way: {each!r}")


def _judge_load(model: HedgedReplicas) -> None:
    ledger, rules = model.ledger, model.rules
    extra = sum(ledger.attempts.values()) - len(ledger.attempts) - ledger.silent_failures
    bound = rules.saved_max + rules.earned * CALLS if rules.attempts_max > 1 else 0
    if extra > bound:
        ledger.violate("C5", f"{extra} extra requests, where {bound:.1f} are allowed")
    for call, count in ledger.attempts.items():
        if count > ATTEMPTS_MAX + rules.attempts_max:
            ledger.violate("C5", f"call {call} has made {count} attempts")
    for replica in model.all:
        if replica.open:
            ledger.violate("C8", f"{replica} still streams to {replica.open} calls")


class _User:
    """Who makes one call, and judges what comes."""

    def __init__(self, world: CallWorld, seed: int, number: int) -> None:
        rng = random.Random(f"calls user {seed} {number}")
        self._world = world
        self._name = f"call-{number}"
        self._begins_at = rng.uniform(0.0, HORIZON_S)
        self._uses_after = rng.randrange(6) if rng.random() < 0.3 else None
        """Pieces after which it uses what it has heard."""
        self._leaves_after_s = rng.uniform(0.0, 3.0) if rng.random() < 0.15 else None
        self._dawdles_s = rng.choice((0.0, 0.3))
        """Before it goes on after a hedge: meanwhile both attempts may speak."""
        self._dawdled_s = 0.0
        self._tier = wanted_tier(seed, number)
        self.heard: list[StreamItem] = []
        self.error: ModelError | None = None
        self.restarts = 0
        if world.ladder is not None:
            world.ladder.listeners[self._name] = self

    def falls_told(self) -> int:
        """Return how often it was told that another model answers."""
        return sum(is_fall(item) for item in self.heard)

    @property
    def is_answered(self) -> bool:
        """Whether its call came to its end."""
        return bool(self.heard) and isinstance(self.heard[-1], Finish)

    async def run(self) -> None:
        """Make the call, and judge it."""
        await asyncio.sleep(self._begins_at)
        now = self._world.loop.time
        began_at = now()
        asker = Asker(task=self._name)
        request = Request((Message("user", "?"),), asker, TIMEOUT_S, tier=self._tier)
        try:
            async with asyncio.timeout(self._leaves_after_s):
                await self._listen(request)
        except ModelError as error:
            self.error = error
        except TimeoutError:
            self._judge_text()
            return
        if now() - began_at > TIMEOUT_S + self._dawdled_s + CLOSE_S:
            self._violate("C3", f"took {now() - began_at:.3f} s, with {TIMEOUT_S:g} s for it")
        self._world.note(self._name, "is answered" if self.is_answered else f"ends: {self.error}")
        self._judge_end(now() - began_at)
        self._judge_text()

    async def _listen(self, request: Request) -> None:
        async with aclosing(self._world.model.stream(request)) as stream:
            async for item in stream:
                self.heard.append(item)
                if isinstance(item, Note):
                    self._dawdled_s += self._dawdles_s
                    await asyncio.sleep(self._dawdles_s)
                if isinstance(item, Restarted):
                    self.restarts += 1
                    if request.commitment.is_made:
                        self._violate("C4", "is begun anew, and is in use already")
                if self._uses_after is not None and self._pieces() > self._uses_after:
                    request.commitment.make()

    def _pieces(self) -> int:
        return sum(isinstance(item, Delta) for item in self.heard)

    def _judge_end(self, took_s: float) -> None:
        ends = sum(isinstance(item, Finish) for item in self.heard)
        if ends + (self.error is not None) != 1 or (ends and not self.is_answered):
            self._violate("C1", f"ends {ends} times, with the error {self.error}")
        is_given_up = self.error is not None and not self._pieces()
        if is_given_up and self._world.ladder is not None:
            if took_s < TIMEOUT_S:
                self._world.ladder.judge_silence(self._name, self._tier)
        elif is_given_up and took_s < TIMEOUT_S - 0.2:
            self._judge_replicas(self._world.models[0], took_s)

    def _judge_replicas(self, model: HedgedReplicas, took_s: float) -> None:
        ledger = model.ledger
        failures = ledger.failures[self._name]
        could_ask = min(ATTEMPTS_MAX, len(model.all))
        is_by_asker = any(error.is_askers_fault for error in failures)
        if not is_by_asker and ledger.attempts[self._name] < could_ask:
            self._violate("C7", f"is given up after {took_s:.3f} s, with a replica not asked")

    def _judge_text(self) -> None:
        """The pieces since the last restart are the first ones of one attempt."""
        said: list[str] = []
        for item in self.heard:
            if isinstance(item, Restarted):
                said = []
            elif isinstance(item, Delta):
                said.append(item.text)
        name = said[0].partition(":")[0] if said else ""
        if said != [f"{name}:{number} " for number in range(len(said))]:
            self._violate("C2", f"mixes {said}")
        if self.is_answered and self.heard[-1] != Finish("stop", 1, len(said)):
            self._violate("C2", f"passes {said} off as whole")

    def _violate(self, oracle: str, what: str) -> None:
        self._world.note(self._name, f"{oracle} {what}")
        self._world.ledger.violate(oracle, f"{self._name} {what}")
