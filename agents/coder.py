"""The Coder: has a program written, runs it in the sandbox, has it repaired from what went wrong.

A program is believed only when it ran. Runnable examples of the documents are candidates where
what the model writes does not do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from agents.agent import Agent, handles
from agents.models.port import Message
from agents.programs.brief import Brief, brief_of, names_in_code
from agents.programs.candidates import (
    Candidate,
    advice,
    best_of,
    complaint,
    fits,
    is_certain,
    works,
)
from agents.programs.names import imported_names
from agents.programs.reading import NO_BLOCK, ProgramEnd, read_program, without_promises
from agents.prompts import Attempt, code_prompt, coder_role, continuing, repair_prompt
from cluster.kernel.errors import ClusterError, DeadlinePassed, ModelError, TooLarge
from cluster.kernel.events import FellBack, ProgramRan, ProgramWritten, Spent
from cluster.kernel.lookup import Lookup
from cluster.kernel.preparing import PrepareContext
from cluster.kernel.time_shares import EXAMPLES_SHARE, RUN_SHARE
from cluster.kernel.turn import Turn
from cluster.kernel.vocabulary import Absence, Assignment, Finding, Passage, Prepare, Program, Run

TOKENS_MAX = 1_800
"""Of one program; where it is cut off there, a shorter one is asked for."""
NO_PROGRAM = "No program is offered"
_BETTER = "it fits the task better than what the model wrote."
_EXAMPLES_MAX = 3
_EXAMPLES_SHOWN = 1
_ANOTHER_TAKES = 1.5
"""A further attempt is made where this many times the last one's duration is left."""


@dataclass(slots=True)
class _Coding:
    """One assignment under way."""

    turn: Turn
    brief: Brief
    examples: Sequence[Passage]
    candidates: list[Candidate] = field(default_factory=list)
    attempts: int = 0
    failure: ClusterError | None = None
    """Why the model could not be asked any more."""
    complaint: str = NO_BLOCK
    """What is wrong with what the model wrote last: a fact, which the user may read."""
    advice: str = ""
    """What may mend it, for the model alone."""
    is_strict: bool = False
    """Whether the embedded model writes, of which nothing is offered that leaves a wish open; see
    `best_of`. Changes with who answers."""

    def attempt(self, source: str = "", run: Run | None = None) -> Attempt:
        """Return what the model is told of what it wrote last."""
        return Attempt(source, run, " ".join(filter(None, (self.complaint, self.advice))))

    @property
    def has_run(self) -> bool:
        """Say whether one candidate could be offered, whatever it leaves open."""
        return any(works(candidate.run) for candidate in self.candidates)

    @property
    def is_done(self) -> bool:
        """Say whether one candidate leaves no wish open, so that no other need be tried."""
        if self.is_strict:
            return any(is_certain(candidate, self.brief) for candidate in self.candidates)
        return any(fits(candidate, self.brief) for candidate in self.candidates)


@dataclass(frozen=True, slots=True)
class Examples:
    """What was found before the step could start."""

    collection: str
    query: str
    lookup: Lookup


