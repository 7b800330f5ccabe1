"""A model's plan made sound: what is wrong with one step changes that step, and is said.

Pure. `agents.planning.plan_reader` says which steps are sealed and stay as they are, the Manager
passes the reasons on to the user.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from agents.planning.drafts import Draft
from agents.planning.fitting import composes, echoes, named_role, nearest_role
from agents.planning.needs import Edge, Names, acyclic, startable
from agents.planning.workflow import GIVES, INSTRUCTION_LENGTH_MAX, STEPS_MAX, asking
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
    sealed: frozenset[StepId] = frozenset()
    """Those of its steps that are sealed: they may be running."""


_NONE_SEALED: Mapping[int, Step] = MappingProxyType({})


def mended(
    drafts: Sequence[Draft],
    roles: Sequence[Role],
    goal: str,
    sealed: Mapping[int, Step] = _NONE_SEALED,
    *,
    adopted: int = 0,
    is_broadcast: bool = False,
) -> MendedPlan:
    """Return the plan that the drafts are meant to be, over the given roles.

    A repeated step is one step; a step that only writes the answer is none, since the Manager does
    that anyway. Neither is worth a reason.

    Args:
        drafts: as the model wrote them.
        roles: the agents there are.
        goal: what a step does that says nothing of its own.
        sealed: the steps that some of the drafts have become for good, by their places. They stay;
            only what one waits for may change, where it is or waits for something that never came.
        adopted: how many of the first drafts are sealed steps that another text has brought.
        is_broadcast: whether a step begins whatever it waits for, so that nothing may change.

    Raises:
        UnsoundPlan: none of the drafts can be carried out.
    """
    made = Mending(drafts, roles, sealed, adopted)
    made.assign(goal)
    steps = made.with_inputs(made.connected(is_broadcast=is_broadcast))
    if not steps:
        raise UnsoundPlan("no step of the plan could be carried out")
    kept = frozenset(step.id for step in sealed.values())
    return MendedPlan(Plan(tuple(steps)), tuple(made.reasons), sealed=kept)


class Mending:
    """The drafts of one plan, the steps that became of them, and what had to be changed."""

    def __init__(
        self,
        drafts: Sequence[Draft],
        roles: Sequence[Role],
        sealed: Mapping[int, Step],
        adopted: int = 0,
    ) -> None:
        self._drafts = drafts
        self._assigned = 0
        """How many of the drafts were given to agents."""
        self._roles = {role.name: role for role in roles if role.name != MANAGER}
        self._sealed = sealed
        self._sealed_steps = {step.id: step for step in sealed.values()}
        self._adopted = {drafts[index].id: sealed[index] for index in range(adopted)}
        self.steps: dict[StepId, Step] = {}
        """In the order of the drafts, without what they wait for."""
        self.ids: dict[int, StepId] = {}
        """Of each draft that is a step, or is the same as one, the step's id."""
        self.echoing: dict[int, str] = {}
        """The drafts that say only what their agent is for, and who that is."""
        self._told: set[str] = set()
        """The agents that are told more by others."""
        self._is_last_an_answer = False
        """Whether the last draft is no step because none follows it."""
        self._same: dict[tuple[str, str], StepId] = {}
        """The steps by what they do."""
        self.reasons: dict[str, None] = {}
        """What had to be changed, in order, each once."""

    def assign(self, goal: str) -> None:
        """Give each draft to an agent, one step to those that are the same.

        A draft that says only what its agent is for adds nothing to others for that agent; where
        there are none, the goal says what to do.
        """
        self._same = self._sealed_keys()
        self._assigned = len(self._drafts)
        agents = {index: self._agent_of(index) for index in range(len(self._drafts))}
        agents |= {index: step.agent for index, step in self._sealed.items()}
        given = {index: agent for index, agent in agents.items() if agent is not None}
        self.echoing = {at: agent for at, agent in given.items() if self._is_echo(at, agent)}
        self._told = {agent for index, agent in given.items() if index not in self.echoing}
        for index, agent in given.items():
            self._make_step(index, agent, goal)

    def extend(self, goal: str) -> bool:
        """Go on with the drafts that were added since; it is as if all were assigned at once.

        False where one changes what became of those before it: then all have to be assigned anew.
        """
        while self._assigned < len(self._drafts):
            if self._is_last_an_answer:
                return False
            index = self._assigned
            self._assigned += 1
            agent = self._agent_of(index)
            if agent is None:
                continue
            if self._is_echo(index, agent):
                self.echoing[index] = agent
            elif agent in self.echoing.values() and agent not in self._told:
                return False
            else:
                self._told.add(agent)
            self._make_step(index, agent, goal)
        return True

    def keep(self, new: Mapping[int, Step]) -> bool:
        """Go on with steps that drafts are for good; False where all must be assigned anew."""
        first = {step_id: index for index, step_id in reversed(self.ids.items())}
        for index, step in new.items():
            known = self._same.get(_key(step.agent, step.instruction))
            if first[step.id] != index or known != step.id:
                return False
            self.steps[step.id] = self._sealed_steps[step.id] = step
        return True

    def _make_step(self, index: int, agent: str, goal: str) -> None:
        """Make a step of a draft that has an agent, or find the one that it repeats."""
        draft = self._drafts[index]
        instruction = draft.instruction
        if index in self.echoing:
            if agent in self._told:
                return
            self._say(f"{_name(index, draft)} said nothing of the goal; it gets all of it.")
            instruction = goal
        key = _key(agent, instruction)
        repeated = self._same.get(key) or self._again(index, agent, goal)
        if index in self._sealed:
            self._keep(index)
        elif repeated is not None:
            self.ids[index] = repeated
        elif len(self.steps.keys() | self._sealed_steps.keys()) >= STEPS_MAX:
            self._say(f"The plan had more than {STEPS_MAX} steps; the further ones were cut.")
        else:
            step_id = self._add(draft.id, agent, instruction)
            self._same[key] = self.ids[index] = step_id

    def _sealed_keys(self) -> dict[tuple[str, str], StepId]:
        """Return the sealed steps by what they do, as it was drafted and as it is done."""
        return {
            _key(step.agent, instruction): step.id
            for index, step in self._sealed.items()
            for instruction in (self._drafts[index].instruction, step.instruction)
        }

    def _keep(self, index: int) -> None:
        """Take a sealed step as it is."""
        step = self._sealed[index]
        self._cut(step.id, self._drafts[index].instruction)
        self.ids[index] = step.id
        self.steps[step.id] = step

    def _again(self, index: int, agent: str, goal: str) -> StepId | None:
        """Return the adopted step that a draft is once more; None where it is none.

        What was drafted for it is not known: it may have been told the goal's question instead.
        """
        draft = self._drafts[index]
        step = self._adopted.get(draft.id)
        if step is None or step.agent != agent:
            return None
        return step.id if step.instruction == asking(agent, draft.instruction, goal) else None

    def connected(self, *, is_broadcast: bool) -> list[Step]:
        """Return the steps with what they wait for."""
        sealed = self._sealed_steps
        begun = sealed.keys() if is_broadcast else startable(sealed.values())
        meant = Names(self._drafts, self.ids)
        steps: list[Step] = []
        lost: list[Edge] = []
        for step in self.steps.values():
            if step.id in begun:
                steps.append(step)
                continue
            needs, unknown = meant.needs_of(step.id)
            fed = (need for need in step.needs if need in begun)
            steps.append(replace(step, needs=tuple(dict.fromkeys((*needs, *fed)))))
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
            agents = {step.id: step.agent for step in steps}
            loose = (step for step in steps if step.id not in self._sealed_steps)
            hungry = next((step for step in loose if self.lacks(step, agents)), None)
            if hungry is None:
                return steps
            wanted = self.lacks(hungry, agents)
            fed = next(_fed(hungry, wanted, steps), None)
            if fed is not None:
                steps = fed
                continue
            kinds = " or ".join(sorted(wanted))
            self._say(f"Step {hungry.id!r} was left out: no step gives it a {kinds}.")
            steps = _without(hungry, steps)

    def _is_echo(self, index: int, agent: str) -> bool:
        """Say whether a draft tells an agent that has to be told what to do nothing of it."""
        if index in self._sealed or agent not in GIVES:
            return False
        return echoes(self._drafts[index].instruction, self._roles[agent])

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
        if composes(draft.agent):
            is_last = index > 0 and index == len(self._drafts) - 1
            self._is_last_an_answer = is_last and not draft.needs
            if draft.needs or is_last:
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
        self.steps[step_id] = Step(step_id, agent, self._cut(step_id, instruction))
        return step_id

    def _cut(self, step_id: StepId, instruction: str) -> str:
        instruction = instruction.strip()
        if len(instruction) <= INSTRUCTION_LENGTH_MAX:
            return instruction
        cut = f"was cut to its first {INSTRUCTION_LENGTH_MAX:,} characters"
        self._say(f"The instruction of step {step_id!r} {cut}.")
        return instruction[:INSTRUCTION_LENGTH_MAX].rstrip()

    def _free_id(self, wanted: str, agent: str) -> StepId:
        """Return the id a draft asks for, or one like it where it is taken or missing."""
        taken = self.steps.keys() | self._sealed_steps.keys() | _OWN_STEPS
        if wanted and wanted not in taken:
            return StepId(wanted)
        stem = f"{wanted[:28]}-" if wanted else agent[:1]
        first = 2 if wanted else 1
        numbered = (StepId(f"{stem}{n}") for n in range(first, first + len(taken) + 1))
        return next(step_id for step_id in numbered if step_id not in taken)

    def lacks(self, step: Step, agents: Mapping[StepId, str]) -> set[str]:
        """Return the kinds of result one of which a step has to get, and gets none of.

        ``agents`` says who does the steps that can give it one.
        """
        handled = set(self._roles[step.agent].handles)
        wanted = handled & set(GIVES.values())
        given = {GIVES.get(agents[need], "") for need in step.needs if need in agents}
        # An agent of the user's gives what only its user knows.
        is_open = wanted < handled or "" in given or bool(wanted & given)
        return set() if is_open else wanted

    @property
    def may_leave_out(self) -> bool:
        """Whether a step may turn out to get no result that its agent works on."""
        return any(
            self.lacks(step, {})
            for step in self.steps.values()
            if step.id not in self._sealed_steps
        )

    def _say(self, reason: str) -> None:
        self.reasons[reason] = None


def _key(agent: str, instruction: str) -> tuple[str, str]:
    return agent, " ".join(instruction.casefold().split())


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
    for source in nearest(hungry, steps):
        if GIVES.get(source.agent) in wanted:
            needy = replace(hungry, needs=(*hungry.needs, source.id))
            fed = [needy if step is hungry else step for step in steps]
            if Plan(tuple(fed)).is_sound:
                yield fed


def nearest(step: Step, steps: Sequence[Step]) -> Iterator[Step]:
    """Yield the other steps: those before a step, the nearest first, then those after it."""
    at = [each.id for each in steps].index(step.id)
    yield from reversed(steps[:at])
    yield from steps[at + 1 :]


def _without(gone: Step, steps: Iterable[Step]) -> list[Step]:
    """Return the steps without one, whose own needs go to those that waited for it."""
    left: list[Step] = []
    for step in steps:
        passed = (gone.needs if need == gone.id else (need,) for need in step.needs)
        needs = dict.fromkeys(need for group in passed for need in group)
        if step is not gone:
            left.append(replace(step, needs=tuple(needs)))
    return left
