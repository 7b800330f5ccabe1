"""What the owner of a task works with; it outlives the turn that brought the task, if one did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from cluster.kernel.clock import Clock, Deadline
from cluster.kernel.envelope import Envelope, Kind, Trust
from cluster.kernel.errors import DeadlinePassed
from cluster.kernel.events import Routed, StepPlanned
from cluster.kernel.ids import NO_ENVELOPE, AgentId, EnvelopeId, StepId, TaskId
from cluster.kernel.tasks.durations import Durations
from cluster.kernel.tasks.lookahead import Limits
from cluster.kernel.tasks.step_hedging import RoleHedger
from cluster.kernel.turn import agent_detail
from cluster.memory.directory import Directory
from cluster.memory.state.host.attempt import EditAttempt
from cluster.memory.state.host.documents import Documents
from cluster.runtime.messaging.sender import Sender
from cluster.runtime.sharing.sharing_turn import SharingTurn
from cluster.runtime.tasks.answers_of_before import AnswersOfBefore
from cluster.runtime.tasks.freshness import Freshness


@dataclass(frozen=True, slots=True)
class Trace:
    """What the envelopes sent for a task say of where they come from."""

    task: TaskId
    traceparent: str
    cause: EnvelopeId = NO_ENVELOPE
    """The submission; none where the task was adopted without one."""


@dataclass(slots=True)
class Experience:
    """How long work has taken in this process, of all its tasks."""

    durations: Durations = field(default_factory=Durations)
    task_s: float = 1.0
    """How long a task takes, as a moving average."""
    hedgers: dict[str, RoleHedger] = field(default_factory=dict)
    """By the role whose pure steps they know."""

    def learn(self, role: str, seconds: float) -> None:
        """Take in a step that has ended well."""
        self.durations = self.durations.observed(role, seconds)

    def hedger(self, role: str) -> RoleHedger:
        """Return what decides for the pure steps of a role, from the first of them on."""
        return self.hedgers.setdefault(role, RoleHedger())


@dataclass(frozen=True, slots=True)
class Techniques:
    """What is done so that nothing waits; each can be switched off, to see what it is worth."""

    streams_plan: bool = True
    """A step begins while the plan is still being written."""
    prepares: bool = True
    """Who will get a step gets ready while what it needs is still being done."""
    hedges_steps: bool = True
    """A pure step that takes much longer than usual is given to a second replica too."""


@dataclass(frozen=True, slots=True)
class TaskContext:
    """Time, the directory, a way to ask, and until when: for one task."""

    clock: Clock
    directory: Directory
    asker: Sender
    deadline: Deadline
    trace: Trace
    documents: Documents | None = None
    """What of shared state is open in this process; None where there is none."""
    freshness: Freshness | None = None
    """Knows whether what a result was made from has changed; None where nothing can."""
    experience: Experience = field(default_factory=Experience)
    techniques: Techniques = field(default_factory=Techniques)
    answers: AnswersOfBefore | None = None
    """Of the same questions; None where none are kept."""
    calls_max: Limits = field(default_factory=dict)
    """Of each role whose model is limited, how many calls its agents have under way at once."""

    @property
    def agent(self) -> AgentId:
        """The Manager that owns the task."""
        return self.asker.exchange.agent

    def remaining_s(self) -> float:
        """Return the seconds that the task has left."""
        return self.deadline.remaining_s(self.clock.now())

    def share(self, share: float) -> Deadline:
        """Return the deadline after a share of the time that is left."""
        return Deadline.after(self.remaining_s() * share, self.clock.now())

    def envelope(
        self,
        recipient: AgentId,
        message: object,
        step: StepId,
        deadline: Deadline,
        *,
        trust: Trust = Trust.AGENT,
    ) -> Envelope:
        """Return an ask for a step of the task.

        Raises:
            DeadlinePassed: no time is left for it.
        """
        if deadline.is_passed(self.clock.now()):
            raise DeadlinePassed(f"no time was left to ask {recipient}")
        return self.asker.envelope(
            recipient,
            Kind.ASK,
            message,
            task=self.trace.task,
            step=step,
            cause=self.trace.cause,
            deadline_at=deadline.at,
            trust=trust,
            traceparent=self.trace.traceparent,
        )


@dataclass(slots=True, eq=False)
class OwnTurn(SharingTurn):
    """The Manager's own turn for a task that its host owns: its plan, its answer."""

    context: TaskContext
    step: StepId
    deadline: Deadline
    on_emit: Callable[[object], None]
    on_planning: Callable[[StepPlanned | Routed], None] | None = None
    """Told where the goal goes, and of each step; None where the turn isn't the one that plans."""

    @property
    def task(self) -> TaskId:
        """The task it works for."""
        return self.context.trace.task

    @property
    def agent(self) -> AgentId:
        """The Manager."""
        return self.context.agent

    @property
    def traceparent(self) -> str:
        """Trace context of the task."""
        return self.context.trace.traceparent

    def remaining_s(self) -> float:
        """Return the seconds left."""
        return self.deadline.remaining_s(self.context.clock.now())

    async def begin_attempt(self, documents: Documents) -> EditAttempt:
        """Return the author of all that is edited: an attempt at its step.

        The journal has what it comes to, and the term of its owner is what fences that.
        """
        return await documents.begin(self.task, self.step, self.agent)

    def emit(self, detail: object) -> None:
        """Say how far it is.

        Raises:
            UsageError: an agent may not say that.
        """
        if isinstance(detail, StepPlanned | Routed) and self.on_planning is not None:
            self.on_planning(detail)
        else:
            self.on_emit(agent_detail(self.agent, detail))

    async def ask(self, recipient: str, message: object, timeout_s: float | None = None) -> object:
        """Ask a role or an agent."""
        context, deadline = self.context, self.deadline
        agent = await context.asker.replica_of(recipient, frozenset())
        if timeout_s is not None:
            deadline = deadline.sooner(timeout_s, context.clock.now())
        return await context.asker.ask(context.envelope(agent, message, self.step, deadline))
