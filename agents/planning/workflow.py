"""The plan that needs no model, and what a model's plan must not lack.

Pure. `agents.manager` falls back to it where a model's text holds no plan at all.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from agents.planning.intent import questions, subject, wants_program
from cluster.kernel.ids import StepId
from cluster.kernel.roles import CODER, MANAGER, RESEARCHER
from cluster.kernel.vocabulary import Plan, Role, Step

STEPS_MAX = 12
INSTRUCTION_LENGTH_MAX = 2_000
_GOAL_SHARE_MIN = 0.6
"""Of an instruction's words, the share that must be the goal's for it to say no more."""
GIVES = {RESEARCHER: "Finding", CODER: "Program"}
"""What a step of a standard role comes to."""


def standard_workflow(goal: str, roles: Sequence[Role], *, has_knowledge: bool) -> Plan:
    """Return the plan that needs no model: research, code if wanted, then the users' own agents.

    The Coder waits for the research where there is knowledge to be found. An agent that handles a
    Program follows the Coder, one that handles a Finding the Researcher.
    """
    names = {role.name for role in roles}
    instruction = goal.strip()[:INSTRUCTION_LENGTH_MAX]
    steps: list[Step] = []
    if RESEARCHER in names:
        steps.append(Step(StepId("r1"), RESEARCHER, instruction))
    if CODER in names and (wants_program(goal) or not steps):
        needs = tuple(step.id for step in steps) if has_knowledge else ()
        steps.append(Step(StepId("c1"), CODER, instruction, needs))
    source_of = {GIVES[step.agent]: step.id for step in steps}
    for role in roles:
        source = source_of.get("Program" if "Program" in role.handles else "Finding")
        is_own = role.name not in {MANAGER, RESEARCHER, CODER}
        if is_own and source and not {"Program", "Finding"}.isdisjoint(role.handles):
            own_id = StepId(f"u{len(steps)}")
            steps.append(Step(own_id, role.name, instruction, (source,)))
    return Plan(tuple(steps[:STEPS_MAX]))


def with_coder(plan: Plan, goal: str, roles: Sequence[Role]) -> Plan:
    """Return the plan with a step for the program that the goal asks for in so many words.

    The plan comes back unchanged where it has such a step, where none is asked for or no Coder is
    there, and where it is full.
    """
    agents = {step.agent for step in plan.steps}
    is_wanted = wants_program(goal, explicitly=True) and CODER not in agents
    is_possible = any(role.name == CODER for role in roles) and len(plan.steps) < STEPS_MAX
    if not (is_wanted and is_possible):
        return plan
    taken = {step.id for step in plan.steps}
    step_id = next(StepId(f"c{n}") for n in range(1, STEPS_MAX + 2) if f"c{n}" not in taken)
    needs = tuple(step.id for step in plan.steps if step.agent == RESEARCHER)
    instruction = goal.strip()[:INSTRUCTION_LENGTH_MAX]
    return Plan((*plan.steps, Step(step_id, CODER, instruction, needs)))


@dataclass(frozen=True, slots=True)
class IdleAgents:
    """The agents of the user's own that could have had a step of a plan, and have none."""

    names: tuple[str, ...]

    def __str__(self) -> str:
        """Say so in a sentence for the user; empty where there are none."""
        if not self.names:
            return ""
        *others, last = self.names
        if not others:
            return f"No step of the plan is for the agent {last}, which is one of your own."
        listed = f"{', '.join(others)} and {last}"
        return f"No step of the plan is for the agents {listed}, which are your own."


def idle_agents(plan: Plan, roles: Sequence[Role]) -> IdleAgents:
    """Return the users' own agents that no step is for; those that only others ask don't count."""
    busy = {MANAGER, RESEARCHER, CODER, *(step.agent for step in plan.steps)}
    inputs = {"Assignment", *GIVES.values()}
    able = (role.name for role in roles if not inputs.isdisjoint(role.handles))
    return IdleAgents(tuple(name for name in able if name not in busy))


def with_question(plan: Plan, goal: str, sealed: Container[StepId] = ()) -> Plan:
    """Return the plan with the goal's own question where its one research step says no more.

    A sealed step stays as it is.
    """
    research = [step for step in plan.steps if step.agent == RESEARCHER]
    if len(research) != 1 or research[0].id in sealed:
        return plan
    asked = asking(RESEARCHER, research[0].instruction, goal)
    if research[0].instruction == asked:
        return plan
    whole = replace(research[0], instruction=asked)
    return Plan(tuple(whole if step is research[0] else step for step in plan.steps))


def asking(agent: str, instruction: str, goal: str) -> str:
    """Return the goal's own question where a research step says no more, else what it says.

    A small model shortens "what does X do when Y?" to "what is X?", or has the program researched:
    where most words of the instruction are the goal's, nothing is lost by asking the question, nor
    where it names nothing: "compute or show something".
    """
    if agent != RESEARCHER:
        return instruction
    asked = _asked(goal)
    said = subject(instruction)
    shared = said & asked.subject
    if len(said) > 1 and len(shared) < _GOAL_SHARE_MIN * len(said):
        return instruction
    return asked.question


def covers(instruction: str, goal: str) -> bool:
    """Say whether an instruction has all that the goal's question is about: both ask for it."""
    return _asked(goal).question_subject <= subject(instruction)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a goal asks, and what both are about."""

    question: str
    question_subject: frozenset[str]
    subject: frozenset[str]


@lru_cache(maxsize=32)
def _asked(goal: str) -> _Asked:
    """Return what a goal asks: looked at for each step of a plan, and a goal may be long."""
    question = " ".join(questions(goal))[:INSTRUCTION_LENGTH_MAX]
    return _Asked(question, subject(question), subject(goal))
