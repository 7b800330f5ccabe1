"""The Manager: has the plan written and judges it, has the answer written and checks it.

The task engine runs the plan in between; the Manager never waits for a step.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from agents.agent import Agent, handles
from agents.answers.composition import Grounds, floor, reserved
from agents.answers.draft import AnswerDraft
from agents.answers.outcomes import Outcomes, outcomes_of, results_parts
from agents.answers.verification import SHOWN_CHARS_MAX, corrections, look_at, look_schema
from agents.answers.writing import AnswerWriting
from agents.deciding import choice_schema, chosen
from agents.models.port import Commitment, Message
from agents.planning.intent import wants_program
from agents.planning.mending import MendedPlan, UnsoundPlan
from agents.planning.plan_reader import PlanReader, broken_off
from agents.planning.schema import plan_schema, rest_schema
from agents.planning.workflow import idle_agents, standard_workflow, with_coder, with_question
from agents.prompts import (
    MANAGER_ANSWER,
    MANAGER_ANSWER_STRICT,
    MANAGER_ASIDE,
    MANAGER_CHAT,
    MANAGER_DECIDE,
    MANAGER_PLAN,
    MANAGER_PLAN_REST,
    MANAGER_VERIFY,
    answer_prompt,
    continuing,
    decide_prompt,
    fitting,
    plan_prompt,
    rest_prompt,
    verify_prompt,
)
from agents.routes import ASIDE, CHAT, NOBODY, aside, routed
from cluster.kernel.decisions import ConflictDecision, ConflictRequest
from cluster.kernel.errors import DeadlinePassed, ModelError, UsageError
from cluster.kernel.events import FellBack, StepPlanned
from cluster.kernel.roles import CODER
from cluster.kernel.second_look import Corrections
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import (
    Answer,
    ComposeRequest,
    Failure,
    PlanProposal,
    PlanRequest,
    VerifyRequest,
)

PLAN_TOKENS_MAX = 2_000
ANSWER_TOKENS_MAX = 1_000
VERIFY_TOKENS_MAX = 1_200
DECIDE_TOKENS_MAX = 50
CHAT_TOKENS_MAX = 150
ASIDE_TOKENS_MAX = 400
_ALONE = {CHAT: (MANAGER_CHAT, CHAT_TOKENS_MAX), ASIDE: (MANAGER_ASIDE, ASIDE_TOKENS_MAX)}
"""Routes on which the Manager's model answers by itself: what it is told, and how long it may."""


