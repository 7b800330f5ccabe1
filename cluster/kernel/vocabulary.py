"""The vocabulary of work: what agents ask of each other and what they answer with.

Plain values, frozen, with tuples for lists. They cross processes as the protobuf messages of the
same names (`protos/v1/agents.proto`), converted in `cluster.wire.messages` and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter

from cluster.kernel.conversation import ChatMessage
from cluster.kernel.ids import StepId

UNVERIFIED_MARK = "[unverified]"
"""Stands at the end of a sentence whose support is `Support.UNVERIFIED`."""


class Coherence(StrEnum):
    """When a step of the plan begins; the values of ``[task] coherence``."""

    CHAINED = "chained"
    """When all that it needs is there."""
    BROADCAST = "broadcast"
    """At once, with what is there: it is done again where what came later matters to it."""


@dataclass(frozen=True, slots=True)
class Step:
    """A node of the plan: what one agent is to do, and which steps' results it needs."""

    id: StepId
    agent: str
    instruction: str
    needs: tuple[StepId, ...] = ()
    alternatives: tuple[str, ...] = ()
    """Roles that are asked for it in turn where its own can't do it."""
    is_pure: bool = False
    """It changes nothing outside of itself: it may be done twice, or for nothing."""
    is_broadcast: bool = False
    """It begins at once, as all do in a task of `Coherence.BROADCAST`."""
    allowed_s: float = 0.0
    """How long it may take at most; 0 where only the task's deadline counts."""
    expected_s: float = 0.0
    """How long it is said to take; 0 where nobody says so."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The DAG of steps that the Manager makes of a goal."""

    steps: tuple[Step, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether each step can be reached: ids are unique, needs are known, none in a circle."""
        needs = {step.id: step.needs for step in self.steps}
        try:
            order = list(TopologicalSorter(needs).static_order())
        except CycleError:
            return False
        return len(order) == len(needs) == len(self.steps)

    def with_begun(self, begun: Iterable[Step]) -> Plan:
        """Return it with all steps that have begun, each as it began: what runs counts."""
        kept = {step.id: step for step in begun}
        steps = [kept.pop(step.id, step) for step in self.steps]
        return Plan((*kept.values(), *steps))


@dataclass(frozen=True, slots=True)
class Citation:
    """A verbatim quote: a substring of lines ``start_line`` to ``end_line`` (from 1) of a source.

    A quote over several lines has the file's own line breaks; one of HTML is free of tags.
    """

    source: str
    start_line: int
    end_line: int
    quote: str
    page: int = 0
    """From 1, where the source has pages: then the lines are counted on it."""
    document: str = ""
    """Id of the document that says it, where that is known: so a later change is noticed."""


class Support(StrEnum):
    """What backs a sentence that is shown; one that a source contradicts is never shown."""

    QUOTED = "quoted"
    """It stands in a cited passage, or in the output of a program."""
    PARAPHRASED = "paraphrased"
    """It is consistent with the cited passages, all guards passed, its score is high enough."""
    UNVERIFIED = "unverified"
    """Neither; shown with a mark."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence or list item of a finding or an answer, and what backs it.

    ``citations`` and ``programs`` are indexes, from 0, into those of its finding or answer.
    """

    text: str
    support: Support
    citations: tuple[int, ...] = ()
    programs: tuple[int, ...] = ()


class Basis(StrEnum):
    """What a finding rests on."""

    DOCUMENTS = "documents"
    MODEL = "model"
    """There were no documents: it is what the model says by itself."""
    NOTHING = "nothing"
    """The documents were searched, and nothing in them answers."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Cited result of research: Markdown whose ``[n]`` is the n-th of the citations, from 1."""

    text: str
    citations: tuple[Citation, ...] = ()
    degraded: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    """Its sentences in their order, without headings and lead-ins."""
    basis: Basis = Basis.DOCUMENTS
    passages: tuple[Passage, ...] = ()
    """Those its citations lie in, and the best others: what else is said is judged by these."""


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a program in the sandbox; output is cut at the sandbox's limit."""

    exit_code: int
    stdout: str
    stderr: str
    duration_s: float = 0.0


class Absence(StrEnum):
    """Why a Coder offers no program."""

    NONE = "none"
    """It offers one."""
    NOT_RUN = "not_run"
    """Programs can't be run there, and one that did not run is not believed."""
    NOT_WRITTEN = "not_written"
    """The model wrote none that can be read."""
    FAILED = "failed"
    """None ended well with a result."""
    WITHHELD = "withheld"
    """One ran, but left open what was asked, and its model is not trusted with that."""


@dataclass(frozen=True, slots=True)
class Program:
    """A source and its last execution; ``source`` is empty where no working program was found."""

    source: str
    run: Run | None = None
    language: str = "python"
    degraded: tuple[str, ...] = ()
    absence: Absence = Absence.NONE

    @property
    def is_absent(self) -> bool:
        """Say whether none is offered; older versions don't say why."""
        return self.absence is not Absence.NONE or not self.source

    @property
    def is_working(self) -> bool:
        """Say whether it ran and exited 0."""
        return self.run is not None and self.run.exit_code == 0


@dataclass(frozen=True, slots=True)
class Failure:
    """Why something did not come about: a kind of `cluster.kernel.errors` and one sentence."""

    kind: str
    message: str
    is_retryable: bool = False
    retry_after_s: float = 0.0
    """When trying again may help, in seconds from now; 0 where nobody can say."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step came to: a Finding, a Program, a user's own message, or a Failure."""

    step: StepId
    agent: str
    value: object
    is_unsourced: bool = False
    """What it cites is not known to stand in any document: these are its agent's own words."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A step as it reaches its agent, with the results of the steps it needs."""

    step: StepId
    instruction: str
    goal: str
    results: tuple[StepResult, ...] = ()
    collection: str = ""
    """Id of the knowledge the task may use; empty where it has none."""
    redo: int = 0
    """How often the step had a result that was stale when it came."""
    missing: tuple[StepId, ...] = ()
    """Steps that it needs too, and that have not ended yet: it is done with what is there."""
    priority: float = 0.0
    """Seconds of work that hang on it, its own included: of what waits, the most comes first."""
    effort: str = ""
    """How deep the goal is worked on, an `Effort` of `kernel.routing`; empty where nobody said."""
    is_pure: bool = False
    """As `Step.is_pure`: whoever does it may edit and publish nothing."""
    conversation: tuple[ChatMessage, ...] = ()
    """As `cluster.kernel.submission.Submission.conversation`."""

    @property
    def turn_step(self) -> StepId:
        """What the step is called where its results are kept: each redo has one of its own."""
        return StepId(f"{self.step}#{self.redo}") if self.redo else self.step


@dataclass(frozen=True, slots=True)
class Prepare:
    """Tells an agent that it will get a step, so that it gets ready: nothing is lost without it."""

    step: StepId
    instruction: str
    goal: str
    collection: str = ""
    needs: tuple[StepId, ...] = ()


@dataclass(frozen=True, slots=True)
class Role:
    """What the Manager may plan with: a role's name, what it is for, what it handles."""

    name: str
    purpose: str
    handles: tuple[str, ...] = ("Assignment",)


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """Asks the Manager for a plan of the goal over the roles there are."""

    goal: str
    roles: tuple[Role, ...]
    collection: str = ""
    sealed: tuple[Step, ...] = ()
    """Steps that are part of it already, and may be running: what else there is, is asked for."""
    is_broadcast: bool = False
    """Each step begins as soon as it is planned, whatever it needs: `Coherence.BROADCAST`."""
    conversation: tuple[ChatMessage, ...] = ()
    is_aside: bool = False
    """Both as in `cluster.kernel.submission.Submission`."""


@dataclass(frozen=True, slots=True)
class PlanProposal:
    """A sound plan, and what had to be given up for it."""

    plan: Plan
    degraded: tuple[str, ...] = ()
    question: str = ""
    """What the user is asked in place of a plan: the goal can't be planned as it is."""


@dataclass(frozen=True, slots=True)
class ComposeRequest:
    """Asks the Manager for the answer, from the results in the order of the plan's steps."""

    goal: str
    plan: Plan
    results: tuple[StepResult, ...]
    route: str = ""
    """Who answers a goal that had no step; empty for the results and a model."""
    effort: str = ""
    """As `Assignment.effort`."""
    lacks: str = ""
    """What the task has used up, so that no model may be asked any more."""
    conversation: tuple[ChatMessage, ...] = ()
    """As `cluster.kernel.submission.Submission.conversation`."""


@dataclass(frozen=True, slots=True)
class StepProgram:
    """A program in an answer, with the step it came from."""

    step: StepId
    program: Program


@dataclass(frozen=True, slots=True)
class Answer:
    """What the user gets: Markdown, its citations, the programs that worked, what was degraded."""

    text: str
    citations: tuple[Citation, ...] = ()
    programs: tuple[StepProgram, ...] = ()
    degraded: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    """Its sentences in their order, without headings and lead-ins."""


@dataclass(frozen=True, slots=True)
class VerifyRequest:
    """Asks the Manager to look again at the unverified sentences of an answer."""

    composed: ComposeRequest
    """What the answer was written from."""
    answer: Answer


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of knowledge as it lies in its source: its lines (from 1) and its plain text.

    ``text`` is what may be quoted: a verbatim run of the file, or of HTML the tag-free runs as a
    browser shows them.
    """

    source: str
    start_line: int
    end_line: int
    text: str
    score: float = 0.0
    kind: str = "text"
    """``text`` or ``code`` (a runnable example: ``text`` is its source)."""
    title: str = ""
    """The headings above it, joined with ' > '."""
    breaks: tuple[int, ...] = ()
    """Offsets in ``text`` where the file has tags: a quote may not reach over one."""
    page: int = 0
    """From 1, where the source has pages: then the lines are counted on it."""
    document: str = ""
    """Id of the document that it is of, where that is known."""

    @property
    def runs(self) -> tuple[str, ...]:
        """The pieces of ``text`` that stand in the file as they are; a quote lies within one."""
        ends = (*self.breaks, len(self.text))
        return tuple(self.text[start:end] for start, end in zip((0, *ends), ends, strict=False))
