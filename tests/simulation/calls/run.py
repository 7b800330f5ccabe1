"""One seeded run of calls to a hedged model, or to a ladder of them, from start to verdict.

C1 every call ends once, C2 what it says is one attempt's and whole, C3 it ends in its time, C4
what is in use is never void, C5 extra load has a bound, C6 a broken endpoint rests, C7 every other
replica is asked before a call is given up, C8 nothing stays open, C13 of replicas without room each
is asked again in its turn while there is time, C14 reasoning that has used up the bound of an
answer is asked for again with room. Those of a ladder are in `tests.simulation.calls.tiers`.
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
from cluster.kernel.time_shares import CALL_ANEW_SHARE
from tests.simulation.calls.faults import BOUND, HORIZON_S
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
    for call, asked in ledger.attempts.items():
        count = asked - sum(error.is_busy for error in ledger.failures[call])
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
        question = (Message("user", "?"),)
        request = Request(question, asker, TIMEOUT_S, BOUND, tier=self._tier)
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
        self._judge_end(request, now() - began_at)
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
                if self._uses_after is not None and len(self._texts()) > self._uses_after:
                    request.commitment.make()

    def _texts(self) -> list[str]:
        said = [item for item in self.heard if isinstance(item, Delta)]
        return [item.text for item in said if not item.is_reasoning]

    def _judge_end(self, request: Request, took_s: float) -> None:
        ends = sum(isinstance(item, Finish) for item in self.heard)
        if ends + (self.error is not None) != 1 or (ends and not self.is_answered):
            self._violate("C1", f"ends {ends} times, with the error {self.error}")
        if self.is_answered and self._has_only_reasoned(request, took_s):
            self._violate("C14", "ends with reasoning alone, and might have asked for more")
        has_heard = any(isinstance(item, Delta) for item in self.heard)
        is_given_up = self.error is not None and not has_heard
        if is_given_up and self._world.ladder is not None:
            if took_s < TIMEOUT_S:
                self._world.ladder.judge_silence(self._name, self._tier)
        elif is_given_up and request.may_ask_more:
            self._judge_replicas(self._world.models[0], took_s)

    def _has_only_reasoned(self, request: Request, took_s: float) -> bool:
        finish = self.heard[-1]
        is_cut = isinstance(finish, Finish) and finish.reason == "length"
        has_time = took_s < TIMEOUT_S * (1 - 2 * CALL_ANEW_SHARE)
        return is_cut and has_time and request.may_ask_more and not request.commitment.is_made

    def _judge_replicas(self, model: HedgedReplicas, took_s: float) -> None:
        ledger, call = model.ledger, self._name
        if any(error.is_askers_fault for error in ledger.failures[call]):
            return
        could_ask = min(ATTEMPTS_MAX, len(model.all))
        if took_s < TIMEOUT_S - 0.2 and len(ledger.asked[call]) < could_ask:
            self._violate("C7", f"is given up after {took_s:.3f} s, with a replica not asked")
        owed = ledger.turns[call].owed(self._world.loop.time() + TIMEOUT_S - took_s)
        if len(model.all) > 1 and owed is not None:
            self._violate("C13", f"is given up after {took_s:.3f} s, and {owed} not asked again")

    def _judge_text(self) -> None:
        """The pieces since the last restart are the first ones of one attempt."""
        said: list[str] = []
        for item in self.heard:
            if isinstance(item, Restarted):
                said = []
            elif isinstance(item, Delta) and not item.is_reasoning:
                said.append(item.text)
        name = said[0].partition(":")[0] if said else ""
        if said != [f"{name}:{number} " for number in range(len(said))]:
            self._violate("C2", f"mixes {said}")
        if self.is_answered and not _is_end_of(self.heard[-1], said):
            self._violate("C2", f"passes {said} off as whole")

    def _violate(self, oracle: str, what: str) -> None:
        self._world.note(self._name, f"{oracle} {what}")
        self._world.ledger.violate(oracle, f"{self._name} {what}")


def _is_end_of(item: StreamItem, said: list[str]) -> bool:
    """Say whether an answer's finish tells of these pieces, or of none for its bound."""
    if not isinstance(item, Finish):
        return False
    tokens = len(said) if item.reason == "stop" else BOUND
    return item.completion_tokens == tokens and (item.reason == "stop" or not said)