class Manager(Agent):
    """Plans and composes."""

    purpose = "Plans the steps of a task and writes the answer from their results."

    async def warm(self) -> None:
        """Get the model ready, and the router."""
        if self.routes is not None:
            self.routes.warm()
        await super().warm()

    @handles(PlanRequest)
    async def plan(self, request: PlanRequest, turn: Turn) -> PlanProposal:
        """Return a sound plan: the model's, mended where need be, or else the standard one.

        Each step is emitted as `StepPlanned` as soon as nothing can change it any more, and is in
        the plan then.

        Raises:
            ModelError: the model can't be used, and no step was planned; or it takes its plan back.
            UsageError: there are no agents to plan with.
        """
        if easy := self._easy(request, turn):
            return easy
        proposal = await self._proposed(request, turn)
        idle = str(idle_agents(proposal.plan, request.roles))
        return replace(proposal, degraded=(*proposal.degraded, idle)) if idle else proposal

    def _easy(self, request: PlanRequest, turn: Turn) -> PlanProposal | None:
        """Decide where the goal goes, and return the plan of one that the team need not plan."""
        if request.is_aside:
            turn.emit(routed(aside()))
            return PlanProposal(NOBODY)
        routes = self.routes
        if routes is None or request.sealed:
            return None
        decision = routes.decide(request)
        turn.emit(routed(decision))
        plan = routes.plan(decision, request)
        if plan is None:
            return None
        for step in plan.steps:
            turn.emit(StepPlanned(step))
        return PlanProposal(plan)

    async def _proposed(self, request: PlanRequest, turn: Turn) -> PlanProposal:
        reader = PlanReader(
            request.roles, request.goal, request.sealed, is_broadcast=request.is_broadcast
        )
        try:
            made = await self._planned(request, turn, reader)
        except UnsoundPlan as error:
            if question := reader.question():
                return PlanProposal(NOBODY, question=question)
            return _standard(request, turn, str(error))
        plan = with_question(made.plan, request.goal, made.sealed)
        whole = with_coder(plan, request.goal, request.roles)
        if whole is plan:
            return PlanProposal(plan, made.reasons)
        reason = "The plan had no step for the program that the goal asks for; one was added."
        turn.emit(FellBack("plan", reason))
        return PlanProposal(whole, (*made.reasons, reason))

    async def _planned(self, request: PlanRequest, turn: Turn, reader: PlanReader) -> MendedPlan:
        """Return the model's plan, made sound; raises UnsoundPlan where there is none.

        Where a part of it is sealed already, by this call or by an earlier owner of the task, and
        the rest can't be read, the model is asked once for the rest.
        """
        if not request.sealed:
            made = await self._written_plan(request, turn, reader)
            if not (made.breaks_off and made.sealed):
                return made
        reader.begin_rest()
        made = await self._rest(request, turn, reader)
        if made.breaks_off:
            turn.emit(FellBack("plan", made.reasons[-1]))
        return made

    async def _written_plan(
        self, request: PlanRequest, turn: Turn, reader: PlanReader
    ) -> MendedPlan:
        tokens_max = self.parts.tokens_max or PLAN_TOKENS_MAX
        prompt = continuing(request.conversation, plan_prompt(request.goal, request.roles))
        schema = plan_schema(request.goal, request.roles, tokens_max)
        try:
            await self._read_plan(turn, MANAGER_PLAN, prompt, schema, reader)
        except ModelError as error:
            # An endpoint that takes its answer back refuses the goal, whatever has begun of it.
            if error.is_withdrawal or not reader.sealed:
                raise
            return broken_off(reader.plan(), str(error))
        except DeadlinePassed as error:
            # Late is late for the plan's share only: what is left may do for a plainer answer.
            try:
                made = reader.plan()
            except UnsoundPlan:
                raise UnsoundPlan(str(error)) from error
            return made if reader.is_complete else broken_off(made, str(error))
        return reader.plan()

    async def _rest(self, request: PlanRequest, turn: Turn, reader: PlanReader) -> MendedPlan:
        """Return the plan with the steps that the model says it lacks, broken off if it can't."""
        steps = reader.plan().plan.steps
        schema = rest_schema(request.roles, self.parts.tokens_max or PLAN_TOKENS_MAX)
        prompt = continuing(request.conversation, rest_prompt(request.goal, request.roles, steps))
        try:
            await self._read_plan(turn, MANAGER_PLAN_REST, prompt, schema, reader)
        except (ModelError, DeadlinePassed) as error:
            if isinstance(error, ModelError) and error.is_withdrawal:
                raise
            made = reader.plan()
            return made if reader.is_complete else broken_off(made, str(error))
        return reader.plan()

    async def _read_plan(
        self,
        turn: Turn,
        system: str,
        prompt: Message,
        schema: Mapping[str, object],
        reader: PlanReader,
    ) -> None:
        end = _PlanEnd(reader, turn)
        await self.think(
            turn,
            system,
            prompt,
            wants_json=True,
            json_schema=schema,
            tokens_max=PLAN_TOKENS_MAX,
            is_enough=end,
            commitment=end.commitment,
        )

    @handles(ComposeRequest)
    async def compose(self, request: ComposeRequest, turn: Turn) -> Answer:
        """Return the answer; it says only what the results say, and what had to be given up.

        Raises:
            ClusterError: all steps failed; it is the error of the first one.
            DeadlinePassed: a step was late, and the others brought nothing.
        """
        if not request.plan.steps and (said := await self._at_once(request, turn)):
            return said
        outcomes = outcomes_of(request)
        if request.lacks:
            reason = (
                f"The answer is put together from what was done: the task has used {request.lacks}."
            )
            turn.emit(FellBack("answer", reason))
            answer = floor(outcomes, reason)
        elif outcomes.is_empty:
            _check_time(request)
            answer = floor(outcomes)
        else:
            answer = await self._written(request, outcomes, turn)
        missing = _missing_program(request, outcomes)
        degraded = tuple(dict.fromkeys((*answer.degraded, *missing)))
        return reserved(replace(answer, degraded=degraded), outcomes)

    async def _at_once(self, request: ComposeRequest, turn: Turn) -> Answer | None:
        """Return the answer to a goal that no agent works on; None where it is written as usual."""
        routes = self.routes
        if routes is not None and (said := await routes.answer(request.route, request.goal, turn)):
            return said
        if request.route not in _ALONE or request.lacks:
            return None
        system, tokens_max = _ALONE[request.route]
        asked = continuing(request.conversation, request.goal)
        return Answer(await self.think(turn, system, asked, tokens_max=tokens_max))

    async def _written(self, request: ComposeRequest, outcomes: Outcomes, turn: Turn) -> Answer:
        draft = AnswerDraft(partial(Grounds, request.goal, outcomes), self.parts.support)
        author = self.parts.author()
        # Of text that is void where it loops, or turns out to be a thought, nothing is shown early.
        is_early = self.parts.judges_early
        is_shown = not (self.parts.cuts_loops or self.has_hidden_thoughts)
        async with AnswerWriting(
            draft, turn, author, is_early=is_early, is_shown=is_shown
        ) as writing:
            try:
                text = await self._answer_text(request, outcomes, turn, writing)
            except (ModelError, DeadlinePassed) as error:
                reason = f"The answer is put together from the results as they stand: {error}."
            else:
                answer = await writing.answer(text)
                if answer is not None:
                    return answer
                reason = (
                    "The answer is put together from the results as they stand: they did not "
                    "support what the model wrote."
                )
            turn.emit(FellBack("answer", reason))
            plain = floor(outcomes, reason)
            begun = await writing.answer(plain.text) if writing.has_shown else None
        return replace(begun, degraded=(*begun.degraded, reason)) if begun is not None else plain

    async def _answer_text(
        self, request: ComposeRequest, outcomes: Outcomes, turn: Turn, writing: AnswerWriting
    ) -> str:
        failures = tuple(outcomes.failures.values())
        return await self.think(
            turn,
            MANAGER_ANSWER_STRICT if self.parts.is_strict else MANAGER_ANSWER,
            continuing(
                request.conversation,
                answer_prompt(request.goal, results_parts(outcomes), failures),
            ),
            tokens_max=ANSWER_TOKENS_MAX,
            is_enough=writing,
            commitment=writing.commitment,
            author=writing.author,
        )

    @handles(VerifyRequest)
    async def verify(self, request: VerifyRequest, turn: Turn) -> Corrections:
        """Return which unverified sentences of an answer a passage says, or says otherwise.

        None is looked at where the task has used up what it may; and what the embedded model says,
        where it is held to quotes, changes nothing.

        Raises:
            ModelError: the model can't be used.
            DeadlinePassed: there was no time for it.
        """
        if request.composed.lacks:
            return Corrections()
        found = outcomes_of(request.composed).passages
        passages = fitting(list(found), self.parts.passage_chars_max or SHOWN_CHARS_MAX)
        look = None if self.parts.is_strict else look_at(request.answer, passages)
        if look is None:
            return Corrections()
        author = self.parts.author()
        text = await self.think(
            turn,
            MANAGER_VERIFY,
            verify_prompt(look.sentences, look.passages),
            wants_json=True,
            json_schema=look_schema(len(look.sentences), len(look.passages)),
            tokens_max=VERIFY_TOKENS_MAX,
            author=author,
        )
        if self.parts.support.is_strict(is_embedded=author.is_embedded):
            return Corrections()
        goal = request.composed.goal
        return Corrections(await asyncio.to_thread(corrections, text, look, goal))

    @handles(ConflictRequest)
    async def decide(self, conflict: ConflictRequest, turn: Turn) -> ConflictDecision:
        """Return which value of a conflict is to stand, where no agent decides the field.

        Raises:
            ModelError: the model can't be used, or chooses none of them.
            DeadlinePassed: there was no time for it.
        """
        text = await self.think(
            turn,
            MANAGER_DECIDE,
            decide_prompt(conflict),
            wants_json=True,
            json_schema=choice_schema(len(conflict.rivals)),
            tokens_max=DECIDE_TOKENS_MAX,
        )
        return chosen(text, conflict.rivals)


