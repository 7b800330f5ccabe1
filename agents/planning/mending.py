"""A model's plan made sound: what is wrong with one step changes that step, and is said.

Pure. `agents.planning.plan_text` reads the drafts; the Manager passes the reasons on to the user.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from agents.planning.drafts import Draft
from agents.planning.fitting import composes, echoes, named_role, nearest_role
from agents.planning.needs import Edge, Names, acyclic
from agents.planning.workflow import GIVES, INSTRUCTION_LENGTH_MAX, STEPS_MAX
from cluster.kernel.ids import ANSWER_STEP, PLAN_STEP, StepId
from cluster.kernel.roles import MANAGER
from cluster.kernel.vocabulary import Plan, Role, Step

_OWN_STEPS = frozenset({PLAN_STEP, ANSWER_STEP})


class UnsoundPlan(ValueError):
    """A text holds no plan that could be carried out; the message says why."""


@dataclass(frozen=True, slots=True)
class MendedPlan:
    """A sound plan, and a sentence for each thing that had to be given up or changed for it."""

    plan: Plan
    reasons: tuple[str, ...] = ()
    breaks_off: bool = False
    """Whether its text ended before it did."""


def mended(drafts: Sequence[Draft], roles: Sequence[Role], goal: str) -> MendedPlan:
    """Return the plan that the drafts are meant to be, over the given roles.

    A repeated step is one step; a step that only writes the answer is none, since the Manager does
    that anyway. Neither is worth a reason.

    Raises:
        UnsoundPlan: none of the drafts can be carried out.
    """
    able = {role.name: role for role in roles if role.name != MANAGER}
    made = _Mending(drafts, able)
    made.assign(goal)
    steps = made.with_inputs(made.connected())
    if not steps:
        raise UnsoundPlan("no step of the plan could be carried out")
    return MendedPlan(Plan(tuple(steps)), tuple(made.reasons))


class _Mending:
    """The drafts of one plan, the steps that became of them, and what had to be changed."""

    def __init__(self, drafts: Sequence[Draft], roles: Mapping[str, Role]) -> None:
        self._drafts = drafts
        self._roles = roles
        self._steps: dict[StepId, Step] = {}
        self._ids: dict[int, StepId] = {}
        """Of each draft that is a step, or is the same as one, the step's id."""
        self.reasons: dict[str, None] = {}
        """What had to be changed, in order, each once."""

    def assign(self, goal: str) -> None:
        """Give each draft to an agent, one step to those that are the same."""
        same: dict[tuple[str, str], StepId] = {}
        for index, agent, instruction in self._assigned(goal):
            key = (agent, " ".join(instruction.casefold().split()))
            if key in same:
                self._ids[index] = same[key]
            elif len(self._steps) == STEPS_MAX:
                self._say(f"The plan had more than {STEPS_MAX} steps; the further ones were cut.")
            else:
                step_id = self._add(self._drafts[index].id, agent, instruction)
                same[key] = self._ids[index] = step_id

    def _assigned(self, goal: str) -> Iterator[tuple[int, str, str]]:
        """Yield the drafts that are steps, each with its agent and what that is told.

        A draft that says only what its agent is for adds nothing to others for that agent; where
        there are none, the goal says what to do.
        """
        agents = {index: self._agent_of(index) for index in range(len(self._drafts))}
        given = {index: agent for index, agent in agents.items() if agent is not None}
        echoing = {index for index, agent in given.items() if self._is_echo(index, agent)}
        told = {agent for index, agent in given.items() if index not in echoing}
        for index, agent in given.items():
            draft = self._drafts[index]
            if index not in echoing:
                yield index, agent, draft.instruction
            elif agent not in told:
                self._say(f"{_name(index, draft)} said nothing of the goal; it gets all of it.")
                yield index, agent, goal

    def connected(self) -> list[Step]:
        """Return the steps with what they wait for."""
        meant = Names(self._drafts, self._ids)
        steps: list[Step] = []
        lost: list[Edge] = []
        for step in self._steps.values():
            needs, unknown = meant.needs_of(step.id)
            steps.append(replace(step, needs=needs))
            lost += [(step.id, name) for name in unknown]
        steps, circular = acyclic(steps)
        for step_id, names in _by_step(lost).items():
            what, them = ("a step", "it") if len(names) == 1 else ("the steps", "them")
            self._say(
                f"The plan's step {step_id} named {what} {', '.join(names)} that the plan doesn't "
                f"have; it runs without {them}."
            )
        for step_id, names in _by_step(circular).items():
            circle = "it would wait for itself"
            self._say(f"Step {step_id!r} does not wait for {_listed(names)}: {circle}.")
        return steps

    def with_inputs(self, steps: list[Step]) -> list[Step]:
        """Return the steps that have the results which their agents work on.

        Where a step of the plan gives such a result, it is waited for; otherwise the step goes.
        """
        while True:
            hungry = next((step for step in steps if self._lacks(step, steps)), None)
            if hungry is None:
                return steps
            wanted = self._lacks(hungry, steps)
            fed = next(_fed(hungry, wanted, steps), None)
            if fed is not None:
                steps = fed
                continue
            kinds = " or ".join(sorted(wanted))
            self._say(f"Step {hungry.id!r} was left out: no step gives it a {kinds}.")
            steps = _without(hungry, steps)

    def _is_echo(self, index: int, agent: str) -> bool:
        """Say whether a draft tells an agent that has to be told what to do nothing of it."""
        return agent in GIVES and echoes(self._drafts[index].instruction, self._roles[agent])

    def _agent_of(self, index: int) -> str | None:
        """Return who does a draft; None where it is no step."""
        draft = self._drafts[index]
        name = _name(index, draft)
        roles = tuple(self._roles.values())
        if not draft.is_usable:
            self._say(f"{name} was left out: it says nothing to do.")
            return None
        if role := named_role(draft.agent, roles):
            return role.name
        is_last = index > 0 and index == len(self._drafts) - 1
        if composes(draft.agent) and (draft.needs or is_last):
            return None
        role = nearest_role(draft.agent or draft.id, draft.instruction, roles)
        what = f"was for {draft.agent!r}, which is no agent" if draft.agent else "named no agent"
        if role is None:
            self._say(f"{name} was left out: it {what}.")
            return None
        self._say(f"{name} {what}; the {role.name} does it.")
        return role.name

    def _add(self, wanted_id: str, agent: str, instruction: str) -> StepId:
        step_id = self._free_id(wanted_id, agent)
        instruction = instruction.strip()
        if len(instruction) > INSTRUCTION_LENGTH_MAX:
            instruction = instruction[:INSTRUCTION_LENGTH_MAX].rstrip()
            cut = f"was cut to its first {INSTRUCTION_LENGTH_MAX:,} characters"
            self._say(f"The instruction of step {step_id!r} {cut}.")
        self._steps[step_id] = Step(step_id, agent, instruction)
        return step_id

    def _free_id(self, wanted: str, agent: str) -> StepId:
        """Return the id a draft asks for, or one like it where it is taken or missing."""
        taken = self._steps.keys() | _OWN_STEPS
        if wanted and wanted not in taken:
            return StepId(wanted)
        stem = f"{wanted[:28]}-" if wanted else agent[:1]
        first = 2 if wanted else 1
        numbered = (StepId(f"{stem}{n}") for n in range(first, first + len(taken) + 1))
        return next(step_id for step_id in numbered if step_id not in taken)

    def _lacks(self, step: Step, steps: Sequence[Step]) -> set[str]:
        """Return the kinds of result one of which a step has to get, and gets none of."""
        handled = set(self._roles[step.agent].handles)
        wanted = handled & set(GIVES.values())
        agents = {each.id: each.agent for each in steps}
        given = {GIVES.get(agents[need], "") for need in step.needs}
        # An agent of the user's gives what only its user knows.
        is_open = wanted < handled or "" in given or bool(wanted & given)
        return set() if is_open else wanted

    def _say(self, reason: str) -> None:
        self.reasons[reason] = None


