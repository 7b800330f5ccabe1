"""Facts of a task's history, past tense: what the driver sees and the journal holds.

An `Event` is who and when; its `detail` is what. `kind` is the text of the FIXED event list.
Agents emit an `AgentDetail` with `Turn.emit`; the task's owner states the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final, TypeGuard

from cluster.kernel.conversation import ChatMessage
from cluster.kernel.feed import Gap
from cluster.kernel.ids import AgentId, StepId, TaskId
from cluster.kernel.reads import DocumentChange, Saw
from cluster.kernel.usage import Usage
from cluster.kernel.vocabulary import (
    Answer,
    Citation,
    Coherence,
    Failure,
    Finding,
    Plan,
    Run,
    Step,
    Support,
)

MODEL: Final = "model"
"""What has fallen back, or was hedged, where it was a call of a model."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The Manager has accepted a `submission`; both instants are Unix seconds."""

    kind: ClassVar[str] = "submitted"
    goal: str
    collection: str = ""
    submitted_wall_s: float = 0.0
    deadline_wall_s: float = 0.0
    coherence: Coherence = Coherence.CHAINED
    workflow: Plan | None = None
    """The plan that the user has declared; None where the Manager makes one."""
    tokens_max: int = 0
    cost_max: float = 0.0
    """Bounds of the whole task, as in `Submission`; 0 for none."""
    owner: str = ""
    is_detached: bool = False
    conversation: tuple[ChatMessage, ...] = ()
    is_aside: bool = False

    @property
    def allowed_s(self) -> float:
        """How long the task may take."""
        return self.deadline_wall_s - self.submitted_wall_s


@dataclass(frozen=True, slots=True)
class Routed:
    """It was decided who works on the goal."""

    kind: ClassVar[str] = "routed"
    intent: str
    route: str
    """``team``, or the name of what answers instead."""
    confidence: float = 0.0
    effort: str = ""
    seconds: float = 0.0
    """How long the decision took."""


@dataclass(frozen=True, slots=True)
class StepPlanned:
    """One step of the plan is known, and may begin; older versions show it, and journal it not."""

    kind: ClassVar[str] = "step_planned"
    planned: Step
    degraded: tuple[str, ...] = ()
    """What is to be said of who planned it, and was not of an earlier step; for the journal."""


@dataclass(frozen=True, slots=True)
class PlanReady:
    """The whole plan is known and sound."""

    kind: ClassVar[str] = "plan_ready"
    plan: Plan
    degraded: tuple[str, ...] = ()
    """What had to be given up for a sound plan."""
    spent: Usage | None = None
    """What it took to make it, for the journal."""


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step was sent to an agent; ``attempt`` counts from 1, ``reason`` says why again."""

    kind: ClassVar[str] = "step_started"
    attempt: int = 1
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of streamed model text; ``is_reasoning`` where the provider marked it so."""

    kind: ClassVar[str] = "thought"
    text: str
    is_reasoning: bool = False
    is_final: bool = False
    """It was judged, and stands in the answer as it is."""


@dataclass(frozen=True, slots=True)
class FindingReady:
    """Research has a cited result."""

    kind: ClassVar[str] = "finding"
    finding: Finding


@dataclass(frozen=True, slots=True)
class ProgramWritten:
    """The Coder has a candidate; ``origin`` is ``model`` or the source of an example."""

    kind: ClassVar[str] = "program"
    source: str
    attempt: int = 1
    origin: str = "model"


@dataclass(frozen=True, slots=True)
class ProgramRan:
    """A candidate was executed in the sandbox."""

    kind: ClassVar[str] = "ran"
    run: Run


@dataclass(frozen=True, slots=True)
class FellBack:
    """Something was replaced by something plainer."""

    kind: ClassVar[str] = "fell_back"
    what: str
    reason: str


def is_model_fallback(detail: object) -> TypeGuard[FellBack]:
    """Say whether a text is another model's, lacks its end, or is of a shortened prompt."""
    return isinstance(detail, FellBack) and detail.what == MODEL


@dataclass(frozen=True, slots=True)
class Hedged:
    """A second request was sent beside a slow one; the first to answer counts."""

    kind: ClassVar[str] = "hedged"
    what: str
    """``model``, or the role of the agent that was asked."""
    after_s: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Spent:
    """A model or tool call ended: its share of the step's time and tokens. Not shown to users."""

    kind: ClassVar[str] = "spent"
    on: str
    """``model`` or ``tool``."""
    seconds: float
    prompt_tokens: int = 0
    completion_tokens: int = 0
    wasted_tokens: int = 0
    saved_tokens: int = 0
    saved_s: float = 0.0
    cost: float = 0.0
    hedges: int = 0


@dataclass(frozen=True, slots=True)
class StepFinished:
    """A step has ended: ``outcome`` is ``finished`` or ``failed`` (then ``failure`` says why)."""

    kind: ClassVar[str] = "step_finished"
    outcome: str
    attempts: int = 1
    failure: Failure | None = None
    result: str = ""
    """What a user's own agent answered, as text; findings and programs have events of their own."""
    value: object | None = None
    """What it came to, for the journal; the driver is not told."""
    saw: Saw | None = None
    """What that was made from, for the journal; None where an older version has done it."""
    degraded: tuple[str, ...] = ()
    """What is to be said of it beside the answer."""
    spent: Usage | None = None
    """What all attempts at it have used, for the journal; None where an older version did it."""