class _PlanEnd:
    """True once the plan is whole; emits its steps as they are sealed."""

    def __init__(self, reader: PlanReader, turn: Turn) -> None:
        self._reader = reader
        self._turn = turn
        self.commitment = Commitment()
        """Made with the first step that is sealed, which may run at once."""

    def __call__(self, piece: str) -> bool:
        """Take the next piece of text."""
        self._reader.feed(piece)
        return self._reader.is_complete

    def reset(self) -> None:
        """Forget the text so far, but not the steps that were emitted: they may be running."""
        self._reader.begin_again()

    def run_out(self, reason: str) -> None:
        """Take that the model had to stop before the plan was whole."""
        self._reader.run_out(reason)

    def settle(self) -> None:
        """Emit what is sealed by the text so far, which is no reasoning."""
        for step in self._reader.seal():
            self.commitment.make()
            self._turn.emit(StepPlanned(step))


def _standard(request: PlanRequest, turn: Turn, why: str) -> PlanProposal:
    plan = standard_workflow(request.goal, request.roles, has_knowledge=bool(request.collection))
    if not plan.steps:
        raise UsageError("there is no agent to plan with: neither a researcher nor a coder")
    reason = f"The standard workflow replaces the model's plan: {why}."
    turn.emit(FellBack("plan", reason))
    return PlanProposal(plan, (reason,))


def _check_time(request: ComposeRequest) -> None:
    for result in request.results:
        if isinstance(result.value, Failure) and result.value.kind == DeadlinePassed.kind:
            raise DeadlinePassed(result.value.message)


def _missing_program(request: ComposeRequest, outcomes: Outcomes) -> tuple[str, ...]:
    """Say that the program the goal asks for is missing, where nothing says so yet."""
    has_coder = any(step.agent == CODER for step in request.plan.steps)
    if (
        outcomes.programs
        or outcomes.absences
        or not wants_program(request.goal, explicitly=not has_coder)
    ):
        return ()
    return ("No program is offered: no step of the plan came to one that works.",)