def _name(index: int, draft: Draft) -> str:
    return f"Step {draft.id!r}" if draft.id else f"Step number {index + 1}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _by_step(edges: Iterable[Edge]) -> dict[StepId, list[str]]:
    found: dict[StepId, list[str]] = {}
    for step_id, need in edges:
        found.setdefault(step_id, []).append(need)
    return found


def _fed(hungry: Step, wanted: set[str], steps: Sequence[Step]) -> Iterator[list[Step]]:
    """Yield the steps with one more need of the hungry one; the nearest step before it first."""
    at = [step.id for step in steps].index(hungry.id)
    for source in (*reversed(steps[:at]), *steps[at + 1 :]):
        if GIVES.get(source.agent) in wanted:
            needy = replace(hungry, needs=(*hungry.needs, source.id))
            fed = [needy if step is hungry else step for step in steps]
            if Plan(tuple(fed)).is_sound:
                yield fed


def _without(gone: Step, steps: Iterable[Step]) -> list[Step]:
    """Return the steps without one, whose own needs go to those that waited for it."""
    left: list[Step] = []
    for step in steps:
        passed = (gone.needs if need == gone.id else (need,) for need in step.needs)
        needs = dict.fromkeys(need for group in passed for need in group)
        if step is not gone:
            left.append(replace(step, needs=tuple(needs)))
    return left
