"""What the model server says in a task of a given plan, and the times that follow from it.

Pure. Called by `benchmarks.schedule_stack`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from agents.models.simulated.model import Timing
from agents.models.simulated.script import Line, Lines
from agents.planning.workflow import STEPS_MAX as PLAN_STEPS_MAX
from benchmarks.schedule_clock import Play, bound_s, list_rule_s
from benchmarks.schedule_loads import TRIPLES, Load, eager_load, rule_keys, seeded_load
from benchmarks.schedule_ratios import calls_of
from cluster.kernel.roles import MANAGER, RESEARCHER
from cluster.kernel.vocabulary import Plan

TIMING = Timing(ttft_s=0.03, tokens_per_s=50.0)
"""Slow enough that what streams leaves the machine idle, whatever is played at once."""
STEPS_MAX = 10
STEP_TOKENS = 8
"""What a step takes of a seeded plan: 0.16 s."""
ANSWER_TOKENS = 10
ANSWER_S = TIMING.due_s(ANSWER_TOKENS - 1)
_SENTENCE = "This is what is known about the matter, as far as anybody can say. "


@dataclass(frozen=True, slots=True)
class Script:
    """What the model says in a task, and the times that follow from it."""

    lines: Lines
    load: Load
    bound_s: float
    """The wall time to the last token of the answer that the task is held against: the shortest
    there is, or with few calls at once that of the best of five list rules."""
    after_s: float
    """That of who starts every step at the plan's end at the earliest."""
    workflow: Plan | None = None
    """The plan, with what its steps take; without it the model writes the plan."""
    calls_max: int | None = None
    """How many calls of its steps there are at once; any number without it."""
    is_published: bool = False
    """Whether the times are published ones of eager dispatch."""


def script_of(load: Load, plan_tokens: int, *, is_published: bool = False) -> Script:
    """Return the script of a load, in whole tokens; its plan's steps are equally long."""
    plan = Line(_plan_text(load), plan_tokens)
    times = _in_tokens(load)
    played = Load(times, load.needs, _seals(plan), _seconds(plan_tokens))
    return Script(
        _lines(played, {"plan": plan}),
        played,
        bound_s(played) + ANSWER_S,
        Play(played, waits_for_plan=True).makespan_s() + ANSWER_S,
        is_published=is_published,
    )


def limited_script(load: Load, calls: int) -> Script:
    """Return the script of a declared plan with few calls at once."""
    played = Load(_in_tokens(load), load.needs)
    best_s = min(list_rule_s(played, keys, calls) for keys in rule_keys(played).values())
    wall_s = best_s + ANSWER_S
    return Script(_lines(played, {}), played, wall_s, wall_s, _workflow(played), calls)


def written_script(load: Load) -> Script:
    """Return the script of a streamed load whose plan is declared.

    A chain of steps stands for the plan's writer: each step needs the one that seals it.
    """
    count = len(load.seconds)
    chain = [(number - 1,) if number else () for number in range(count)]
    sealed = [(number,) for number in range(count)]
    written = Load((*[load.plan_s / count] * count, *load.seconds), (*chain, *sealed))
    played = Load(_in_tokens(written), written.needs)
    after_s = sum(played.seconds[:count]) + max(played.seconds[count:]) + ANSWER_S
    return Script(
        _lines(played, {}),
        played,
        bound_s(played) + ANSWER_S,
        after_s,
        _workflow(played),
        is_published=True,
    )


def _workflow(load: Load) -> Plan:
    steps = [replace(each, instruction=f"Find out about {each.id}.") for each in load.steps]
    return Plan(tuple(steps))


def _in_tokens(load: Load) -> tuple[float, ...]:
    """Return what the steps take when each is a whole number of tokens."""
    return tuple(_seconds(_tokens(each)) for each in load.seconds)


def _tokens(seconds: float) -> int:
    return max(1, round((seconds - TIMING.ttft_s) * TIMING.tokens_per_s) + 1)


def _lines(load: Load, said: dict[str, Line]) -> Lines:
    tokens = [_tokens(each) for each in load.seconds]
    steps = {
        str(step.id): Line(_prose(count), count)
        for step, count in zip(load.steps, tokens, strict=True)
    }
    answer = Line(_prose(ANSWER_TOKENS), ANSWER_TOKENS)
    return {MANAGER: {**said, "answer": answer}, RESEARCHER: steps}


def _plan_text(load: Load) -> str:
    steps = [
        {
            "id": step.id,
            "agent": step.agent,
            "instruction": f"Find out about part {step.id} of it.",
            "needs": list(step.needs),
        }
        for step in load.steps
    ]
    longest = max(len(json.dumps(step)) for step in steps)
    for step in steps:
        step["instruction"] = f"{step['instruction']}{'.' * (longest - len(json.dumps(step)))}"
    return json.dumps({"steps": steps})


def _seals(plan: Line) -> tuple[float, ...]:
    """Return when each step's closing brace is written."""
    ends = [at for at, character in enumerate(plan.text) if character == "}"][:-1]
    written = 0
    seals: list[float] = []
    for number, piece in enumerate(plan.pieces()):
        written += len(piece)
        while len(seals) < len(ends) and ends[len(seals)] < written:
            seals.append(TIMING.due_s(number))
    return tuple(seals)


def _prose(tokens: int) -> str:
    size = tokens * 5
    return (_SENTENCE * (size // len(_SENTENCE) + 1))[:size]


def _seconds(tokens: int) -> float:
    return TIMING.due_s(tokens - 1)


def streamed_scripts(count: int) -> list[Script]:
    """Return seeded plans that a model writes, with calls of 0.05 to 1 s."""
    loads = [seeded_load(seed, STEPS_MAX) for seed in range(count)]
    return [script_of(load, STEP_TOKENS * len(load.seconds)) for load in loads]


def limited_scripts(count: int) -> list[Script]:
    """Return seeded workflows with 1 to 4 calls at once, of 0.05 to 1 s."""
    return [limited_script(seeded_load(seed, STEPS_MAX), calls_of(seed)) for seed in range(count)]


def published_scripts() -> list[Script]:
    """Return the published timings of eager dispatch, as far as a plan may have so many steps."""
    loads = [eager_load(tools) for tools in TRIPLES if tools <= PLAN_STEPS_MAX]
    return [
        script_of(load, round(load.plan_s * TIMING.tokens_per_s), is_published=True)
        for load in loads
    ]


def declared_published_scripts() -> list[Script]:
    """Return all published timings of eager dispatch, as workflows."""
    return [written_script(eager_load(tools)) for tools in TRIPLES]