@dataclass(frozen=True, slots=True)
class StepStale:
    """A step's result came, and what it was made from had changed: it is done again."""

    kind: ClassVar[str] = "stale"
    changes: tuple[DocumentChange, ...]
    redo: int = 1
    """The number of the redo that follows, from 1."""
    results: tuple[StepId, ...] = ()
    """Steps that it needs and that ended only after it had begun."""


@dataclass(frozen=True, slots=True)
class StateMerged:
    """What a step has written to shared state was merged with what others wrote meanwhile."""

    kind: ClassVar[str] = "merged"
    changes: tuple[DocumentChange, ...]


@dataclass(frozen=True, slots=True)
class ConflictSide:
    """One of the values of a conflict, and who wrote it."""

    value: str
    """As JSON, cut short; empty where the key is removed."""
    author: str = ""
    step: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class StateConflicted:
    """A place of a document has values between which somebody has to decide."""

    kind: ClassVar[str] = "conflict"
    document: str
    field: str
    key: str = ""
    """That of the field's dict, where it merges by key."""
    sides: tuple[ConflictSide, ...] = ()
    """The first one shows meanwhile."""


@dataclass(frozen=True, slots=True)
class Speculated:
    """A step was begun that no plan has yet; its id is one that none can have."""

    kind: ClassVar[str] = "speculated"
    guess: Step
    probability: float = 0.0
    saved_s: float = 0.0
    """What is saved where the plan comes to have it."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """A step of the plan takes what was speculated as its own."""

    kind: ClassVar[str] = "adopted"
    guess: StepId


@dataclass(frozen=True, slots=True)
class Discarded:
    """What was speculated is of no use."""

    kind: ClassVar[str] = "discarded"
    guess: StepId
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """Terminal: the task has its answer."""

    kind: ClassVar[str] = "answered"
    answer: Answer
    spent: Usage | None = None
    """What the whole task has used, for the journal; None where an older version answered it."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """A sentence of the answer has been looked at again. The only kind that may follow the end.

    In no journal: whoever asks for the task again is shown the answer as it was.
    """

    kind: ClassVar[str] = "corrected"
    claim: int
    """Its index, from 0, among the claims of the answer."""
    text: str
    """What is to be read in its place; empty where a source contradicts it."""
    support: Support = Support.UNVERIFIED
    citations: tuple[Citation, ...] = ()
    """Its own: the answer's stay as they are."""


@dataclass(frozen=True, slots=True)
class Clarified:
    """Terminal: the goal can't be answered as it is, and the user is asked."""

    kind: ClassVar[str] = "clarify"
    question: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Terminal: the task has no answer."""

    kind: ClassVar[str] = "failed"
    failure: Failure


@dataclass(frozen=True, slots=True)
class WasCancelled:
    """Terminal: the task was cancelled."""

    kind: ClassVar[str] = "cancelled"
    reason: str = ""


AgentDetail = Thought | FindingReady | ProgramWritten | ProgramRan | FellBack | Hedged | Spent
"""What an agent may say of its own work; the commonest first: it is checked by the token."""

OwnerDetail = (
    Submitted
    | Routed
    | StepPlanned
    | PlanReady
    | StepStarted
    | StepFinished
    | StepStale
    | StateMerged
    | StateConflicted
    | Speculated
    | Adopted
    | Discarded
    | Answered
    | Clarified
    | Corrected
    | Gap
    | Failed
    | WasCancelled
)
"""Facts of a task, its plan and its end: whoever follows the task acts on them."""

KnownDetail = AgentDetail | OwnerDetail


@dataclass(frozen=True, slots=True)
class UnknownDetail:
    """What only a newer version knows: kept in the journal, passed on, and shown to nobody here."""

    kind: ClassVar[str] = "unknown"
    fields: bytes
    """Those of the event that this version does not know, as protobuf."""


Detail = KnownDetail | UnknownDetail

TERMINAL_KINDS = frozenset({"answered", "clarify", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Event:
    """A fact with its place: seconds since submission, task, agent and step (may be empty)."""

    at_s: float
    task: TaskId
    agent: AgentId
    step: StepId
    detail: Detail
    index: int = 0
    """Its number in the task's journal, from 1; 0 where it is only shown."""

    @property
    def kind(self) -> str:
        """The text of the FIXED event list, as in ``step_started``."""
        return self.detail.kind

    @property
    def is_terminal(self) -> bool:
        """Say whether nothing follows that could change the outcome."""
        return self.detail.kind in TERMINAL_KINDS


def shown(event: Event) -> Event:
    """Return an event as the driver gets it: what a step came to, it has seen already."""
    match detail := event.detail:
        case StepFinished() if detail.value is not None or detail.saw or detail.spent:
            return replace(event, detail=replace(detail, value=None, saw=None, spent=None))
        case PlanReady(spent=Usage()) | Answered(spent=Usage()):
            return replace(event, detail=replace(detail, spent=None))
        case StepPlanned(degraded=(_, *_)):
            return replace(event, detail=replace(detail, degraded=()))
    return event
