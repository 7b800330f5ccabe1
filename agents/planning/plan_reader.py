"""The Manager's plan, read while the model writes it: its steps as they are sealed, then all of it.

Pure. `agents.planning.plan_text` reads the drafts, `agents.planning.mending` makes a sound plan of
them. A step that is sealed may run before the next one is written. So what only the whole plan can
tell is withheld, and nothing that is sealed changes any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from agents.planning.drafts import Draft
from agents.planning.mending import MendedPlan, Mending, UnsoundPlan, mended, nearest
from agents.planning.needs import Names, startable
from agents.planning.plan_text import PlanText
from agents.planning.workflow import GIVES, STEPS_MAX, asking, covers
from cluster.kernel.ids import StepId
from cluster.kernel.roles import RESEARCHER
from cluster.kernel.vocabulary import Role, Step

BARREN_MAX = 3
"""Steps on end that add nothing to the plan, after which no more are read: a model that repeats
itself never comes to an end."""
BROKEN_OFF = "The plan breaks off; its steps up to there are carried out."


class PlanReader:
    """Reads one plan of a goal over the given roles from a streamed text.

    ``sealed`` are steps that are part of it already, ``is_broadcast`` says whether each step begins
    as soon as it is sealed, whatever it needs.
    """

    def __init__(
        self,
        roles: Sequence[Role],
        goal: str,
        sealed: Sequence[Step] = (),
        *,
        is_broadcast: bool = False,
    ) -> None:
        self._drafting = Drafting(roles, goal, sealed, is_broadcast=is_broadcast)
        self._is_rest = False
        self._begin()

    def _begin(self) -> None:
        self._text = PlanText(may_be_empty=self._is_rest)
        self._before = len(self._drafting.drafts)
        """Drafts that another text has brought."""
        self._given = self._drafting.step_ids()
        self._barren = 0
        """How many drafts on end have added no step."""
        self._ran_out = ""
        """Why the model could not end the text."""

    @property
    def is_complete(self) -> bool:
        """Whether the rest of the text is not needed."""
        return self._text.is_complete

    @property
    def sealed(self) -> tuple[Step, ...]:
        """The steps that are sealed: they are in the plan whatever follows."""
        return self._drafting.sealed

    def feed(self, text: str) -> None:
        """Take the next piece of text."""
        for each in self._text.feed(text):
            self._add(each)
            if self._repeats_itself:
                self._text.end()
                return

    def run_out(self, reason: str) -> None:
        """Take that the model had to stop before the plan was whole, however that looks."""
        self._ran_out = reason

    def seal(self) -> list[Step]:
        """Return the steps that can't change any more by what was read, each of them once.

        `plan` keeps them, whatever else the text says. So this is called only where the text can't
        turn out to be no plan.
        """
        return self._drafting.seal()

    def begin_again(self) -> None:
        """Forget the text and all of it that isn't sealed: another one follows."""
        self._drafting = self._drafting.begun_again(self._before)
        self._begin()

    def begin_rest(self) -> None:
        """Keep all that was read: a text follows that has what is missing, or no steps."""
        self._drafting, _ = self._read()
        self._is_rest = True
        self._begin()

    def plan(self) -> MendedPlan:
        """Return the whole plan, made sound.

        Raises:
            UnsoundPlan: there is none in the text.
        """
        drafting, is_cut = self._read()
        if not drafting.drafts:
            breaks_off = "it breaks off in its first step" if self._text.begins_a_plan else ""
            raise UnsoundPlan(self._ran_out or breaks_off or "there is none in its text")
        made = drafting.mended()
        return broken_off(made, self._ran_out) if is_cut else made

    def question(self) -> str:
        """Return what the text asks the user in place of a plan; empty where it asks nothing."""
        return "" if self._drafting.drafts or self._ran_out else self._text.question()

    def _read(self) -> tuple[Drafting, bool]:
        """Return all that was drafted, and whether the text breaks off."""
        if self._text.is_whole:
            return self._drafting, False
        before = self._drafting.drafts[: self._before]
        drafts, is_cut = self._text.drafts()
        return self._drafting.with_drafts((*before, *drafts)), is_cut or bool(self._ran_out)

    def _add(self, read: Draft) -> None:
        self._drafting.drafts.append(read)
        new = self._drafting.step_ids() - self._given
        self._given |= new
        self._barren = 0 if new else self._barren + 1

    @property
    def _repeats_itself(self) -> bool:
        """Whether nothing new comes any more; what was drafted before may come once again."""
        return self._barren >= BARREN_MAX + self._before and bool(self._given)


def broken_off(plan: MendedPlan, why: str = "") -> MendedPlan:
    """Return a plan that says, once, that its text ended before it did, and why if that is known.

    Of one that says so already the reason is told that is given now.
    """
    said = f"{BROKEN_OFF.rstrip('.')} ({why})." if why else BROKEN_OFF
    before = plan.reasons[:-1] if plan.breaks_off else plan.reasons
    return replace(plan, breaks_off=True, reasons=(*before, said))


