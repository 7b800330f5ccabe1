"""Plans for the group `schedule`: seeded DAGs, and the three published timings of eager dispatch.

Pure. A load says what its steps take, what they need, and when the plan's writer has sealed them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cluster.kernel.ids import StepId
from cluster.kernel.vocabulary import Step

SECONDS = (0.05, 1.0)
"""What a call takes, at least and at most."""
SEAL_S = (0.02, 0.3)
"""What the writer of a plan takes for one step, at least and at most."""
_SHORT_SHARE = 0.7
"""Of the steps, where there are short ones and long ones."""
TRIPLES = {9: (17.61, 9.50, 6.50), 15: (30.42, 11.50, 8.80), 3: (4.90, 3.50, 2.90)}
"""Tools -> seconds one after another, all at the plan's end, and each once it is sealed; from the
published table of cloudthinker-ai/eager-tools (bench/results.md)."""


@dataclass(frozen=True, slots=True)
class Load:
    """A plan and its times, steps by number; each needs only earlier ones."""

    seconds: tuple[float, ...]
    needs: tuple[tuple[int, ...], ...]
    seals: tuple[float, ...] = ()
    """When each step is sealed; all at once, at 0, without any."""
    plan_s: float = 0.0
    """When the plan is whole."""
    expected: tuple[float, ...] = ()
    """What the scheduler takes the steps' seconds for; the seconds themselves without any."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """The plan as the scheduler sees it."""
        expected = self.expected or self.seconds
        return tuple(
            Step(
                step_id(number),
                "researcher",
                "",
                tuple(step_id(need) for need in needs),
                expected_s=expected[number],
            )
            for number, needs in enumerate(self.needs)
        )

    @property
    def followers(self) -> list[list[int]]:
        """Of each step those that need it."""
        followers: list[list[int]] = [[] for _ in self.seconds]
        for number, needs in enumerate(self.needs):
            for need in needs:
                followers[need].append(number)
        return followers


def step_id(number: int) -> StepId:
    """Return the id of a load's step."""
    return StepId(f"s{number}")


def _uniform(rng: random.Random) -> float:
    return rng.uniform(*SECONDS)


def _skewed(rng: random.Random) -> float:
    low, high = SECONDS
    return min(high, max(low, rng.lognormvariate(-1.3, 0.8)))


def _two_kinds(rng: random.Random) -> float:
    return rng.uniform(0.05, 0.15) if rng.random() < _SHORT_SHARE else rng.uniform(0.6, 1.0)


def _random(rng: random.Random, count: int) -> list[list[int]]:
    share = rng.uniform(0.05, 0.5)
    return [[i for i in range(j) if rng.random() < share] for j in range(count)]


def _layers(rng: random.Random, count: int) -> list[list[int]]:
    width = rng.randint(1, 6)
    needs: list[list[int]] = [[] for _ in range(min(width, count))]
    for number in range(width, count):
        start = (number // width - 1) * width
        above = range(start, start + width)
        needs.append(sorted(rng.sample(above, rng.randint(1, width))))
    return needs


def _fan(rng: random.Random, count: int) -> list[list[int]]:
    middle: list[list[int]] = [rng.choice(([0], [])) for _ in range(count - 2)]
    return [[], *middle, list(range(count - 1))]


def _chains(rng: random.Random, count: int) -> list[list[int]]:
    width = rng.randint(1, 5)
    needs = [[number - width] if number >= width else [] for number in range(count)]
    joined = rng.sample(range(count - 1), min(count - 1, rng.choice((0, 2))))
    needs[-1] = sorted({*needs[-1], *joined})
    return needs


_TIMES: Sequence[Callable[[random.Random], float]] = (_uniform, _skewed, _two_kinds)
_SHAPES: Sequence[Callable[[random.Random, int], list[list[int]]]] = (
    _random,
    _layers,
    _fan,
    _chains,
)


def seeded_load(
    seed: int, steps_max: int, *, is_streamed: bool = False, noise: float = 0.0
) -> Load:
    """Return the load of a seed, of two steps or more.

    Args:
        seed: what it is made from.
        steps_max: how many steps it has at most.
        is_streamed: its steps are sealed one after another, in their order.
        noise: how far off expectations are: sigma of the logarithm of their ratio.
    """
    rng = random.Random(seed)
    count = rng.randint(2, steps_max)
    needs = tuple(tuple(each) for each in rng.choice(_SHAPES)(rng, count))
    time = rng.choice(_TIMES)
    seconds = tuple(time(rng) for _ in needs)
    seals: list[float] = []
    at = 0.0
    for _ in needs if is_streamed else ():
        at += rng.uniform(*SEAL_S)
        seals.append(at)
    expected = [each * rng.lognormvariate(0.0, noise) for each in seconds] if noise else []
    return Load(seconds, needs, tuple(seals), at, tuple(expected))


def eager_load(tools: int) -> Load:
    """Return tools without needs that take the published times in each of the three ways.

    The seals are evenly spaced and the first tool is the slowest: with a plan of G seconds, "all at
    the end" is G + slowest, "once sealed" is G / tools + slowest, which gives both; the rest of
    the tools shares what is left of "one after another".
    """
    sequential_s, parallel_s, eager_s = TRIPLES[tools]
    plan_s = (parallel_s - eager_s) * tools / (tools - 1)
    slowest_s = parallel_s - plan_s
    other_s = (sequential_s - parallel_s) / (tools - 1)
    return Load(
        (slowest_s, *[other_s] * (tools - 1)),
        ((),) * tools,
        tuple(plan_s * (number + 1) / tools for number in range(tools)),
        plan_s,
    )


def rule_keys(load: Load) -> Mapping[str, list[float]]:
    """Return five list rules, each as the key of every step: the lowest goes first."""
    seconds = load.expected or load.seconds
    followers = load.followers
    paths = list(seconds)
    behind = [0] * len(seconds)
    for number in reversed(range(len(seconds))):
        for follower in followers[number]:
            paths[number] = max(paths[number], seconds[number] + paths[follower])
            behind[number] |= behind[follower] | 1 << follower
    return {
        "critical path": [-each for each in paths],
        "longest first": [-each for each in seconds],
        "shortest first": list(seconds),
        "most successors": [-float(each.bit_count()) for each in behind],
        "first come": [float(number) for number in range(len(seconds))],
    }