class Coder(Agent):
    """Writes, runs and repairs Python programs."""

    purpose = (
        "Writes one Python program that computes or shows something; runs and repairs it itself."
    )

    @handles(Assignment)
    async def code(self, assignment: Assignment, turn: Turn) -> Program:
        """Return a program that ran, exited 0 and printed something.

        What was asked and not seen in it stands in ``degraded``, and is a reason for repairing it
        while attempts and time remain. Where no program is offered, ``absence`` says why, and
        ``degraded`` says it to a person.

        Raises:
            ModelError, DeadlinePassed: the model failed, and no example of the documents will do.
            StoreUnavailable: the documents can't be searched.
            ClusterError: the sandbox could not be started.
        """
        # Not on the event loop: on a machine with much to do it would stand still, and the lease
        # of this agent run out.
        if reason := await asyncio.to_thread(lambda: self.parts.sandbox.unavailable_because):
            told = f"{NO_PROGRAM}, since none can be run: {reason}"
            return Program("", degraded=(told,), absence=Absence.NOT_RUN)
        notes = "\n\n".join(
            result.value.text for result in assignment.results if isinstance(result.value, Finding)
        )
        examples = await self._examples(assignment, turn)
        known = names_in_code(notes).union(*(imported_names(each.text) for each in examples))
        brief = brief_of(assignment.instruction, assignment.goal, known)
        coding = _Coding(turn, brief, examples, is_strict=self.parts.is_embedded)
        asked = code_prompt(
            assignment.instruction,
            assignment.goal,
            notes=notes,
            examples=examples[:_EXAMPLES_SHOWN],
        )
        await self._write(continuing(assignment.conversation, asked), coding)
        if not coding.is_done:
            await self._try_examples(coding)
        return _offered(coding)

    async def warm(self) -> None:
        """As any agent; and the sandbox is tested, and started for the first program."""
        await asyncio.gather(super().warm(), self.parts.sandbox.warm())

    async def prepare(self, prepare: Prepare, _: PrepareContext) -> Examples:
        """Find examples and have a sandbox started, before a step can start."""
        query = _query(prepare)
        lookup, _warmed = await asyncio.gather(
            self.parts.knowledge.examples(prepare.collection, query, _EXAMPLES_MAX),
            self.parts.sandbox.warm(),
        )
        return Examples(prepare.collection, query, lookup)

    async def _examples(self, assignment: Assignment, turn: Turn) -> Sequence[Passage]:
        collection, query = assignment.collection, _query(assignment)
        knowledge = self.parts.knowledge
        left_s = turn.remaining_s()
        try:
            async with asyncio.timeout(left_s * EXAMPLES_SHARE):
                ready = await turn.prepared()
                if (
                    isinstance(ready, Examples)
                    and (ready.collection, ready.query) == (collection, query)
                    and knowledge.is_current(ready.lookup)
                ):
                    found = ready.lookup
                else:
                    found = await knowledge.examples(collection, query, _EXAMPLES_MAX)
        except TimeoutError as error:
            raise DeadlinePassed("the search for examples took too long") from error
        turn.emit(Spent(on="tool", seconds=left_s - turn.remaining_s()))
        if found.namespace:
            turn.reads.passages(found.namespace, found.version)
        return found.passages

    async def _write(self, asked: Message, coding: _Coding) -> None:
        """Have the model write and repair until a program does, or there is no point any more."""
        prompt, last = asked, ""
        seen: set[str] = set()
        while coding.attempts < self.parts.attempts_max:
            left_s = coding.turn.remaining_s()
            coding.attempts += 1
            try:
                attempt = await self._attempt(prompt, seen, coding, prediction=last)
            except (ModelError, DeadlinePassed) as error:
                coding.failure = error
                return
            if attempt is None or coding.is_done:
                return
            spent_s = left_s - coding.turn.remaining_s()
            if coding.turn.remaining_s() < spent_s * _ANOTHER_TAKES:
                return
            prompt, last = repair_prompt(asked, attempt), attempt.source

    async def _attempt(
        self, prompt: Message, seen: set[str], coding: _Coding, *, prediction: str
    ) -> Attempt | None:
        """Have one program written and run it; None where the model has nothing new to say.

        A repair changes little of a program, which is therefore what the model probably writes.

        Raises:
            ModelError, DeadlinePassed: the model failed.
        """
        end, author = ProgramEnd(), self.parts.author()
        text = await self.think(
            coding.turn,
            coder_role(self.parts.sandbox.libraries),
            prompt,
            tokens_max=TOKENS_MAX,
            prediction=prediction or None,
            is_enough=end,
            author=author,
        )
        coding.is_strict = author.is_embedded
        reading = read_program(text, end.ran_out)
        source = reading.source if coding.is_strict else without_promises(reading.source)
        if source in seen:
            # Some models copy what they are shown, also where that is to be repaired.
            is_over = coding.is_strict or coding.has_run or not source
            return None if is_over else coding.attempt()
        seen.add(source)
        if not source:
            coding.complaint, coding.advice = reading.fault, reading.advice
            if coding.is_strict:
                await self._try_examples(coding)
            return coding.attempt()
        candidate = await self._run(coding, source, "model")
        return None if fits(candidate, coding.brief) else coding.attempt(source, candidate.run)

    async def _try_examples(self, coding: _Coding) -> None:
        """Run the examples of the documents, the best one first, until one does."""
        for example in coding.examples:
            if coding.is_done:
                return
            place = f"{example.source}:{example.start_line}"
            await self._run(coding, example.text, place)
        coding.examples = ()

    async def _run(self, coding: _Coding, source: str, origin: str) -> Candidate:
        turn = coding.turn
        turn.emit(ProgramWritten(source, max(1, coding.attempts), origin))
        timeout_s = min(self.parts.run_timeout_s, turn.remaining_s() * RUN_SHARE)
        try:
            run = await self.parts.sandbox.run(source, timeout_s)
        except TooLarge as error:
            run = Run(1, "", str(error))
        turn.emit(ProgramRan(run))
        turn.emit(Spent(on="tool", seconds=run.duration_s))
        is_embedded = coding.is_strict and origin == "model"
        candidate = Candidate(source, run, origin, is_embedded=is_embedded)
        coding.candidates.append(candidate)
        if not candidate.is_example:
            coding.complaint, coding.advice = complaint(candidate, coding.brief), advice(run)
        return candidate


def _query(asked: Assignment | Prepare) -> str:
    """Return what examples are searched for."""
    return f"{asked.instruction}\n{asked.goal}"


def _offered(coding: _Coding) -> Program:
    best = best_of(coding.candidates, coding.brief)
    if best is None:
        if coding.failure is not None:
            raise coding.failure
        found = (
            ""
            if not any(each.is_example for each in coding.candidates)
            else (" No example in the documents does what was asked, either.")
        )
        attempts = f"{coding.attempts} attempts" if coding.attempts > 1 else "1 attempt"
        reason = f"{NO_PROGRAM}. After {attempts} of the model, {coding.complaint}{found}"
        return Program("", degraded=(reason,), absence=_absence(coding))
    if not best.is_example:
        remark = complaint(best, coding.brief)
        degraded = (remark[0].upper() + remark[1:],) if remark else ()
        return Program(best.source, best.run, degraded=degraded)
    why = str(coding.failure) + "." if coding.failure is not None else coding.complaint or _BETTER
    reason = f"The program is an example of the documents ({best.origin}): {why}"
    coding.turn.emit(FellBack("code", reason))
    return Program(best.source, best.run, degraded=(reason,))


def _absence(coding: _Coding) -> Absence:
    """Return why none of the candidates is offered."""
    if all(each.is_example for each in coding.candidates):
        return Absence.NOT_WRITTEN
    return Absence.WITHHELD if coding.has_run else Absence.FAILED