class Drafting:
    """The drafts of a plan as far as it is written, and those of them that are sealed steps.

    Args:
        roles: the agents there are.
        goal: what is planned.
        sealed: steps that are part of the plan already.
        is_broadcast: whether each step begins as soon as it is sealed, whatever it needs.
    """

    def __init__(
        self,
        roles: Sequence[Role],
        goal: str,
        sealed: Sequence[Step] = (),
        *,
        is_broadcast: bool = False,
    ) -> None:
        self._roles = tuple(roles)
        self._goal = goal
        self._is_broadcast = is_broadcast
        self.drafts = [Draft(each.id, each.agent, each.instruction, each.needs) for each in sealed]
        self._sealed = dict(enumerate(sealed))
        self._adopted = len(sealed)
        self._looked_at = len(self.drafts)
        """How many drafts there were when the last ones were sealed."""
        self._made: Mending | None = None
        """What the drafts had become when that was last asked for."""

    @property
    def sealed(self) -> tuple[Step, ...]:
        """The steps that are sealed, in the order of their drafts."""
        return tuple([self._sealed[index] for index in sorted(self._sealed)])

    def begun_again(self, count: int) -> Drafting:
        """Return one of the first drafts and of those that are sealed steps, as they were."""
        places = [at for at in range(len(self.drafts)) if at < count or at in self._sealed]
        sealed = {new: self._sealed[at] for new, at in enumerate(places) if at in self._sealed}
        return self._with([self.drafts[at] for at in places], sealed)

    def with_drafts(self, drafts: Sequence[Draft]) -> Drafting:
        """Return one with these drafts and all that is sealed.

        They are the drafts there are, read once more; or else they follow these.
        """
        there = dict(enumerate(drafts))
        is_same = all(there.get(index) == self.drafts[index] for index in self._sealed)
        return self._with(drafts if is_same else (*self.drafts, *drafts), self._sealed)

    def _with(self, drafts: Sequence[Draft], sealed: dict[int, Step]) -> Drafting:
        other = Drafting(self._roles, self._goal, is_broadcast=self._is_broadcast)
        other.drafts, other._sealed, other._adopted = list(drafts), dict(sealed), self._adopted
        other._looked_at = len(other.drafts)
        return other

    def mended(self) -> MendedPlan:
        """Return the plan that the drafts are meant to be; raises UnsoundPlan where it is none."""
        return mended(
            self.drafts,
            self._roles,
            self._goal,
            self._sealed,
            adopted=self._adopted,
            is_broadcast=self._is_broadcast,
        )

    def step_ids(self) -> set[StepId]:
        """Return the ids of the steps that the drafts have become so far."""
        made = self._assigned()
        if not made.may_leave_out:
            return set(made.steps)
        try:
            return {step.id for step in self.mended().plan.steps}
        except UnsoundPlan:
            return set()

    def _assigned(self) -> Mending:
        """Return what the drafts have become, without what they wait for.

        Each draft is looked at once, unless it changes what others are.
        """
        if self._made is None or not self._made.extend(self._goal):
            self._made = Mending(self.drafts, self._roles, self._sealed, self._adopted)
            self._made.assign(self._goal)
        return self._made

    def seal(self) -> list[Step]:
        """Return the steps that are known for good by the drafts that were added."""
        if self._looked_at == len(self.drafts):
            return []
        self._looked_at = len(self.drafts)
        found: list[Step] = []
        while new := self._sealable():  # What is sealed may be all that another one lacked.
            self._sealed |= new
            found += new.values()
            if not self._assigned().keep(new):
                self._made = None
        return found

    def _sealable(self) -> dict[int, Step]:
        """Return the steps that can be sealed beside those that are, by the places of drafts."""
        made = self._assigned()
        sealed = {step.id: step for step in self._sealed.values()}
        # An echo is dropped where a later draft tells its agent what to do.
        loose = {
            index: step_id
            for index, step_id in made.ids.items()
            if step_id not in sealed and index not in made.echoing
        }
        if not loose:
            return {}
        names = Names(self.drafts, made.ids)
        found: dict[int, Step] = {}
        for index, step_id in loose.items():
            if step_id in sealed:
                continue
            step = self._connected(made.steps[step_id], names, sealed)
            step = step and self._instructed(step, made.steps.values())
            step = step and self._fed(step, made, sealed)
            if step is not None:
                found[index] = sealed[step_id] = step
        return found

    def _connected(self, step: Step, names: Names, sealed: Mapping[StepId, Step]) -> Step | None:
        """Return a step with what it waits for; None where that can still change.

        A name that no draft has yet is kept, since nothing begins before the step of that name has
        ended: unless all begin at once.
        """
        needs = tuple(StepId(name) for name in names.named_by(step.id))
        is_open = self._is_broadcast and not sealed.keys() >= set(needs)
        if is_open or len(needs) > STEPS_MAX or names.names_an_agent(step.id):
            return None
        return replace(step, needs=needs)

    def _instructed(self, step: Step, steps: Iterable[Step]) -> Step | None:
        """Return a step with what it is told; None where that depends on what else there is.

        The only research step may be told the goal's question (`with_question`). Where it is about
        all that the question is about, that does no harm if there come others.
        """
        is_alone = all(each.agent != RESEARCHER or each.id == step.id for each in steps)
        if not is_alone:
            return step
        asked = asking(step.agent, step.instruction, self._goal)
        if asked == step.instruction:
            return step
        return replace(step, instruction=asked) if covers(step.instruction, self._goal) else None

    def _fed(self, step: Step, made: Mending, sealed: Mapping[StepId, Step]) -> Step | None:
        """Return a step that gets a result its agent works on; None where it gets none for sure."""
        begun = sealed.keys() if self._is_broadcast else startable(sealed.values())
        if not made.lacks(step, {each: sealed[each].agent for each in begun}):
            return step
        wanted = made.lacks(step, {each.id: each.agent for each in made.steps.values()})
        if not wanted or not made.steps.keys() >= set(step.needs):
            return None
        near = nearest(step, tuple(made.steps.values()))
        source = next((each.id for each in near if GIVES.get(each.agent) in wanted), None)
        if source is None or source not in begun:
            return None
        return replace(step, needs=(*step.needs, source))
