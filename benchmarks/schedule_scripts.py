"""What the model server says in a task of a given plan, and the times that follow from it.

Pure. Called by `benchmarks.schedule_stack`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from agents.models.simulated.model import Timing
from agents.models.simulated.script import Line, Lines
from agents.planning.workflow import STEPS_MAX as PLAN_STEPS_MAX
from benchmarks.schedule_clock import Play, bound_s
from benchmarks.schedule_loads import TRIPLES, Load, eager_load, seeded_load
from cluster.kernel.roles import MANAGER, RESEARCHER

TIMING = Timing(ttft_s=0.02, tokens_per_s=100.0)
STEPS_MAX = 10
STEP_TOKENS = 15
"""What a step takes of a seeded plan: 0.15 s."""
ANSWER_TOKENS = 20
_SENTENCE = "This is what is known about the matter, as far as anybody can say. "


@dataclass(frozen=True, slots=True)
class Script:
    """What the model says in a task, and the times that follow from it."""

    lines: Lines
    load: Load

    @property
    def bound_s(self) -> float:
        """The shortest wall time, to the last token of the answer."""
        return bound_s(self.load) + _seconds(ANSWER_TOKENS)

    @property
    def after_s(self) -> float:
        """That of who starts every step at the plan's end at the earliest."""
        return Play(self.load, waits_for_plan=True).makespan_s() + _seconds(ANSWER_TOKENS)


def script_of(load: Load, plan_tokens: int) -> Script:
    """Return the script of a load, in whole tokens; its plan's steps are equally long."""
    plan = Line(_plan_text(load), plan_tokens)
    tokens = [
        max(1, round((each - TIMING.ttft_s) * TIMING.tokens_per_s) + 1) for each in load.seconds
    ]
    said = {
        str(step.id): Line(_prose(count), count)
        for step, count in zip(load.steps, tokens, strict=True)
    }
    lines: Lines = {
        MANAGER: {"plan": plan, "answer": Line(_prose(ANSWER_TOKENS), ANSWER_TOKENS)},
        RESEARCHER: said,
    }
    times = tuple(_seconds(count) for count in tokens)
    return Script(lines, Load(times, load.needs, _seals(plan), _seconds(plan_tokens)))


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


def scripts(count: int) -> list[Script]:
    """Return seeded plans, with calls of 0.05 to 1 s."""
    loads = [seeded_load(seed, STEPS_MAX) for seed in range(count)]
    return [script_of(load, STEP_TOKENS * len(load.seconds)) for load in loads]


def published_scripts() -> list[Script]:
    """Return the published timings of eager dispatch, as far as a plan may have so many steps."""
    loads = [eager_load(tools) for tools in TRIPLES if tools <= PLAN_STEPS_MAX]
    return [script_of(load, round(load.plan_s * TIMING.tokens_per_s)) for load in loads]
